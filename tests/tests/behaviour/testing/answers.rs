//! Faults that answer as the function itself would: with its own errors, with its own results, after a delay.

use std::time::Duration;

use resilient_runtime::breaker::BreakerState::{Closed, HalfOpen, Open};
use resilient_runtime::testing::{self, Chaos, Fault};
use resilient_runtime::{Classify, ErrorKind, McpError, Outcome, ResilienceError, resilient};
use rmcp::ErrorData;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};

use super::Error;
use super::refusal::refusal;

#[resilient(retry(max = 1, jitter = off), read_only, breaker(name = "answers", failures = 3, open = "30s", successes = 1))]
async fn answers() -> Result<u32, Error> {
    Ok(7)
}

#[test]
fn an_injected_error_can_say_when_to_come_back_and_the_retry_waits_for_it() {
    testing::run(async |lab| {
        let busy = Fault::error(ErrorKind::RateLimited).retry_after("12s");
        lab.inject(Chaos::new().on("answers", [busy.clone().times(1)]));
        let call = lab.timed(answers()).await;
        assert!(call.took >= Duration::from_secs(12) && call.answer == Ok(7), "{call:?}");

        lab.inject(Chaos::new().on("answers", [busy]));
        let error = answers().await.expect_err("both attempts");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(12)));
    });
}

#[test]
fn a_fault_can_be_any_variant_of_the_functions_own_error() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("answers", [Fault::own_error(|| Error::NotFound(4))]));
        assert_eq!(answers().await, Err(Error::NotFound(4)));
        lab.calls("answers").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
        assert_eq!(lab.breaker("answers").neutral, 1, "what the variant says of itself counts");
    });
}

#[derive(Debug, thiserror::Error, McpError)]
#[error("another server's")]
#[mcp(kind = internal)]
struct Another;

#[test]
fn a_fault_that_the_function_cannot_answer_with_fails_the_test() {
    let refused = refusal(|| {
        testing::run(async |lab| {
            lab.inject(Chaos::new().on("answers", [Fault::own_error(|| Another)]));
            let _ = answers().await;
        });
    });
    assert!(
        refused.message.contains("answers` cannot answer with `behaviour::testing::answers::Another`"),
        "{}",
        refused.message
    );
    let refused = refusal(|| {
        testing::run(async |lab| {
            lab.inject(Chaos::new().on("answers", [Fault::is_error("full")]));
            let _ = answers().await;
        });
    });
    assert!(refused.message.ends_with("`is_error`: it returns no `CallToolResult`"), "{}", refused.message);
}

#[resilient(retry(max = 3, jitter = off), read_only)]
async fn result() -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text("well")])
}

#[resilient(retry(max = 3, jitter = off), read_only)]
async fn response() -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text("well")]).into()
}

#[resilient(retry(max = 3, jitter = off), read_only)]
async fn in_a_result() -> Result<CallToolResult, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text("well")]))
}

#[test]
fn a_fault_can_be_a_tools_own_result_with_is_error_which_is_passed_on_and_not_retried() {
    testing::run(async |lab| {
        let faults = || [Fault::is_error("the shop is closed")];
        lab.inject(Chaos::new().on("result", faults()).on("response", faults()).on("in_a_result", faults()));
        let CallToolResponse::Complete(complete) = response().await else { panic!("a result") };
        for told in [result().await, *Box::new(complete), in_a_result().await.expect("no error")] {
            assert_eq!((told.is_error, told.meta), (Some(true), None));
            assert_eq!(told.content[0].as_text().expect("a text").text, "the shop is closed");
        }
        for name in ["result", "response", "in_a_result"] {
            lab.calls(name).assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
        }
    });
}

#[test]
fn a_fault_can_take_its_time_before_it_fails() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("answers", [Fault::error(ErrorKind::Unavailable).after("4s", "4s").times(1)]));
        let call = lab.timed(answers()).await;
        call.assert_took("5s"); // 4 s until it fails, and a delay of 1 s
        assert_eq!(call.answer, Ok(7));
        lab.calls("answers").assert_attempts(2);
    });
}

#[test]
fn faults_whose_parts_contradict_each_other_are_refused() {
    let message = |fault: fn() -> Fault| refusal(fault).message;
    assert!(message(|| Fault::panic().retry_after("1s")).contains("only `Fault::error` can"));
    assert!(message(|| Fault::hang().after("1s", "2s")).contains("does not end later"));
    assert!(message(|| Fault::latency("1s", "2s").after("1s", "2s")).contains("has a latency already"));
}

#[test]
fn the_transitions_of_a_breaker_are_asserted_with_their_times_on_the_paused_clock() {
    let probed_after = |seconds| {
        testing::run(async |lab| {
            tokio::time::sleep(Duration::from_secs(10)).await;
            lab.inject(Chaos::new().on("answers", [Fault::error(ErrorKind::Connection).times(3)]));
            let _ = answers().await;
            let _ = answers().await;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let _ = answers().await;
            lab.breaker("answers").assert_transitions([
                ("11s", Closed, Open),
                ("51s", Open, HalfOpen),
                ("51s", HalfOpen, Closed),
            ]);
        });
    };
    probed_after(40);
    let refused = refusal(|| probed_after(35));
    assert!(refused.message.contains("found: closed"), "{}", refused.message);
    assert!(refused.message.contains("at 46s open → half_open (probing)"), "{}", refused.message);
    assert_eq!(refused.file, file!());
}

#[resilient]
async fn ours() -> Result<u32, ResilienceError> {
    Ok(7)
}

#[test]
fn the_crates_own_error_can_be_injected_as_the_functions_own() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ours", [Fault::own_error(|| ResilienceError::Cancelled)]));
        assert_eq!(ours().await, Err(ResilienceError::Cancelled));
    });
}
