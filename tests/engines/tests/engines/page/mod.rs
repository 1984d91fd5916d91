//! The status page in a browser.

mod checkers;
mod forms;
mod looks;
mod many_tools;
mod table;
mod texts;

use reqwest::header::ACCEPT;

use crate::{browser::Browser, http_server::Server, node, run};

/// A token for operators.
pub(crate) const TOKEN: &str = "only-operators-know-it";

/// What a browser accepts.
const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

/// Checks HTML against the standard. Returns a line for each mistake.
async fn mistakes(html: &str) -> Vec<String> {
    let (success, out, err) = run(node("typescript/validate.js"), html).await;
    assert!(success, "{err}\nIf a package is missing, run tests/engines/install");
    serde_json::from_str(&out).unwrap()
}

/// Requests a page as a browser does.
async fn html(server: &Server, path: &str) -> reqwest::Response {
    let request = server.http.get(format!("{}{path}", server.admin())).header(ACCEPT, HTML).bearer_auth(TOKEN);
    request.send().await.unwrap().error_for_status().unwrap()
}

/// Opens a page of the routes for operators with the token.
pub(crate) async fn open(browser: &Browser, server: &Server, path: &str) {
    let with_token = server.admin().replace("http://", &format!("http://operator:{TOKEN}@"));
    browser.open(&format!("{with_token}{path}")).await;
}

/// Asserts that neither the browser nor its policy complains about the page that is open, and that it fits its width.
pub(crate) async fn assert_clean(browser: &Browser, which: &str) {
    assert_eq!(browser.complaints().await, Vec::<String>::new(), "{which}");
    let width = browser.run("return [document.documentElement.scrollWidth, innerWidth]").await;
    assert!(width[0].as_u64() <= width[1].as_u64(), "{which} is too wide: {width}");
}
