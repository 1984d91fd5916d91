//! A token that is renewed in its file, and an access that is withdrawn.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use super::{Client, SERVER, account, answer, assert_error, error, task};
use crate::common::{call, connect};
use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use resilient_tests::loopback::Upstream;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use wiki_issues::demo::{self, BASIC, EMAIL};

/// The demo's site with tokens that the test renews, and a server that reads its token from a file.
struct Renewed {
    site: Upstream,
    credentials: Arc<Mutex<Credentials>>,
    file: NamedTempFile,
}

/// What a site knows of credentials: it accepts all but one.
#[derive(Default)]
struct Credentials {
    seen: Vec<HeaderValue>,
    refused: Option<HeaderValue>,
    is_down: bool,
}

impl Renewed {
    async fn start() -> Self {
        let credentials = Arc::new(Mutex::new(Credentials::default()));
        let known = Arc::clone(&credentials);
        let check = from_fn(move |mut request: Request, next: Next| {
            let sent = request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static(BASIC)).unwrap();
            let status = {
                let mut known = known.lock().unwrap();
                let is_refused = known.refused.as_ref() == Some(&sent);
                known.seen.push(sent);
                match (known.is_down, is_refused) {
                    (true, _) => Some(StatusCode::SERVICE_UNAVAILABLE),
                    (false, true) => Some(StatusCode::UNAUTHORIZED),
                    (false, false) => None,
                }
            };
            async move {
                match status {
                    Some(status) => status.into_response(),
                    None => next.run(request).await,
                }
            }
        });
        let site = Upstream::start(demo::routes().layer(check)).await.unwrap();
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, "first\n").unwrap();
        Self { site, credentials, file }
    }

    async fn connect(&self) -> Client {
        let (origin, file) = (self.site.origin(), self.file.path().to_str().unwrap());
        let env = [("ATLASSIAN_BASE_URL", origin.as_str()), ("ATLASSIAN_EMAIL", EMAIL), ("ATLASSIAN_TOKEN_FILE", file)];
        connect(SERVER, &[], &env).await
    }

    /// From now on the site refuses the token of the last request.
    fn refuse_the_last(&self) {
        let mut credentials = self.credentials.lock().unwrap();
        credentials.refused = credentials.seen.last().cloned();
    }

    fn go_down(&self) {
        self.credentials.lock().unwrap().is_down = true;
    }

    fn requests(&self) -> usize {
        self.credentials.lock().unwrap().seen.len()
    }
}

#[tokio::test]
async fn a_token_that_was_renewed_in_its_file_is_read_and_the_call_goes_on() {
    let renewed = Renewed::start().await;
    let client = renewed.connect().await;
    call(&client, "get_page", json!({ "id": 1 })).await;
    renewed.refuse_the_last();
    fs::write(&renewed.file, "second\n").unwrap();
    // A page that is not cached.
    let result = call(&client, "get_page", json!({ "id": 2 })).await;
    assert_eq!(answer(&result)["result"]["title"], "Onboarding");
    assert_eq!((&account(&result)["attempts"], &account(&result)["degraded"]), (&json!(2), &Value::Null));

    // The same for a change: the refused request was not executed.
    renewed.refuse_the_last();
    fs::write(&renewed.file, "third").unwrap();
    let result = call(&client, "create_issue", task("Mend the printer")).await;
    assert_eq!((&answer(&result)["performed"], &account(&result)["attempts"]), (&json!(true), &json!(2)));
    let result = call(&client, "search_issues", json!({ "jql": "project = DEMO" })).await;
    assert_eq!(answer(&result)["result"]["issues"].as_array().unwrap().len(), 3, "created once");
    assert_eq!(account(&result)["attempts"], 1);
}

#[tokio::test]
async fn a_refused_token_is_not_sent_again() {
    let renewed = Renewed::start().await;
    let client = renewed.connect().await;
    call(&client, "get_page", json!({ "id": 1 })).await;
    renewed.refuse_the_last();
    let requests = renewed.requests();
    let result = call(&client, "get_page", json!({ "id": 2 })).await;
    assert_error(&result, "ATLASSIAN_SIGN_IN", "unauthenticated", &["ATLASSIAN_EMAIL and ATLASSIAN_TOKEN"]);
    assert_eq!(renewed.requests(), requests + 1);
}

#[tokio::test]
async fn after_the_access_was_withdrawn_no_cached_answer_is_served() {
    let renewed = Renewed::start().await;
    let client = renewed.connect().await;
    let page = json!({ "id": 1 });
    call(&client, "get_page", page.clone()).await;
    renewed.go_down();
    let result = call(&client, "get_page", page.clone()).await;
    assert_eq!(
        (&answer(&result)["result"]["title"], &account(&result)["source"]),
        (&json!("Fire drill"), &json!("cache"))
    );

    let path = renewed.file.path().to_owned();
    fs::remove_file(&path).unwrap();
    let requests = renewed.requests();
    let change = json!({ "key": "DEMO-1", "text": "Soon." });
    for (tool, arguments) in [("get_page", page.clone()), ("add_comment", change)] {
        let result = call(&client, tool, arguments).await;
        assert_error(&result, "ATLASSIAN_WITHDRAWN", "permission_denied", &["has withdrawn this server's access"]);
        assert_eq!(error(&result).1["attempts"], 0);
        let whole = serde_json::to_string(&result).unwrap();
        assert!(!whole.contains("Fire drill") && !whole.contains("by_hand"), "{whole}");
    }
    assert_eq!(renewed.requests(), requests);

    fs::write(&path, "second").unwrap();
    let result = call(&client, "get_page", page).await;
    assert_eq!(answer(&result)["result"]["title"], "Fire drill");
}
