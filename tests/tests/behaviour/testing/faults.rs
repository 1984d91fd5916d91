use std::cell::Cell;
use std::time::Duration;

use resilient_runtime::error::TimeoutScope;
use resilient_runtime::policy::{Retry, Source};
use resilient_runtime::statistics::Rejected;
use resilient_runtime::testing::{self, Chaos, Fault};
use resilient_runtime::{Classify, ErrorKind, Guard, McpError, Outcome, Policy, ResilienceError, ToolError, resilient};

use super::Error;

#[resilient(retry(max = 3, jitter = off), breaker(name = "shop", failures = 5, open = "30s"), timeout = "40s", read_only)]
async fn ask(runs: &Cell<u32>) -> Result<u32, Error> {
    runs.set(runs.get() + 1);
    Ok(runs.get())
}

#[test]
fn two_unavailable_and_then_fine_is_two_retries_and_one_run_of_the_body() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Unavailable).times(2)]));
        let runs = Cell::new(0);
        let call = lab.timed(ask(&runs)).await;
        assert_eq!(call.answer, Ok(1));
        call.assert_took("3s");
        lab.calls("ask").assert_outcomes([(Outcome::Ok, 1)]).assert_attempts(3).assert_retries(2);
        assert_eq!(lab.calls("ask").retries_after.iter().map(|(_, count)| count).sum::<u64>(), 2);
        lab.breaker("shop").assert_closed();
        assert_eq!(lab.breaker("shop").failures, 2, "they count as the service's own");
    });
}

#[test]
fn the_kind_of_an_injected_error_decides_about_retry_and_breaker() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::NotFound)]));
        let runs = Cell::new(0);
        let error = ask(&runs).await.expect_err("a fault");
        assert_eq!((error.kind(), &*error.code(), runs.get()), (ErrorKind::NotFound, "INJECTED", 0));
        assert_eq!(error.to_string(), "an injected fault of kind `not_found`");
        assert_eq!(error.public_message(), ErrorKind::NotFound.public_sentence());
        lab.calls("ask").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
        assert_eq!((lab.breaker("shop").failures, lab.breaker("shop").neutral), (0, 1));

        lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Connection)]));
        for _ in 0..2 {
            assert_eq!(ask(&runs).await.map_err(|error| error.kind()), Err(ErrorKind::Connection));
        }
        lab.breaker("shop").assert_open();
        assert_eq!(ask(&runs).await.map_err(|error| error.kind()), Err(ErrorKind::CircuitOpen));
        lab.calls("ask").assert_outcomes([(Outcome::Error, 3), (Outcome::Rejected, 1)]).assert_attempts(6);
        assert_eq!((lab.calls("ask").rejected(Rejected::Breaker), runs.get()), (1, 0));
    });
}

#[derive(Debug, thiserror::Error, McpError)]
enum Stubborn {
    #[error("never again: {0}")]
    #[mcp(kind = unavailable, retryable = false)]
    Never(ResilienceError),
}

impl From<ResilienceError> for Stubborn {
    fn from(error: ResilienceError) -> Self {
        Self::Never(error)
    }
}

#[resilient(retry = 3, read_only)]
async fn stubborn() -> Result<(), Stubborn> {
    Ok(())
}

#[test]
fn what_the_functions_own_error_makes_of_an_injected_one_decides() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("stubborn", [Fault::error(ErrorKind::RateLimited).times(1)]));
        let Err(Stubborn::Never(inside)) = stubborn().await else { panic!("a fault") };
        assert_eq!(inside.kind(), ErrorKind::RateLimited);
        lab.calls("stubborn").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
    });
}

#[test]
fn a_latency_beyond_the_attempt_timeout_is_a_timeout_and_the_body_never_ran() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::latency("10.001s", "10.001s").times(1)]));
        let runs = Cell::new(0);
        let call = lab.timed(ask(&runs)).await;
        assert_eq!(call.answer, Ok(1), "at the second attempt");
        call.assert_took("11s");
        let calls = lab.calls("ask");
        calls.assert_outcomes([(Outcome::Ok, 1)]).assert_retries(1);
        assert_eq!(calls.timeouts(TimeoutScope::Attempt), 1);
    });
}

#[test]
fn a_latency_within_the_limit_delays_the_body_and_nothing_else() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::latency("9s", "9s")]));
        let runs = Cell::new(0);
        let call = lab.timed(ask(&runs)).await;
        assert_eq!(call.answer, Ok(1));
        call.assert_took("9s");
        lab.calls("ask").assert_outcomes([(Outcome::Ok, 1)]).assert_attempts(1);
    });
}

#[resilient(timeout = "5s")]
async fn once() -> Result<&'static str, Error> {
    Ok("ran")
}

#[test]
fn a_hang_ends_at_the_timeout() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("once", [Fault::hang().times(1)]));
        let call = lab.timed(once()).await;
        call.assert_took("5s");
        assert_eq!(call.answer.map_err(|error| error.kind()), Err(ErrorKind::Timeout));
        assert_eq!(once().await, Ok("ran"));
        lab.calls("once").assert_outcomes([(Outcome::Timeout, 1), (Outcome::Ok, 1)]);
    });
}

#[test]
fn a_panic_is_an_outcome_that_is_neither_retried_nor_held_against_the_dependency() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::panic()]));
        let runs = Cell::new(0);
        assert_eq!(ask(&runs).await, Err(Error::Resilience(ResilienceError::Panicked)));
        lab.calls("ask").assert_outcomes([(Outcome::Panic, 1)]).assert_attempts(1);
        assert_eq!((lab.breaker("shop").neutral, lab.breaker("shop").failures), (1, 0));
    });
}

#[resilient(fallback = value("old".to_owned()))]
async fn replaced(text: String) -> Result<String, Error> {
    Ok(text)
}

#[test]
fn a_fallback_answers_for_an_injected_error() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("replaced", [Fault::error(ErrorKind::BadResponse).times(1)]));
        assert_eq!(replaced("new".into()).await, Ok("old".into()));
        assert_eq!(replaced("new".into()).await, Ok("new".into()));
        lab.calls("replaced").assert_outcomes([(Outcome::Fallback, 1), (Outcome::Ok, 1)]);
        assert_eq!(lab.calls("replaced").fallbacks(Source::Value), 1);
    });
}

#[test]
fn the_faults_of_a_list_come_one_after_the_other() {
    testing::run(async |lab| {
        let faults = [
            Fault::error(ErrorKind::Unavailable).times(1),
            Fault::hang().times(1),
            Fault::latency("2s", "2s").times(1),
            Fault::panic().times(1),
        ];
        lab.inject(Chaos::new().on("once", faults));
        let mut met = Vec::new();
        for _ in 0..5 {
            let call = lab.timed(once()).await;
            met.push((call.answer.map_err(|error| error.kind()), call.took.as_secs()));
        }
        let expected = [
            (Err(ErrorKind::Unavailable), 0),
            (Err(ErrorKind::Timeout), 5),
            (Ok("ran"), 2),
            (Err(ErrorKind::Internal), 0),
            (Ok("ran"), 0),
        ];
        assert_eq!(met, expected);
    });
}

#[test]
fn a_call_that_is_dropped_while_a_fault_delays_it_gives_everything_back() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::latency("9s", "9s")]));
        let runs = Cell::new(0);
        let cut = tokio::time::timeout(Duration::from_secs(1), ask(&runs)).await;
        assert!(cut.is_err());
        lab.calls("ask").assert_outcomes([(Outcome::Cancelled, 1)]);
        assert_eq!((lab.calls("ask").in_flight, lab.breaker("shop").neutral, runs.get()), (0, 1, 0));
    });
}

static GUARD: Guard = Guard::new("warehouse", Policy::new().timeout(Duration::from_secs(5)).retry(Retry::new(1)));

#[test]
fn a_policy_in_plain_code_meets_the_faults_of_its_name() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("warehouse", [Fault::hang().times(1)]));
        let answer: Result<u32, Error> = GUARD.call(|| async { Err(Error::NotFound(7)) }).await;
        assert_eq!(answer, Err(Error::NotFound(7)), "the body's own, at the second attempt");
        lab.calls("warehouse").assert_outcomes([(Outcome::Error, 1)]).assert_retries(1);
    });
}

mod shop {
    use super::*;

    #[resilient]
    pub(super) async fn look_up() -> Result<(), Error> {
        Ok(())
    }
}

mod warehouse {
    use super::*;

    #[resilient]
    pub(super) async fn look_up() -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn the_end_of_a_path_chooses_every_function_that_it_fits() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("shop::look_up", [Fault::panic()]));
        assert_eq!((shop::look_up().await.is_err(), warehouse::look_up().await.is_err()), (true, false));
        lab.inject(Chaos::new().on("look_up", [Fault::panic()]));
        assert_eq!((shop::look_up().await.is_err(), warehouse::look_up().await.is_err()), (true, true));
        lab.inject(Chaos::new().on("shop::look_up", []).on("look_up", [Fault::panic()]));
        assert_eq!((shop::look_up().await.is_err(), warehouse::look_up().await.is_err()), (false, true));
    });
}
