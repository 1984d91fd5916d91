//! Panics: caught, reported, and neutral for the breaker.

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, Outcome, Registry, ResilienceError, resilient};

use super::error::Error;

static BREAKER: Breaker = Breaker::new("panics", BreakerSettings::new().failures(1));

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

#[resilient(breaker = BREAKER, retry = 3, read_only, timeout = "4s")]
async fn panics(after_a_wait: bool) -> Result<(), Error> {
    if after_a_wait {
        tokio::task::yield_now().await;
    }
    panic!("on purpose")
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer_and_neither_retried_nor_held_against_the_dependency() {
    for after_a_wait in [false, true] {
        assert_eq!(panics(after_a_wait).await, Err(Error::Resilience(ResilienceError::Panicked)));
    }
    assert_eq!((BREAKER.state(), BREAKER.snapshot().neutral), (BreakerState::Closed, 2));
    let read = Registry::global().function(concat!(module_path!(), "::panics")).expect("bound");
    assert_eq!((read.attempts, read.outcome(Outcome::Panic), read.in_flight), (2, 2, 0));
}

#[resilient(timeout = "1s")]
async fn panics_when_dropped() -> Result<(), Error> {
    let _bomb = Bomb;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_at_the_timeout_leaves_the_timeout() {
    let error = panics_when_dropped().await.expect_err("a timeout");
    assert_eq!(error.kind_name(), "timeout");
}

struct PanicsWhenCloned;

impl Clone for PanicsWhenCloned {
    fn clone(&self) -> Self {
        panic!("in a clone")
    }
}

#[resilient(retry = 1, read_only)]
async fn takes_what_cannot_be_copied(_argument: PanicsWhenCloned) -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_arguments_clone_is_an_answer() {
    let answer = takes_what_cannot_be_copied(PanicsWhenCloned).await;
    assert_eq!(answer, Err(Error::Resilience(ResilienceError::Panicked)));
}
