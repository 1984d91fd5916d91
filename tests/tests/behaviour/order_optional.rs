//! The pairs of layers (see `order`) of which one needs a feature of the runtime: the hook and the request's
//! cancellation `rmcp`, the rate limit `rate-limit`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::error::{LimitKind, TimeoutScope};
use resilient_runtime::{Outcome, Registry, ResilienceError, resilient};
use resilient_tests::in_process::{Client, connect};
use rmcp::model::{CallToolRequestParams, ClientRequest, Request};
use rmcp::service::PeerRequestOptions;
use rmcp::{tool, tool_router};
use tokio::time::{Instant, advance};

use super::error::Error;

#[derive(Debug, Clone)]
struct Ordered;

static SUBSTITUTES: AtomicU32 = AtomicU32::new(0);

#[resilient]
#[tool_router(server_handler)]
impl Ordered {
    /// Never answers.
    #[tool]
    async fn never_answers(&self) -> Result<String, Error> {
        std::future::pending().await
    }

    /// Never answers, and has a fallback.
    #[resilient(fallback = Self::substitute)]
    #[tool]
    async fn has_a_substitute(&self) -> Result<String, Error> {
        std::future::pending().await
    }

    async fn substitute(&self, _: &Error) -> Result<String, Error> {
        SUBSTITUTES.fetch_add(1, Ordering::Relaxed);
        Ok("instead".into())
    }

    /// Fails, and its fallback takes 4 s.
    #[resilient(fallback = Self::takes_four_seconds)]
    #[tool]
    async fn has_a_slow_substitute(&self) -> Result<String, Error> {
        Err(Error::Down)
    }

    async fn takes_four_seconds(&self, _: &Error) -> Result<String, Error> {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok("late".into())
    }
}

/// Calls the tool, cancels the call after a second, and returns the outcomes that were counted by then.
async fn cancelled(client: &Client, tool: &'static str) -> (Vec<(Outcome, u64)>, Duration) {
    let started = Instant::now();
    let request = ClientRequest::CallToolRequest(Request::new(CallToolRequestParams::new(tool)));
    let sent = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.expect("sent");
    tokio::time::sleep(Duration::from_secs(1)).await;
    sent.cancel(None).await.expect("cancelled");
    loop {
        let read = Registry::global().tool(tool).expect("a tool");
        if read.calls() == 1 {
            assert_eq!(read.in_flight, 0);
            return (read.outcomes.into_iter().filter(|(_, count)| *count > 0).collect(), started.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_hook_is_outside_cancellation_and_counts_the_call_that_was_cancelled() {
    let (outcomes, took) = cancelled(&connect(Ordered).await, "never_answers").await;
    assert_eq!(outcomes, [(Outcome::Cancelled, 1)]);
    assert!(took < Duration::from_secs(2), "{took:?}: long before the timeout");
}

#[tokio::test(start_paused = true)]
async fn cancellation_is_outside_the_fallback_which_neither_answers_for_it_nor_goes_on() {
    let client = connect(Ordered).await;
    let (outcomes, _) = cancelled(&client, "has_a_substitute").await;
    assert_eq!((outcomes, SUBSTITUTES.load(Ordering::Relaxed)), (vec![(Outcome::Cancelled, 1)], 0));

    let (outcomes, took) = cancelled(&client, "has_a_slow_substitute").await;
    assert_eq!(outcomes, [(Outcome::Cancelled, 1)]);
    assert!(took < Duration::from_secs(2), "{took:?}: the fallback would have taken 4 s");
}

#[resilient(rate_limit = "1/1h", fallback = value(9))]
async fn is_limited_and_has_a_value() -> Result<u32, Error> {
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn the_fallback_is_outside_the_rate_limit_and_answers_for_what_that_rejects() {
    assert_eq!(is_limited_and_has_a_value().await, Ok(1));
    assert_eq!(is_limited_and_has_a_value().await, Ok(9));
}

#[resilient(rate_limit = "1/1h", name = "order-limited")]
async fn is_limited_and_hangs() -> Result<u32, Error> {
    std::future::pending().await
}

/// Makes two consecutive calls after its time is over.
#[resilient(timeout = "1s")]
async fn asks_twice_when_its_time_is_over() -> Result<Vec<Error>, Error> {
    // Polled once: the clock advances within one poll, so that no timer fires.
    let _ = futures_util::poll!(std::pin::pin!(advance(Duration::from_millis(1_100))));
    let first = std::pin::pin!(is_limited_and_hangs());
    let second = std::pin::pin!(is_limited_and_hangs());
    let ended = [futures_util::poll!(first), futures_util::poll!(second)];
    Ok(ended
        .into_iter()
        .filter_map(|ended| if let std::task::Poll::Ready(Err(why)) = ended { Some(why) } else { None })
        .collect())
}

#[tokio::test(start_paused = true)]
async fn the_rate_limit_is_outside_the_timeout_and_rejects_a_call_whose_time_is_over_as_well() {
    let ended = asks_twice_when_its_time_is_over().await.expect("both");
    assert!(
        matches!(
            ended[..],
            [
                Error::Resilience(ResilienceError::Timeout { scope: TimeoutScope::Call, .. }),
                Error::Resilience(ResilienceError::Overloaded { limit: LimitKind::RateLimit, .. })
            ]
        ),
        "{ended:?}"
    );
}
