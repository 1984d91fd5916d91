//! Permits of a breaker in plain code, and the reasons for which a breaker rejects.

use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::error::CircuitState;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, ResilienceError, ToolError};
use tokio::time::advance;

fn rejection(breaker: &Breaker) -> ResilienceError {
    breaker.try_acquire().expect_err("a rejection")
}

/// Returns the parts of a rejection: its state, the text of the log, and the details for the client.
fn said(rejected: &ResilienceError) -> (CircuitState, String, String) {
    let ResilienceError::CircuitOpen { state, .. } = rejected else { panic!("{rejected:?}") };
    let details = rejected.details().get("state").and_then(|it| it.as_str().map(str::to_owned));
    (*state, rejected.to_string(), details.unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_ends_neutral_neither_counts_nor_resets_and_gives_its_probe_back() {
    let breaker = Breaker::new("permits", BreakerSettings::new().failures(2).open(Duration::from_secs(1)).successes(1));
    breaker.try_acquire().expect("closed").failure();
    breaker.try_acquire().expect("closed").neutral();
    let read = breaker.snapshot();
    assert_eq!((read.state, read.failures_in_a_row, read.neutral), (BreakerState::Closed, 1, 1));
    breaker.try_acquire().expect("closed").failure();
    assert_eq!(breaker.state(), BreakerState::Open);

    advance(Duration::from_secs(1)).await;
    breaker.try_acquire().expect("a probe").neutral();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.try_acquire().expect("the place of the neutral probe").success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_says_whether_the_breaker_is_open_waits_for_its_probe_or_was_isolated() {
    let breaker = Breaker::new("why", BreakerSettings::new().failures(1).open(Duration::from_secs(10)));
    breaker.try_acquire().expect("closed").failure();
    let open = rejection(&breaker);
    assert_eq!(said(&open), (CircuitState::Open, "the circuit breaker `why` is open".into(), "open".into()));

    advance(Duration::from_secs(10)).await;
    let probe = breaker.try_acquire().expect("a probe");
    advance(Duration::from_secs(4)).await;
    let probing = rejection(&breaker);
    let text = "the circuit breaker `why` is half-open, and its probes are under way";
    assert_eq!(said(&probing), (CircuitState::Probing, text.into(), "probing".into()));
    let ResilienceError::CircuitOpen { retry_after, .. } = probing else { unreachable!() };
    assert_eq!(retry_after, Some(Duration::from_secs(6)), "the rest of the probe's lease");
    drop(probe);

    breaker.isolate();
    let isolated = rejection(&breaker);
    let text = "the circuit breaker `why` was isolated by hand";
    assert_eq!(said(&isolated), (CircuitState::Isolated, text.into(), "isolated".into()));
    assert!(!isolated.public_message().contains("failed"), "{}", isolated.public_message());
    assert!(matches!(isolated, ResilienceError::CircuitOpen { retry_after: None, .. }));
}
