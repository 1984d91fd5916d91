//! `log_args`: the arguments of a call in the log.

use std::fmt;
use std::sync::{Arc, Mutex};

use resilient_runtime::{ResilienceError, resilient};
use resilient_tests::in_process;
use resilient_tests::logs::{JsonLines, Listening, listen};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// The log of this thread.
struct Log {
    lines: JsonLines,
    _guard: Listening,
}

impl Log {
    fn keep(level: tracing::Level) -> Self {
        let lines = JsonLines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(level).with_writer(move || writer.clone());
        Self { lines, _guard: listen(subscriber.finish()) }
    }

    /// The arguments in the spans of calls.
    fn arguments(&self) -> Vec<Value> {
        let lines = self.lines.take();
        let ended = lines.iter().filter(|line| line["fields"]["event"] == "tool.ended");
        ended.map(|line| line["span"]["arguments"].clone()).collect()
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct List {
    team_id: u32,
    search: String,
    token: String,
}

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose")
    }
}

struct Server;

#[resilient]
#[tool_router(server_handler)]
impl Server {
    /// Lists.
    #[resilient(log_args(team_id, search.trim(), search.len()), retry = 1)]
    #[tool(annotations(read_only_hint = true))]
    async fn list(
        &self,
        Parameters(List { team_id, search, token }): Parameters<List>,
    ) -> Result<String, ResilienceError> {
        Ok(format!("{team_id}{search}{token}"))
    }

    /// Has another span around its body.
    #[resilient(log_args(team_id))]
    #[tool]
    #[tracing::instrument(skip_all)]
    async fn spanned(&self, Parameters(List { team_id, .. }): Parameters<List>) -> Result<String, ResilienceError> {
        Ok(team_id.to_string())
    }

    /// Shows nothing.
    #[tool]
    async fn silent(&self, Parameters(List { token, .. }): Parameters<List>) -> Result<String, ResilienceError> {
        Ok(token)
    }
}

#[resilient(log_args(limit, whom))]
async fn plain(limit: u32, whom: &str) -> Result<usize, ResilienceError> {
    Ok(whom.len() + limit as usize)
}

#[resilient(log_args(panics))]
async fn panicking(panics: Panics) -> Result<(), ResilienceError> {
    let _ = panics;
    Ok(())
}

#[tokio::test]
async fn the_log_shows_what_the_tool_names_and_masks_what_looks_like_a_secret() {
    let log = Log::keep(tracing::Level::DEBUG);
    let client = in_process::connect(Server).await;
    let arguments = json!({ "team_id": 7, "search": " Bearer abcdefghijklmnop ", "token": "hidden" });
    for tool in ["list", "spanned", "silent"] {
        in_process::call(&client, tool, &arguments).await;
    }
    assert_eq!(
        log.arguments(),
        [json!("team_id=7 search.trim()=Bearer *** search.len()=25"), json!("team_id=7"), Value::Null]
    );
}

#[resilient(log_args(token_count, next_page_token, plain(session)))]
async fn paged(token_count: u32, next_page_token: &str, session: &str) -> Result<usize, ResilienceError> {
    Ok(next_page_token.len() + session.len() + token_count as usize)
}

#[tokio::test]
async fn the_log_shows_counts_and_paging_tokens_and_what_plain_says_is_no_secret() {
    let log = Log::keep(tracing::Level::DEBUG);
    paged(12, "CAUQAA", "spring").await.expect("an answer");
    paged(12, "CAUQAA", "Bearer abcdefghijklmnop").await.expect("an answer");
    assert_eq!(
        log.arguments(),
        [
            json!("token_count=12 next_page_token=CAUQAA plain(session)=spring"),
            json!("token_count=12 next_page_token=CAUQAA plain(session)=Bearer ***"),
        ]
    );
}

#[tokio::test]
async fn a_function_that_no_hook_calls_shows_its_own() {
    let log = Log::keep(tracing::Level::DEBUG);
    plain(3, "everybody").await.expect("an answer");
    assert_eq!(log.arguments(), [json!("limit=3 whom=everybody")]);
}

#[tokio::test]
async fn an_argument_that_panics_when_it_is_looked_at_costs_no_call() {
    let log = Log::keep(tracing::Level::DEBUG);
    panicking(Panics).await.expect("an answer");
    assert_eq!(log.arguments(), [Value::Null]);
}

#[tokio::test]
async fn nobody_who_does_not_listen_makes_it_look() {
    let _log = Log::keep(tracing::Level::ERROR);
    let looked = Arc::new(Mutex::new(0));
    counting(&looked).await.expect("an answer");
    assert_eq!(*looked.lock().expect("no panic"), 0);
}

struct Counting<'a>(&'a Mutex<u32>);

impl fmt::Display for Counting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        *self.0.lock().expect("no panic") += 1;
        f.write_str("looked")
    }
}

#[resilient(log_args(Counting(looked)))]
async fn counting(looked: &Mutex<u32>) -> Result<(), ResilienceError> {
    let _ = looked;
    Ok(())
}
