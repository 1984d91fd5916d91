//! An answer of one principal is never that of another one, neither from the cache nor by single-flight.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use resilient_runtime::{CallContext, Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, authenticate, connect, request, with_meta};
use resilient_tests::wire::text;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

const TOOLS: [&str; 5] = ["own", "own_keyed", "own_stale", "shared", "shared_keyed"];
/// `None` is the only client of its transport.
const PRINCIPALS: [Option<&str>; 4] = [Some("ann"), Some("ben"), Some("an"), None];

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    account: u32,
    /// Not in the keys of the tools that have one.
    page: u32,
}

/// Records which bodies run.
#[derive(Debug, Default)]
struct Bodies {
    runs: AtomicU32,
    down: AtomicBool,
    running: Mutex<BTreeMap<String, u32>>,
    most_of_one_key: AtomicU32,
    takes_ms: AtomicU32,
}

#[derive(Debug, Clone, Default)]
struct Bank {
    bodies: Arc<Bodies>,
    registry: Arc<Registry>,
}

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Bank {
    /// For each caller, by all arguments.
    #[resilient(cache(fresh = "10s", stale_if_error = "1h"), fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn own(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.look_up("own", &ask, true, true).await
    }

    /// For each caller, by the account.
    #[resilient(cache(fresh = "10s", key = ask.account))]
    #[tool(annotations(read_only_hint = true))]
    async fn own_keyed(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.look_up("own_keyed", &ask, true, false).await
    }

    /// For each caller, with refreshes.
    #[resilient(cache(fresh = "1s", stale_while_revalidate = "10m"))]
    #[tool(annotations(read_only_hint = true))]
    async fn own_stale(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.look_up("own_stale", &ask, true, true).await
    }

    /// For all callers.
    #[resilient(cache(fresh = "10s", scope = shared))]
    #[tool(annotations(read_only_hint = true))]
    async fn shared(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.look_up("shared", &ask, false, true).await
    }

    /// For all callers, by the account.
    #[resilient(cache(fresh = "10s", scope = shared, key = ask.account))]
    #[tool(annotations(read_only_hint = true))]
    async fn shared_keyed(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.look_up("shared_keyed", &ask, false, false).await
    }
}

impl Bank {
    /// Returns what the tool, the principal and the arguments are that decide which answers are the same.
    async fn look_up(&self, tool: &str, ask: &Ask, by_caller: bool, by_page: bool) -> Result<String, Failure> {
        let context = CallContext::current().expect("a context");
        let caller = context.principal().map_or("unknown".to_owned(), |principal| principal.as_str().to_owned());
        let key = key(tool, &caller, ask.account, ask.page, by_caller, by_page);
        self.bodies.runs.fetch_add(1, Ordering::Relaxed);
        let _running = Running::new(&self.bodies, key.clone());
        sleep(Duration::from_millis(self.bodies.takes_ms.load(Ordering::Relaxed).into())).await;
        if self.bodies.down.load(Ordering::Relaxed) { Err(Failure::Down) } else { Ok(key) }
    }
}

fn key(tool: &str, caller: &str, account: u32, page: u32, by_caller: bool, by_page: bool) -> String {
    let caller = if by_caller { caller } else { "all" };
    let page = if by_page { page.to_string() } else { "any".into() };
    format!("{tool} of {caller}: {account}/{page}")
}

/// The answer that a call must get, if it gets one.
fn expected(tool: &str, caller: Option<&str>, account: u32, page: u32) -> String {
    let by_page = !tool.ends_with("_keyed");
    key(tool, caller.unwrap_or("local"), account, page, tool.starts_with("own"), by_page)
}

struct Running<'a>(&'a Bodies, String);

impl<'a> Running<'a> {
    fn new(bodies: &'a Bodies, key: String) -> Self {
        let mut running = bodies.running.lock().expect("not poisoned");
        let count = running.entry(key.clone()).or_default();
        *count += 1;
        bodies.most_of_one_key.fetch_max(*count, Ordering::Relaxed);
        drop(running);
        Self(bodies, key)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.running.lock().expect("not poisoned").get_mut(&self.1) {
            *count -= 1;
        }
    }
}

impl ServerHandler for Bank {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        self.registry.clone().scope(Self::tools().call(ToolCallContext::new(self, request, context))).await
    }
}

/// Returns the text of the answer, or `None` if it is an error.
async fn ask(client: &Client, user: Option<&str>, tool: &'static str, account: u32, page: u32) -> Option<String> {
    let members = user.map(|user| ("user", user));
    let request = request(tool, &json!({ "account": account, "page": page }));
    let answered = client.call_tool(with_meta(request, members.as_slice())).await.expect("an answer");
    // The note of a fallback follows the answer.
    (answered.is_error != Some(true)).then(|| text(&answered).lines().next().unwrap_or_default().to_owned())
}

/// A step of clients, of the service or of time.
#[derive(Debug, Clone)]
enum Step {
    Calls(Vec<(usize, usize, u32, u32)>),
    Down(bool),
    Takes(u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let call = (0..PRINCIPALS.len(), 0..TOOLS.len(), 0_u32..2, 0_u32..2);
    prop_oneof![
        8 => proptest::collection::vec(call, 1..16).prop_map(Step::Calls),
        1 => any::<bool>().prop_map(Step::Down),
        1 => (0_u32..60).prop_map(Step::Takes),
        3 => (1_u64..40).prop_map(Step::Wait),
        2 => (1_000_u64..6_000).prop_map(Step::Wait),
    ]
}

async fn sequence(steps: Vec<Step>, reached: &Reached) -> Result<(), TestCaseError> {
    let bank = Bank::default();
    let client = Arc::new(connect(bank.clone()).await);
    let mut running = Vec::new();
    for step in steps {
        match step {
            Step::Down(down) => bank.bodies.down.store(down, Ordering::Relaxed),
            Step::Takes(ms) => bank.bodies.takes_ms.store(ms, Ordering::Relaxed),
            Step::Wait(ms) => sleep(Duration::from_millis(ms)).await,
            Step::Calls(calls) => {
                for (principal, tool, account, page) in calls {
                    let (principal, tool, client) = (PRINCIPALS[principal], TOOLS[tool], Arc::clone(&client));
                    let answer = async move { ask(&client, principal, tool, account, page).await };
                    running.push((expected(tool, principal, account, page), tokio::spawn(answer)));
                }
            }
        }
    }
    let calls = u32::try_from(running.len()).expect("few");
    for (expected, answer) in running {
        if let Some(answer) = answer.await.expect("no panic") {
            prop_assert_eq!(answer, expected);
            reached.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
    let most = bank.bodies.most_of_one_key.load(Ordering::Relaxed);
    prop_assert!(most <= 1, "{} runs of one key at a time", most);
    reached.calls.fetch_add(calls, Ordering::Relaxed);
    reached.runs.fetch_add(bank.bodies.runs.load(Ordering::Relaxed), Ordering::Relaxed);
    Ok(())
}

/// What happened in all sequences, because otherwise they prove nothing.
#[derive(Default)]
struct Reached {
    calls: AtomicU32,
    answers: AtomicU32,
    runs: AtomicU32,
}

#[test]
fn whatever_callers_call_and_in_which_order_each_gets_the_answers_to_its_own_key() {
    let reached = Reached::default();
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let run = |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(sequence(steps, &reached))
    };
    runner.run(&proptest::collection::vec(step(), 1..30), run).unwrap_or_else(|error| panic!("{error}"));
    let [calls, answers, runs] =
        [&reached.calls, &reached.answers, &reached.runs].map(|count| count.load(Ordering::Relaxed));
    assert!(answers > calls / 2 && runs < calls * 2 / 3, "{calls} calls, {answers} answers, {runs} bodies");
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_of_several_callers_share_by_scope() {
    for (tool, runs) in [("own", 4), ("own_keyed", 4), ("shared", 1), ("shared_keyed", 1)] {
        let bank = Bank::default();
        bank.bodies.takes_ms.store(50, Ordering::Relaxed);
        let client = connect(bank.clone()).await;
        let calls = (0..40).map(|call| ask(&client, PRINCIPALS[call % 4], tool, 1, 1));
        let answers = futures_util::future::join_all(calls).await;
        for (call, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, Some(expected(tool, PRINCIPALS[call % 4], 1, 1)));
        }
        assert_eq!(bank.bodies.runs.load(Ordering::Relaxed), runs, "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_are_unknown_share_nothing_and_keep_nothing() {
    for (tool, kept) in [("own", false), ("own_keyed", false), ("own_stale", false), ("shared", true)] {
        let bank = Bank::default();
        bank.bodies.takes_ms.store(50, Ordering::Relaxed);
        let (one, other) = (connect(bank.clone()).await, connect(bank.clone()).await);
        for client in [&one, &other] {
            ask(client, None, tool, 1, 1).await.expect("an answer");
        }
        let before = bank.bodies.runs.load(Ordering::Relaxed);
        let calls = [&one, &other, &one, &other].map(|client| ask(client, None, tool, 1, 1));
        futures_util::future::join_all(calls).await;
        let runs = bank.bodies.runs.load(Ordering::Relaxed) - before;
        assert_eq!(runs, if kept { 0 } else { 4 }, "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_made_for_the_caller_of_the_stale_answer() {
    let bank = Bank::default();
    let client = connect(bank.clone()).await;
    for user in [Some("ann"), Some("ben")] {
        ask(&client, user, "own_stale", 1, 1).await.expect("an answer");
    }
    sleep(Duration::from_secs(5)).await;
    let runs = bank.bodies.runs.load(Ordering::Relaxed);
    ask(&client, Some("ann"), "own_stale", 1, 1).await.expect("an answer");
    sleep(Duration::from_millis(1)).await;
    assert_eq!(bank.bodies.runs.load(Ordering::Relaxed), runs + 1);
    for user in ["ann", "ben"] {
        assert_eq!(ask(&client, Some(user), "own_stale", 1, 1).await, Some(expected("own_stale", Some(user), 1, 1)));
    }
}
