//! What a careful user writes today with well-known crates: an id (`uuid`), a span (`tracing`), retries with
//! exponential backoff and jitter (`backon`), a breaker (`failsafe`, with its defaults), a timeout (`tokio`), a
//! duration and a count (`metrics`, by name), with a Prometheus recorder installed.

use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use failsafe::backoff::{self, Constant, EqualJittered};
use failsafe::failure_policy::{self, ConsecutiveFailures, OrElse, SuccessRateOverTimeWindow};
use failsafe::futures::CircuitBreaker;
use failsafe::{Config, StateMachine};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use uuid::Uuid;

use crate::bare;

/// The type of a breaker with failsafe's defaults.
type Breaker = StateMachine<OrElse<SuccessRateOverTimeWindow<EqualJittered>, ConsecutiveFailures<EqualJittered>>, ()>;
/// The type of a breaker that stays open.
type LongOpen = StateMachine<ConsecutiveFailures<Constant>, ()>;

/// The error of a guarded call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The error of the function.
    #[error(transparent)]
    Own(#[from] crate::Error),
    /// The breaker is open.
    #[error("the breaker is open")]
    Rejected,
    /// The call timed out.
    #[error("timed out")]
    Timeout,
}

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder.
///
/// # Panics
/// If another recorder is installed.
pub fn install() {
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().expect("the first recorder"));
}

/// Runs the periodic work of an exporter, which drains the samples of histograms.
pub fn upkeep() {
    if let Some(recorder) = RECORDER.get() {
        recorder.run_upkeep();
    }
}

fn breaker() -> Breaker {
    Config::new().build()
}

async fn guarded<B, F>(name: &'static str, breaker: &B, body: impl Fn() -> F) -> Result<u64, Error>
where
    B: CircuitBreaker,
    F: Future<Output = Result<u64, crate::Error>>,
{
    in_span(name, Uuid::new_v4(), breaker, &body).await
}

#[tracing::instrument(name = "call", skip_all, fields(otel.name = name, correlation_id = %id))]
async fn in_span<B, F>(name: &'static str, id: Uuid, breaker: &B, body: &impl Fn() -> F) -> Result<u64, Error>
where
    B: CircuitBreaker,
    F: Future<Output = Result<u64, crate::Error>>,
{
    let started = Instant::now();
    let attempt = || async {
        let limited = async {
            let answer = tokio::time::timeout(Duration::from_secs(30), body()).await;
            answer.map_err(|_| Error::Timeout)?.map_err(Error::from)
        };
        breaker.call(limited).await.map_err(|error| match error {
            failsafe::Error::Inner(error) => error,
            failsafe::Error::Rejected => Error::Rejected,
        })
    };
    let answer = attempt
        .retry(ExponentialBuilder::default().with_jitter().with_max_times(3))
        .when(|error| matches!(error, Error::Timeout))
        .await;
    let outcome = if answer.is_ok() { "ok" } else { "error" };
    metrics::histogram!("tool_duration_seconds", "tool" => name).record(started.elapsed());
    metrics::counter!("tool_calls_total", "tool" => name, "outcome" => outcome).increment(1);
    answer
}

/// Is ready at the first poll.
///
/// # Errors
/// None.
pub async fn ready(n: u64) -> Result<u64, Error> {
    static BREAKER: LazyLock<Breaker> = LazyLock::new(breaker);
    guarded("ready", &*BREAKER, || bare::ready(n)).await
}

/// Like [`ready`], with a breaker that only counts consecutive failures, as ours does.
///
/// # Errors
/// None.
pub async fn ready_in_a_row(n: u64) -> Result<u64, Error> {
    static BREAKER: LazyLock<LongOpen> = LazyLock::new(in_a_row);
    guarded("ready", &*BREAKER, || bare::ready(n)).await
}

/// Is ready at the second poll.
///
/// # Errors
/// None.
pub async fn pending(n: u64) -> Result<u64, Error> {
    static BREAKER: LazyLock<Breaker> = LazyLock::new(breaker);
    guarded("pending", &*BREAKER, || bare::pending(n)).await
}

static OPEN: LazyLock<LongOpen> = LazyLock::new(in_a_row);

fn in_a_row() -> LongOpen {
    let open = backoff::constant(Duration::from_secs(3_600));
    Config::new().failure_policy(failure_policy::consecutive_failures(5, open)).build()
}

/// Is rejected after its first calls, for an hour.
///
/// # Errors
/// Always.
pub async fn open(n: u64) -> Result<u64, Error> {
    guarded("open", &*OPEN, || bare::failing(n)).await
}

/// Is rejected by an open breaker, without any other guard.
///
/// # Errors
/// Always.
pub async fn rejected(n: u64) -> Result<u64, failsafe::Error<crate::Error>> {
    OPEN.call(bare::failing(n)).await
}

/// A number of functions, each with a separate breaker.
#[derive(Debug)]
pub struct Many(Vec<(&'static str, Breaker)>);

impl Many {
    /// Creates the functions, with names that are leaked.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|n| (&*format!("tool_{n}").leak(), breaker())).collect())
    }

    /// Calls one of the functions.
    ///
    /// # Errors
    /// None.
    pub async fn call(&self, tool: usize, n: u64) -> Result<u64, Error> {
        let (name, breaker) = &self.0[tool];
        guarded(name, breaker, || bare::ready(n)).await
    }
}
