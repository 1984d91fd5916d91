//! `classify`: an `Ok` value that is a failure.

use std::cell::Cell;

use resilient_runtime::breaker::BreakerState::Open;
use resilient_runtime::testing;
use resilient_runtime::{ErrorKind, Outcome, ResilienceError, resilient};
use rmcp::model::{CallToolResult, ContentBlock};

use super::super::error::Error;

/// What a service answers with status 200.
#[derive(Debug, Clone, PartialEq)]
struct Body {
    status: &'static str,
}

impl Body {
    fn kind(&self) -> Option<ErrorKind> {
        match self.status {
            "down" => Some(ErrorKind::Unavailable),
            "gone" => Some(ErrorKind::NotFound),
            "panic" => panic!("on purpose"),
            _ => None,
        }
    }
}

const WELL: Body = Body { status: "well" };
const DOWN: Body = Body { status: "down" };
const GONE: Body = Body { status: "gone" };

/// Answers with these bodies in turn, then with the last one.
struct Service {
    answers: &'static [Body],
    next: Cell<usize>,
}

impl Service {
    fn new(answers: &'static [Body]) -> Self {
        Self { answers, next: Cell::new(0) }
    }

    fn answer(&self) -> Body {
        let at = self.next.get();
        self.next.set(at + 1);
        self.answers[at.min(self.answers.len() - 1)].clone()
    }

    #[resilient(classify = Body::kind, breaker(name = "classified", failures = 2), name = "classified")]
    async fn ask(&self) -> Result<Body, Error> {
        Ok(self.answer())
    }

    #[resilient(classify = Body::kind, retry(max = 2, jitter = off), read_only, name = "classified_again")]
    async fn ask_again(&self) -> Result<Body, Error> {
        Ok(self.answer())
    }

    #[resilient(
        classify = Body::kind,
        fallback = [cached, value(WELL)],
        cache(stale_if_error = "1h", key = of),
        name = "classified_cached"
    )]
    async fn ask_cached(&self, of: u32) -> Result<Body, Error> {
        if of == 99 { Err(Error::Down) } else { Ok(self.answer()) }
    }
}

#[test]
fn a_failure_in_an_ok_value_is_the_answer_and_counts_for_breaker_outcome_and_errors() {
    testing::run(async |lab| {
        let service = Service::new(&[DOWN]);
        for _ in 0..2 {
            assert_eq!(service.ask().await, Ok(DOWN));
        }
        assert_eq!(lab.breaker("classified").state, Open);
        assert!(matches!(service.ask().await, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))));
        lab.calls("classified").assert_outcomes([(Outcome::Error, 2), (Outcome::Rejected, 1)]);
        let read = lab.registry().function("classified").expect("bound");
        let errors: Vec<_> = read.errors.iter().map(|error| (&*error.code, error.kind, error.count)).collect();
        assert!(errors.contains(&("UNAVAILABLE", ErrorKind::Unavailable, 2)), "{errors:?}");
    });
}

#[test]
fn it_is_retried_where_its_kind_is_and_what_remains_is_passed_on() {
    testing::run(async |lab| {
        assert_eq!(Service::new(&[DOWN, WELL]).ask_again().await, Ok(WELL));
        lab.calls("classified_again").assert_outcomes([(Outcome::Ok, 1)]).assert_retries(1);
        assert_eq!(Service::new(&[DOWN]).ask_again().await, Ok(DOWN));
        lab.calls("classified_again").assert_outcomes([(Outcome::Ok, 1), (Outcome::Error, 1)]).assert_retries(3);
        assert_eq!(Service::new(&[GONE, WELL]).ask_again().await, Ok(GONE));
        lab.calls("classified_again").assert_retries(3);
    });
}

#[test]
fn it_is_never_kept_and_no_fallback_answers_instead() {
    testing::run(async |lab| {
        let service = Service::new(&[DOWN, WELL, GONE]);
        assert_eq!(service.ask_cached(1).await, Ok(DOWN), "no fallback");
        let nothing = service.ask_cached(99).await;
        assert_eq!(nothing, Ok(WELL), "the value, as nothing is kept");
        lab.calls("classified_cached").assert_outcomes([(Outcome::Error, 1), (Outcome::Fallback, 1)]);
    });
}

#[test]
fn a_panic_of_the_function_is_a_panic_of_the_call() {
    testing::run(async |lab| {
        let service = Service::new(&[Body { status: "panic" }]);
        assert_eq!(service.ask().await, Err(Error::Resilience(ResilienceError::Panicked)));
        lab.calls("classified").assert_outcomes([(Outcome::Panic, 1)]);
    });
}

#[resilient(classify = tool_error, breaker(name = "tool-error", failures = 1), name = "tool_error")]
async fn tool(text: &str) -> CallToolResult {
    let content = vec![ContentBlock::text(text)];
    if text == "well" { CallToolResult::success(content) } else { CallToolResult::error(content) }
}

#[resilient(breaker(name = "no-tool-error", failures = 1), name = "no_tool_error")]
async fn unclassified() -> Result<CallToolResult, ResilienceError> {
    Ok(CallToolResult::error(Vec::new()))
}

#[test]
fn a_result_with_is_error_opens_the_breaker_with_tool_error_and_not_without_it() {
    testing::run(async |lab| {
        assert_eq!(tool("well").await.is_error, Some(false));
        assert_eq!(lab.breaker("tool-error").failures, 0);
        let result = tool("the shop is closed").await;
        assert_eq!(result.content[0].as_text().expect("a text").text, "the shop is closed");
        assert_eq!(lab.breaker("tool-error").state, Open);
        let read = lab.registry().function("tool_error").expect("bound");
        let codes: Vec<_> = read.errors.iter().map(|error| &*error.code).collect();
        assert_eq!(codes, ["BAD_RESPONSE"]);
        assert!(unclassified().await.is_ok());
        lab.breaker("no-tool-error").assert_closed();
    });
}
