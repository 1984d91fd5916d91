//! Tools of a real server, called by a real client in the same process.

use resilient_runtime::policy::Source;
use resilient_runtime::testing::{self, Chaos, Fault};
use resilient_runtime::{ErrorKind, Outcome, Resilience, resilient};
use resilient_tests::in_process::{Client, connect};
use resilient_tests::wire::{CALL, ERROR, meta, text};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
use rmcp::{ErrorData, tool, tool_router};

use super::Error;
use super::refusal::refusal;

#[derive(Debug, Clone)]
struct Shop;

#[resilient(timeout = "20s", breaker = "tools-shop")]
#[tool_router(server_handler)]
impl Shop {
    /// Counts.
    #[resilient(retry(max = 3, jitter = off))]
    #[tool(annotations(read_only_hint = true))]
    async fn count_things(&self) -> Result<String, Error> {
        Ok("7".into())
    }

    /// Is cached, and has another name for clients.
    #[resilient(fallback = cached, name = "shop.listed")]
    #[tool(name = "list_things", annotations(read_only_hint = true))]
    async fn list(&self) -> Result<String, Error> {
        Ok("fresh".into())
    }

    /// Returns errors of rmcp.
    #[resilient(retry(max = 1, jitter = off))]
    #[tool(annotations(read_only_hint = true))]
    async fn plain(&self) -> Result<String, ErrorData> {
        Ok("plain".into())
    }

    /// Has only the hook.
    #[resilient(skip)]
    #[tool]
    async fn unguarded(&self) -> String {
        "unguarded".into()
    }

    /// Returns no errors.
    #[tool]
    async fn told(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("told")])
    }
}

async fn call(client: &Client, tool: &'static str) -> CallToolResult {
    client.call_tool(CallToolRequestParams::new(tool)).await.expect("an answer")
}

#[test]
fn a_client_gets_the_answer_of_the_third_attempt() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("count_things", [Fault::error(ErrorKind::Unavailable).times(2)]));
        let client = connect(Shop).await;
        let asked = lab.timed(call(&client, "count_things")).await;
        asked.assert_took("3s");
        assert_eq!((text(&asked.answer).as_str(), meta(&asked.answer, CALL)["attempts"].clone()), ("7", 3.into()));
        lab.calls("count_things").assert_outcomes([(Outcome::Ok, 1)]).assert_retries(2);
    });
}

#[test]
fn a_client_is_told_the_kind_that_was_injected() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("count_things", [Fault::error(ErrorKind::NotFound)]));
        let client = connect(Shop).await;
        let answer = call(&client, "count_things").await;
        assert_eq!((answer.is_error, meta(&answer, ERROR)["kind"].clone()), (Some(true), "not_found".into()));
        lab.calls("count_things").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
    });
}

#[test]
fn a_tool_that_hangs_answers_with_a_timeout() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("count_things", [Fault::hang()]));
        let client = connect(Shop).await;
        let asked = lab.timed(call(&client, "count_things")).await;
        // 10 s, a delay of 1 s, and the remaining time.
        asked.assert_took("20s");
        assert_eq!(meta(&asked.answer, ERROR)["kind"], "timeout");
        lab.calls("count_things").assert_outcomes([(Outcome::Timeout, 1)]).assert_attempts(2);
    });
}

#[test]
fn the_text_of_an_injected_panic_is_in_no_answer() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("count_things", [Fault::panic()]).on("told", [Fault::panic()]));
        let client = connect(Shop).await;
        for tool in ["count_things", "told"] {
            let answer = call(&client, tool).await;
            assert_eq!(meta(&answer, ERROR)["code"], "INTERNAL", "{tool}");
            let all = serde_json::to_string(&answer).expect("json");
            assert!(!all.contains("inject"), "{all}");
            lab.calls(tool).assert_outcomes([(Outcome::Panic, 1)]);
        }
    });
}

#[test]
fn errors_of_rmcps_own_keep_the_kind_and_a_tool_without_errors_says_it_failed() {
    testing::run(async |lab| {
        let faults = || [Fault::error(ErrorKind::Unavailable).times(1)];
        lab.inject(Chaos::new().on("plain", faults()).on("told", faults()));
        let client = connect(Shop).await;
        assert_eq!(text(&call(&client, "plain").await), "plain", "at the second attempt");
        let answer = call(&client, "told").await;
        assert_eq!((answer.is_error, meta(&answer, ERROR)["kind"].clone()), (Some(true), "unavailable".into()));
        lab.calls("told").assert_outcomes([(Outcome::Error, 1)]);
        assert_eq!(lab.breaker("tools-shop").neutral, 1, "the tool's own account of it");
    });
}

/// Runs two labs, as the tests of a server do: each lab counts its own clients.
#[test]
fn the_client_of_each_lab_is_served_its_own_last_good_answer() {
    for _ in 0..2 {
        testing::run(async |lab| {
            let client = connect(Shop).await;
            assert_eq!(text(&call(&client, "list_things").await), "fresh");
            lab.inject(Chaos::new().on("list_things", [Fault::error(ErrorKind::Connection)]));
            let old = call(&client, "list_things").await;
            assert_eq!(meta(&old, CALL)["source"], "cache");
            for name in ["list_things", "shop.listed"] {
                lab.calls(name).assert_outcomes([(Outcome::Ok, 1), (Outcome::Fallback, 1)]);
            }
            // A second client in one lab makes both unknown, as in a process.
            let second = connect(Shop).await;
            assert_eq!(meta(&call(&second, "list_things").await, ERROR)["kind"], "connection");
        });
    }
}

#[test]
fn a_tool_without_a_policy_is_counted_and_a_fault_for_it_fails_the_test() {
    let refused = refusal(|| {
        testing::run(async |lab| {
            lab.inject(Chaos::new().on("unguarded", [Fault::panic()]));
            let client = connect(Shop).await;
            assert_eq!(text(&call(&client, "unguarded").await), "unguarded");
            lab.calls("unguarded").assert_outcomes([(Outcome::Ok, 1)]).assert_attempts(0);
        });
    });
    assert!(refused.message.starts_with("there are faults for `unguarded`"), "{}", refused.message);
}

#[test]
fn the_policy_of_a_tool_is_known_before_its_first_call() {
    // Built for another registry, as in another test.
    testing::run(async |_| drop(Shop::tool_router()));
    testing::run(async |lab| {
        drop(Shop::tool_router());
        lab.breaker("tools-shop").assert_closed();
        let policy = lab.policy("list_things");
        policy.assert_timeout("20s").assert_breaker("tools-shop").assert_fallback(&[Source::Cache]).assert_retries(0);
        lab.policy("count_things").assert_retries(3).assert_attempt_timeout("10s");
        lab.calls("list_things").assert_outcomes([]).assert_attempts(0);
    });
}

#[test]
fn a_tool_that_is_not_called_has_a_name_whichever_lab_built_its_router() {
    for _ in 0..2 {
        testing::run(async |lab| {
            lab.inject(Chaos::new().on("count_things", [Fault::hang()]).on("plain", [Fault::panic()]));
            let client = connect(Shop).await;
            call(&client, "told").await;
        });
    }
}

#[test]
fn settings_at_start_hold_in_the_lab_that_they_are_started_in() {
    testing::run(async |lab| {
        let variables = [("RESILIENT__TOOL__COUNT_THINGS__TIMEOUT", "16s")];
        let settings = Resilience::from_variables(variables.map(|(name, value)| (name.into(), value.into())));
        settings.tools(Shop::tool_router).start_with(lab.registry()).expect("settings that can work");
        lab.policy("count_things").assert_timeout("16s").assert_attempt_timeout("8s");

        lab.inject(Chaos::new().on("count_things", [Fault::hang()]));
        let client = connect(Shop).await;
        lab.timed(call(&client, "count_things")).await.assert_took("16s");
    });
    testing::run(async |lab| {
        drop(Shop::tool_router());
        lab.policy("count_things").assert_timeout("20s");
    });
}
