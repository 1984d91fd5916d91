//! `log_args`: what of a call's arguments the log shows.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use resilient_runtime::{ResilienceError, resilient};
use resilient_tests::in_process;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Listens on this thread.
    fn listen(&self, level: tracing::Level) -> DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(level).with_writer(move || lines.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    /// What the spans of calls show of their arguments.
    fn arguments(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("no panic"));
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let ended = lines.filter(|line| line["fields"]["event"] == "tool.ended");
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

    /// Has a span of its own around its body.
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
    let lines = Lines::default();
    let _listening = lines.listen(tracing::Level::DEBUG);
    let client = in_process::connect(Server).await;
    let arguments = json!({ "team_id": 7, "search": " Bearer abcdefghijklmnop ", "token": "hidden" });
    for tool in ["list", "spanned", "silent"] {
        in_process::call(&client, tool, &arguments).await;
    }
    assert_eq!(
        lines.arguments(),
        [json!("team_id=7 search.trim()=Bearer *** search.len()=25"), json!("team_id=7"), Value::Null]
    );
}

#[resilient(log_args(token_count, next_page_token, plain(session)))]
async fn paged(token_count: u32, next_page_token: &str, session: &str) -> Result<usize, ResilienceError> {
    Ok(next_page_token.len() + session.len() + token_count as usize)
}

#[tokio::test]
async fn the_log_shows_counts_and_paging_tokens_and_what_plain_says_is_no_secret() {
    let lines = Lines::default();
    let _listening = lines.listen(tracing::Level::DEBUG);
    paged(12, "CAUQAA", "spring").await.expect("an answer");
    paged(12, "CAUQAA", "Bearer abcdefghijklmnop").await.expect("an answer");
    assert_eq!(
        lines.arguments(),
        [
            json!("token_count=12 next_page_token=CAUQAA plain(session)=spring"),
            json!("token_count=12 next_page_token=CAUQAA plain(session)=Bearer ***"),
        ]
    );
}

#[tokio::test]
async fn a_function_that_no_hook_calls_shows_its_own() {
    let lines = Lines::default();
    let _listening = lines.listen(tracing::Level::DEBUG);
    plain(3, "everybody").await.expect("an answer");
    assert_eq!(lines.arguments(), [json!("limit=3 whom=everybody")]);
}

#[tokio::test]
async fn an_argument_that_panics_when_it_is_looked_at_costs_no_call() {
    let lines = Lines::default();
    let _listening = lines.listen(tracing::Level::DEBUG);
    panicking(Panics).await.expect("an answer");
    assert_eq!(lines.arguments(), [Value::Null]);
}

#[tokio::test]
async fn nobody_who_does_not_listen_makes_it_look() {
    let lines = Lines::default();
    let _listening = lines.listen(tracing::Level::ERROR);
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
