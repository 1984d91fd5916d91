//! `retry(before)`: a function that runs before each retry.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState::Closed;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::testing;
use resilient_runtime::{Breaker, CallContext, Classify, ErrorKind, McpError, Outcome, ResilienceError, resilient};
use tokio::time::{Instant, sleep};

#[derive(Debug, Clone, PartialEq, thiserror::Error, McpError)]
enum Failure {
    #[error("the token is not valid any more")]
    #[mcp(kind = unauthenticated)]
    Expired,
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("no token")]
    #[mcp(kind = permission_denied)]
    NoToken,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

type Renewal = fn() -> Result<(), Failure>;

/// What happens in a call, in order.
#[derive(Default)]
struct Api {
    token: Cell<u32>,
    happened: RefCell<Vec<String>>,
    /// What the renewal does, instead of a new token.
    renewal: Cell<Option<Renewal>>,
    hangs: Cell<bool>,
}

impl Api {
    fn note(&self, what: impl Into<String>) {
        self.happened.borrow_mut().push(what.into());
    }

    fn happened(&self) -> Vec<String> {
        self.happened.take()
    }

    async fn renew(&self, error: &Failure) -> Result<(), Failure> {
        self.note(format!("renew after {}", error.kind()));
        if self.hangs.get() {
            pending::<()>().await;
        }
        sleep(Duration::from_secs(1)).await;
        if let Some(renewal) = self.renewal.get() {
            return renewal();
        }
        self.token.set(self.token.get() + 1);
        Ok(())
    }

    #[resilient(
        retry(max = 2, base = "2s", jitter = off, on(unauthenticated, timeout), before = Self::renew),
        timeout = "20s",
        attempt_timeout = "3s",
        breaker(name = "before", failures = 9),
        bulkhead(max = 1, name = "before"),
        read_only,
        name = "with_token"
    )]
    async fn with_token(&self, wanted: u32) -> Result<u32, Failure> {
        self.note("attempt");
        match self.token.get() {
            99 => {
                self.token.set(1);
                pending().await
            }
            token if token < wanted => Err(Failure::Expired),
            token => Ok(token),
        }
    }

    #[resilient(
        retry(max = 1, base = "10ms", jitter = off, on(unauthenticated), before = Self::renew),
        fallback = value(0),
        read_only,
        name = "with_value"
    )]
    async fn with_value(&self) -> Result<u32, Failure> {
        Err(Failure::Expired)
    }
}

#[test]
fn it_runs_after_the_backoff_before_each_retry() {
    testing::run(async |lab| {
        let api = Api::default();
        let call = lab.timed(api.with_token(2)).await;
        assert_eq!(call.answer, Ok(2));
        // Two delays and two renewals.
        assert_eq!(call.took, Duration::from_secs(2 + 1 + 4 + 1));
        let renewal = "renew after unauthenticated";
        assert_eq!(api.happened(), ["attempt", renewal, "attempt", renewal, "attempt"]);
        lab.calls("with_token").assert_outcomes([(Outcome::Ok, 1)]).assert_attempts(3).assert_retries(2);
        assert_eq!((lab.breaker("before").state, lab.breaker("before").failures), (Closed, 0));
    });
}

#[test]
fn it_does_not_run_for_a_call_that_succeeds_or_whose_error_is_not_retried() {
    testing::run(async |_| {
        let api = Api::default();
        api.token.set(5);
        assert_eq!(api.with_token(2).await, Ok(5));
        assert_eq!(api.happened(), ["attempt"]);
    });
}

#[test]
fn its_error_is_the_answer_and_no_attempt_follows() {
    testing::run(async |lab| {
        let api = Api::default();
        api.renewal.set(Some(|| Err(Failure::NoToken)));
        assert_eq!(api.with_token(2).await, Err(Failure::NoToken));
        assert_eq!(api.happened(), ["attempt", "renew after unauthenticated"]);
        lab.calls("with_token").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1).assert_retries(0);
        let read = lab.registry().function("with_token").expect("bound");
        let codes: Vec<_> = read.errors.iter().map(|error| &*error.code).collect();
        assert_eq!(codes, ["NO_TOKEN"]);
    });
}

#[test]
fn its_error_falls_back_as_its_kind_does() {
    testing::run(async |lab| {
        let api = Api::default();
        api.renewal.set(Some(|| Err(Failure::Down)));
        assert_eq!(api.with_value().await, Ok(0));
        api.renewal.set(Some(|| Err(Failure::NoToken)));
        assert_eq!(api.with_value().await, Err(Failure::NoToken));
        lab.calls("with_value").assert_outcomes([(Outcome::Fallback, 1), (Outcome::Error, 1)]);
    });
}

#[test]
fn it_gets_the_timeout_of_an_attempt_as_an_error_of_the_function() {
    testing::run(async |_| {
        let api = Api::default();
        api.token.set(99);
        assert_eq!(api.with_token(2).await, Ok(2));
        assert_eq!(api.happened(), ["attempt", "renew after timeout", "attempt"]);
    });
}

#[test]
fn the_deadline_ends_it_and_the_last_error_is_the_answer() {
    testing::run(async |lab| {
        let api = Api::default();
        api.hangs.set(true);
        let call = lab.timed(api.with_token(2)).await;
        assert_eq!((call.answer, call.took), (Err(Failure::Expired), Duration::from_secs(20)));
        lab.calls("with_token").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
    });
}

#[test]
fn its_panic_is_a_panic_of_the_call() {
    testing::run(async |lab| {
        let api = Api::default();
        api.renewal.set(Some(|| panic!("on purpose")));
        assert_eq!(api.with_token(2).await, Err(Failure::Resilience(ResilienceError::Panicked)));
        lab.calls("with_token").assert_outcomes([(Outcome::Panic, 1)]);
        // Nothing is held.
        api.renewal.set(None);
        assert!(api.with_token(1).await.is_ok());
    });
}

#[test]
fn a_cancellation_ends_it() {
    testing::run(async |lab| {
        let api = Api::default();
        api.hangs.set(true);
        let caller = lab.caller();
        let (answer, ()) = tokio::join!(caller.call(api.with_token(2)), async {
            sleep(Duration::from_secs(5)).await;
            caller.cancel();
        });
        assert_eq!(answer, Err(Failure::Resilience(ResilienceError::Cancelled)));
        lab.calls("with_token").assert_outcomes([(Outcome::Cancelled, 1)]);
    });
}

#[test]
fn a_call_that_is_dropped_while_it_runs_is_cancelled_and_holds_nothing() {
    testing::run(async |lab| {
        let api = Api::default();
        api.hangs.set(true);
        assert!(tokio::time::timeout(Duration::from_secs(5), api.with_token(2)).await.is_err());
        lab.calls("with_token").assert_outcomes([(Outcome::Cancelled, 1)]);
        api.hangs.set(false);
        assert_eq!(api.with_token(1).await, Ok(1));
    });
}

/// The bulkhead has one permit, and the function calls under the same breaker and bulkhead.
struct Outer(Api);

impl Outer {
    async fn renew(&self, _: &Failure) -> Result<(), Failure> {
        let context = CallContext::current().expect("the context of the call");
        let left = context.deadline().expect("a deadline").duration_since(Instant::now());
        assert_eq!((context.attempt(), left.as_secs()), (1, 17));
        self.0.with_token(1).await.map(drop)
    }

    #[resilient(
        retry(max = 1, base = "2s", jitter = off, on(unauthenticated), before = Self::renew),
        timeout = "20s",
        attempt_timeout = "1s",
        breaker = "before",
        bulkhead(max = 1, name = "before"),
        read_only
    )]
    async fn outer(&self) -> Result<u32, Failure> {
        sleep(Duration::from_millis(500)).await;
        match self.0.token.get() {
            0 => Err(Failure::Expired),
            token => Ok(token),
        }
    }
}

#[test]
fn it_runs_within_the_deadline_of_the_call_and_outside_of_its_breaker_and_bulkhead() {
    testing::run(async |lab| {
        let outer = Outer(Api::default());
        assert_eq!(outer.outer().await, Ok(1));
        assert_eq!(lab.breaker("before").state, Closed);
    });
}

static ISOLATED: Breaker = Breaker::new("before-isolated", BreakerSettings::new());

#[resilient(
    retry(max = 2, base = "1ms", jitter = off, on(unavailable), before = still_down),
    breaker = ISOLATED,
    read_only,
    name = "isolated"
)]
async fn isolated() -> Result<u32, Failure> {
    Err(Failure::Down)
}

async fn still_down(error: &Failure) -> Result<(), Failure> {
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // As an operator may do meanwhile.
    ISOLATED.isolate();
    Ok(())
}

#[test]
fn the_last_error_is_the_answer_if_the_breaker_rejects_the_retry() {
    testing::run(async |lab| {
        assert_eq!(isolated().await, Err(Failure::Down));
        lab.calls("isolated").assert_outcomes([(Outcome::Error, 1)]).assert_attempts(1);
    });
}
