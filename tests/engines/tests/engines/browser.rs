//! Chromium without a window, controlled by `WebDriver`.

use std::{fs, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Client;
use resilient_tests::loopback;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use crate::{PATIENCE, program::Program, script};

/// The key of an element in `WebDriver`'s JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Runs in each page before its content: records what the page's Content-Security-Policy blocks.
const WATCH: &str = "window.blocked = []; document.addEventListener('securitypolicyviolation', \
    (event) => window.blocked.push(`${event.violatedDirective}: ${event.blockedURI}`));";

/// A browser with one page. It ends on drop.
pub(crate) struct Browser {
    http: Client,
    session: String,
    // Started by the test and not by the driver, so that it ends even if the test panics.
    _driver: Program,
    _chromium: Program,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let profile = tempdir().unwrap();
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--remote-debugging-port=0", "--disable-gpu", "--disable-dev-shm-usage"]);
        // The sandbox does not work for root, nor in most containers; the pages are ours.
        chromium.args(["--no-sandbox", "--no-proxy-server", "--no-first-run", "--hide-scrollbars"]);
        chromium.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let chromium = Program::start(chromium, "DevTools listening on ws://").await;
        let mut driver = Command::new("chromedriver");
        driver.arg("--port=0");
        let driver = Program::start(driver, "started successfully on port ").await;
        let http = loopback::client().timeout(PATIENCE).build().unwrap();
        let options = json!({ "debuggerAddress": chromium.address });
        let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let sessions = format!("{}/session", driver.origin());
        let mut browser = Self { http, session: sessions, _driver: driver, _chromium: chromium, _profile: profile };
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = browser.post("", wanted).await;
        browser.session = format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap());
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await;
        browser
    }

    /// Sends a command and returns its value, or why it failed.
    async fn request(&self, path: &str, body: &Value) -> Result<Value, Value> {
        let response = self.http.post(format!("{}{path}", self.session)).json(body).send().await.unwrap();
        let success = response.status().is_success();
        let mut answer: Value = response.json().await.unwrap();
        if success { Ok(answer["value"].take()) } else { Err(answer) }
    }

    /// Sends a command that succeeds, and returns its value.
    async fn post(&self, path: &str, body: Value) -> Value {
        self.request(path, &body).await.unwrap_or_else(|answer| panic!("{path}: {answer:#}"))
    }

    /// Sends a command of the `DevTools` protocol.
    pub(crate) async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    /// Sets the size of the page in pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Sets media features, such as `prefers-color-scheme`.
    pub(crate) async fn prefer(&self, features: &[(&str, &str)]) {
        let feature = |(name, value): &(&str, &str)| json!({ "name": name, "value": value });
        let features: Vec<_> = features.iter().map(feature).collect();
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Runs the body of a function in the page, and returns its result.
    pub(crate) async fn run(&self, body: &str) -> Value {
        self.post("/execute/sync", json!({ "script": body, "args": [] })).await
    }

    /// Returns the page's text, as it is visible.
    pub(crate) async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap().to_owned()
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Types into the element with this selector, after what it contains.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("/element/{element}/value"), json!({ "text": text })).await;
    }

    /// Clicks on an element that leads to another page, and waits until that page is loaded.
    pub(crate) async fn follow(&self, selector: &str) {
        self.run("window.isLeft = true").await;
        self.click(selector).await;
        let script = "return window.isLeft === undefined && document.readyState === 'complete'";
        let script = json!({ "script": script, "args": [] });
        // A script fails if the page is left while it runs.
        let loaded = async {
            while self.request("/execute/sync", &script).await != Ok(Value::Bool(true)) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, loaded).await.expect("another page");
    }

    /// Clicks on an element.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Returns what the page wrote to the console since the last call, and what its policy blocked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" })).await;
        let blocked = self.run("return window.blocked").await;
        log.as_array().unwrap().iter().chain(blocked.as_array().unwrap()).map(ToString::to_string).collect()
    }

    /// Checks the page, as it looks now, with axe: the rules of WCAG 2.1 AA, among them contrast. Returns a line for
    /// each element that breaks a rule, or whose contrast could not be determined.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let axe = fs::read_to_string(script("typescript/node_modules/axe-core/axe.min.js"));
        let axe = axe.expect("run tests/engines/install");
        let check = "const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
            // The page that reloads itself links to one that does not.
            const rules = { 'meta-refresh': { enabled: false } };
            return axe.run(document, { runOnly: tags, rules, preload: false }).then((found) => {
                const unsure = found.incomplete.filter((rule) => rule.id === 'color-contrast');
                const show = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}: ${node.failureSummary}`);
                const passed = found.passes.map((rule) => rule.id);
                return { broken: [...found.violations, ...unsure].flatMap(show), passed };
            });";
        let found = self.run(&format!("{axe};\n{check}")).await;
        let passed = found["passed"].as_array().unwrap();
        assert!(passed.iter().any(|rule| rule == "document-title"), "axe did not check: {found}");
        found["broken"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// Writes a picture of the whole page to `target/engines/screenshots`.
    pub(crate) async fn picture(&self, name: &str) {
        let size = self.devtools("Page.getLayoutMetrics", json!({})).await["cssContentSize"].take();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let how = json!({ "captureBeyondViewport": true, "clip": clip });
        let picture = self.devtools("Page.captureScreenshot", how).await;
        let picture = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = script("../../target/engines/screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
}
