//! Each kind from end to end: what the model reads, what `_meta` holds, what the log holds. And
//! that the tables of the documentation say what the code does.

use std::cell::RefCell;
use std::fmt::{Display, Write as _};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use resilient_runtime::{BreakerState, ErrorKind, Fault, McpError, Outcome, Registry, ResilienceError, resilient};
use resilient_tests::in_process::{self, Client, text};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResult, GetPromptRequestParams, PromptMessage, RequestMetaObject};
use rmcp::{
    ErrorData, ServerHandler, ServiceError, prompt, prompt_handler, prompt_router, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

const ERROR: &str = "io.crates.resilient-runtime/error";
const CORRELATION: &str = "io.crates.resilient-runtime/correlation-id";

/// What no client may read: the source of every error here.
#[derive(Debug, thiserror::Error)]
#[error("the cause, for the log alone")]
struct Cause;

macro_rules! every_kind {
    ($($kind:ident)*) => {
        /// One error of each kind, which says nothing else about itself.
        #[derive(Debug, thiserror::Error, McpError)]
        #[allow(non_camel_case_types)]
        enum Every {
            $(#[error("the error's own text")] #[mcp(kind = $kind)] $kind(#[source] Cause),)*
            #[error(transparent)]
            #[mcp(transparent)]
            Resilience(#[from] ResilienceError),
        }

        impl Every {
            fn of(kind: &str) -> Option<Self> {
                match kind {
                    $(stringify!($kind) => Some(Self::$kind(Cause)),)*
                    _ => None,
                }
            }
        }
    };
}
every_kind!(invalid_input not_found conflict failed_precondition permission_denied unauthenticated quota_exceeded
    rate_limited timeout connection unavailable bad_response circuit_open overloaded read_only cancelled internal);

/// The error of the guide's example, and one that is told as a JSON-RPC error.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
enum ShopError {
    #[error("the shop asks to wait: {body}")]
    #[mcp(kind = rate_limited)]
    TooFast {
        #[mcp(detail)]
        order: u64,
        #[mcp(retry_after)]
        wait: Duration,
        body: String,
    },
    #[error("order {order} is not yours")]
    #[mcp(kind = failed_precondition, protocol = -33001, hint = "Call log_in first.")]
    NotLoggedIn {
        #[mcp(detail)]
        order: u64,
    },
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Asked {
    kind: String,
}

#[derive(Debug, Clone, Default)]
struct Server {
    down: Arc<AtomicBool>,
    runs: Arc<AtomicU32>,
}

#[resilient(timeout = "10s")]
#[tool_router(router = tools)]
#[allow(clippy::unused_self, clippy::unused_async, reason = "a tool is an async method, whatever it does")]
impl Server {
    /// Fails with the kind that it is asked for.
    #[tool(annotations(read_only_hint = true))]
    async fn fails(&self, Parameters(Asked { kind }): Parameters<Asked>) -> Result<String, Every> {
        Every::of(&kind).map_or_else(|| Ok("no such kind".into()), Err)
    }

    /// The guide's example.
    #[tool(annotations(read_only_hint = true))]
    async fn get_order(&self) -> Result<String, ShopError> {
        Err(ShopError::TooFast { order: 7, wait: Duration::from_secs(30), body: "slow down, tenant 12".into() })
    }

    /// Fails with a JSON-RPC error.
    #[tool(annotations(read_only_hint = true))]
    async fn protocol(&self) -> Result<String, ShopError> {
        Err(ShopError::NotLoggedIn { order: 7 })
    }

    /// Never answers, and may have changed something.
    #[resilient(timeout = "2s")]
    #[tool(annotations(read_only_hint = false))]
    async fn hangs(&self) -> Result<String, Every> {
        std::future::pending().await
    }

    /// Is not run once its breaker is open.
    #[resilient(breaker(name = "kinds-open", failures = 1, open = "27s"))]
    #[tool(annotations(read_only_hint = false))]
    async fn breaks(&self) -> Result<String, Every> {
        Err(Every::unavailable(Cause))
    }

    /// Is called too often at the second call.
    #[resilient(rate_limit = "1/1m")]
    #[tool(annotations(read_only_hint = false))]
    async fn rarely(&self) -> Result<String, Every> {
        Ok("done".into())
    }

    /// Panics.
    #[tool]
    async fn panics(&self) -> Result<String, Every> {
        panic!("the panic's own text, for the log alone")
    }

    /// Fails when the caller is wrong and when the service is down.
    #[resilient(breaker(name = "kinds-mistakes", failures = 3), retry(max = 1, base = "1ms", jitter = off))]
    #[tool(annotations(read_only_hint = true))]
    async fn mistakes(&self, Parameters(Asked { kind }): Parameters<Asked>) -> Result<String, Every> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if self.down.load(Ordering::Relaxed) {
            return Err(Every::unavailable(Cause));
        }
        Every::of(&kind).map_or_else(|| Ok("done".into()), Err)
    }
}

#[prompt_router]
#[allow(clippy::unused_self, clippy::unused_async, reason = "a prompt is an async method, whatever it does")]
impl Server {
    /// Fails as a prompt does: there is no answer that could say so.
    #[resilient(timeout = "10s")]
    #[prompt]
    async fn summary(&self) -> Result<Vec<PromptMessage>, ErrorData> {
        Err(Every::not_found(Cause))?
    }
}

#[resilient]
#[tool_handler(router = Self::tools())]
#[prompt_handler(router = Self::prompt_router())]
impl ServerHandler for Server {}

async fn connect(server: &Server) -> Client {
    Log::keep();
    in_process::connect(server.clone()).await
}

fn asked(tool: &'static str, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().cloned().unwrap_or_default())
}

async fn call(client: &Client, tool: &'static str, arguments: &Value) -> CallToolResult {
    client.call_tool(asked(tool, arguments)).await.expect("an answer")
}

/// What this crate logs on this thread, as a server's log would hold it. There is one subscriber for
/// all tests of the process: one for each would let them race for what is enabled at all.
struct Log;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn keep() {
        static KEPT: Once = Once::new();
        KEPT.call_once(|| {
            tracing_subscriber::fmt()
                .json()
                .with_env_filter(EnvFilter::new("off,resilient_runtime=debug"))
                .with_writer(|| Self)
                .init();
        });
    }

    /// The lines about calls since it was asked last.
    fn take() -> Vec<Value> {
        let bytes = LINES.take();
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        // Every call begins and ends; the others are said once in the life of a process, whichever test
        // comes to it.
        let is_about_none = |line: &Value| {
            let event = line["fields"]["event"].as_str();
            matches!(event, Some("tool.started" | "tool.ended" | "config.warning" | "breaker.transition"))
        };
        lines.filter(|line| !is_about_none(line)).collect()
    }
}

/// What differs from run to run is masked.
fn masked(mut line: Value) -> Value {
    let members = line.as_object_mut().expect("an object");
    members.insert("timestamp".into(), json!("[timestamp]"));
    // The same as `span`, once more.
    members.remove("spans");
    if let Some(span) = line.get_mut("span").and_then(Value::as_object_mut) {
        span.insert("jsonrpc.request.id".into(), json!("[request id]"));
    }
    line
}

/// All that is known about a call that failed.
fn account(text: &str, meta: (&str, &Value), log: Vec<Value>) -> String {
    let mut account = String::new();
    let mut add = |title: &str, body: &dyn Display| {
        let gap = if account.is_empty() { "" } else { "\n\n" };
        write!(account, "{gap}{title}\n\n{body}").expect("a String");
    };
    add("What the model reads:", &text);
    add(&format!("{}:", meta.0), &format_args!("{:#}", meta.1));
    for line in log {
        add("The log:", &format_args!("{:#}", masked(line)));
    }
    let id = meta.1["correlation_id"].as_str().expect("a correlation id");
    account.replace(id, "[correlation id]")
}

fn meta(result: &CallToolResult) -> Value {
    result.meta.as_ref().and_then(|meta| meta.0.get(ERROR)).cloned().unwrap_or_default()
}

fn account_of_tool(result: &CallToolResult) -> String {
    assert_eq!(result.is_error, Some(true));
    let account = account(&text(result), (&format!("_meta[\"{ERROR}\"]"), &meta(result)), Log::take());
    let (public, _) = account.split_once("The log:").expect("a log");
    assert!(!public.contains("for the log alone"), "{public}");
    account
}

fn account_of_protocol(error: ServiceError) -> String {
    let ServiceError::McpError(ErrorData { code, message, data, .. }) = error else { panic!("{error}") };
    let data = data.expect("data");
    let text = format!("(JSON-RPC error {}) {message}", code.0);
    account(&text, (&format!("data[\"{ERROR}\"]"), &data[ERROR]), Log::take())
}

#[tokio::test(start_paused = true)]
async fn each_kind_from_end_to_end() {
    let client = connect(&Server::default()).await;
    for kind in ErrorKind::ALL {
        Log::take();
        let result = call(&client, "fails", &json!({ "kind": kind.as_str() })).await;
        assert_eq!(meta(&result)["kind"], kind.as_str());
        insta::assert_snapshot!(kind.as_str(), account_of_tool(&result));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_pipeline_itself_answers_with_from_end_to_end() {
    let client = connect(&Server::default()).await;
    // Twice at once, where the second call is the one to look at.
    for (tool, first) in [("hangs", false), ("panics", false), ("breaks", true), ("rarely", true)] {
        if first {
            call(&client, tool, &json!({})).await;
        }
        Log::take();
        let result = call(&client, tool, &json!({})).await;
        insta::assert_snapshot!(format!("pipeline_{tool}"), account_of_tool(&result));
    }
}

#[tokio::test(start_paused = true)]
async fn a_protocol_error_and_a_prompt_say_the_same_as_json_rpc_data() {
    let client = connect(&Server::default()).await;
    let told = client.call_tool(asked("protocol", &json!({}))).await.expect_err("a protocol error");
    insta::assert_snapshot!("protocol_tool", account_of_protocol(told));
    let told = client.get_prompt(GetPromptRequestParams::new("summary")).await.expect_err("a protocol error");
    insta::assert_snapshot!("protocol_prompt", account_of_protocol(told));
}

#[tokio::test(start_paused = true)]
async fn a_callers_mistake_ten_times_changes_nothing() {
    let server = Server::default();
    let client = connect(&server).await;
    let breaker = || Registry::global().breaker("kinds-mistakes").expect("bound").snapshot();
    let counted = || Registry::global().tool("mistakes").expect("a tool");
    let down = |down| server.down.store(down, Ordering::Relaxed);

    down(true);
    call(&client, "mistakes", &json!({ "kind": "none" })).await;
    let before = breaker();
    assert_eq!((before.state, before.consecutive_failures), (BreakerState::Closed, 2), "one call and its retry");

    down(false);
    let mistakes = ["invalid_input", "not_found", "conflict", "failed_precondition", "permission_denied"];
    for kind in mistakes.into_iter().cycle().take(10) {
        let result = call(&client, "mistakes", &json!({ "kind": kind })).await;
        assert_eq!(meta(&result)["attempts"], 1, "{kind} is not retried");
        assert_eq!(meta(&result)["retryable"], false, "{kind}");
    }
    let after = breaker();
    assert_eq!((after.state, after.consecutive_failures), (BreakerState::Closed, 2), "neither up nor reset");
    assert_eq!((after.failures, after.successes), (before.failures, before.successes));
    assert_eq!((after.neutral, after.rejected), (10, 0));
    assert!(after.transitions.is_empty(), "{:?}", after.transitions);
    assert_eq!(server.runs.load(Ordering::Relaxed), 2 + 10);
    assert_eq!((counted().attempts, counted().outcome(Outcome::Error)), (12, 11));

    // It serves as before.
    let fresh = Server::default();
    let unharmed = call(&connect(&fresh).await, "mistakes", &json!({ "kind": "none" })).await;
    assert_eq!(text(&unharmed), "done");
    assert_eq!(breaker().consecutive_failures, 0, "what resets the count is a success");
}

/// The rows of the first table whose head begins like this, cell by cell.
fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let lines = document.lines().map(|line| line.trim_start().trim_start_matches("///").trim());
    let rows = lines.skip_while(|line| !line.starts_with(head)).take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "–" }.to_owned()
}

/// The columns that both tables have.
fn columns(kind: ErrorKind) -> Vec<String> {
    let fault = match kind.fault() {
        Fault::Caller => "caller",
        Fault::Operator => "operator",
        Fault::Upstream => "upstream",
        Fault::Guard => "guard",
        Fault::Server => "server",
        Fault::Nobody => "–",
    };
    vec![
        format!("`{kind}`"),
        fault.to_owned(),
        yes(kind.is_retryable()),
        yes(kind.trips_breaker()),
        yes(kind.falls_back()),
        yes(kind.is_public()),
        kind.severity().as_str().to_owned(),
    ]
}

const GUIDE: &str = include_str!("../../resilient-runtime/src/guide/errors.md");

#[test]
fn the_tables_of_the_documentation_are_those_of_the_code() {
    let rustdoc = table(include_str!("../../resilient-policy/src/kind.rs"), "| kind | fault |");
    let guide = table(GUIDE, "| kind | fault |");
    assert_eq!((rustdoc.len(), guide.len()), (ErrorKind::ALL.len(), ErrorKind::ALL.len()));
    for ((kind, rustdoc), guide) in ErrorKind::ALL.iter().zip(rustdoc).zip(guide) {
        assert_eq!(rustdoc, columns(*kind));
        let mut with_texts = columns(*kind);
        with_texts.extend([kind.public_sentence().to_owned(), kind.default_hint().to_owned()]);
        assert_eq!(guide, with_texts);
    }
}

/// The guide shows what a client gets of a call, and what the log holds of it.
#[tokio::test(start_paused = true)]
async fn the_answer_in_the_guide_is_an_answer() {
    let blocks = GUIDE.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<Value> = blocks.map(|block| serde_json::from_str(block).expect("JSON")).collect();
    let [example, line] = examples.as_slice() else { panic!("{examples:?}") };

    let client = connect(&Server::default()).await;
    let mut request = asked("get_order", &json!({}));
    let mut meta = RequestMetaObject::new();
    meta.0.0.insert(CORRELATION.into(), example["_meta"][ERROR]["correlation_id"].clone());
    request.meta = Some(meta);
    let answer = client.call_tool(request).await.expect("an answer");
    assert_eq!(&serde_json::to_value(&answer).expect("JSON"), example);

    let mut logged = Log::take();
    let members = logged[0].as_object_mut().expect("an object");
    members.retain(|name, _| ["level", "target", "fields"].contains(&name.as_str()));
    assert_eq!(&logged, std::slice::from_ref(line));
}
