//! Refreshes in the background: one for each key, in their own context, outside of the statistics of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::{CallContext, Outcome, Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use tokio::time::{Instant, sleep};

use super::upstream::{Does, TAKES, Upstream, answer, settle};
use crate::error::Error;

const S: Duration = Duration::from_secs(1);
/// An age at which an answer of [`Server`] is stale, but still served.
const STALE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Default)]
struct Server {
    upstream: Arc<Upstream>,
    substitutes: Arc<AtomicU32>,
}

impl Server {
    #[resilient(cache(fresh = "10s", stale_while_revalidate = "1h", key = number), name = "refresh.read", timeout = "30s")]
    async fn read(&self, number: u32) -> Result<String, Error> {
        self.upstream.request(number).await
    }

    #[resilient(
        cache(fresh = "10s", stale_while_revalidate = "1h", key = number),
        fallback = Self::substitute,
        name = "refresh.substituted"
    )]
    async fn substituted(&self, number: u32) -> Result<String, Error> {
        self.upstream.request(number).await
    }

    async fn substitute(&self, _: u32, _: &Error) -> Result<String, Error> {
        self.substitutes.fetch_add(1, Ordering::Relaxed);
        Ok("instead".into())
    }

    #[resilient(timeout = "2s", name = "refresh.hurried")]
    async fn hurried(&self, number: u32) -> Result<String, Error> {
        self.read(number).await
    }

    /// Returns the context of its body.
    #[resilient(
        cache(fresh = "10s", stale_while_revalidate = "1h", key = 1),
        name = "refresh.context",
        timeout = "30s"
    )]
    async fn context(&self) -> Result<(String, u32, Duration), Error> {
        self.upstream.request(1).await?;
        let call = CallContext::current().expect("a context");
        let left = call.deadline().expect("a deadline").duration_since(Instant::now());
        Ok((call.correlation_id().to_string(), call.attempt(), left))
    }
}

/// Its arguments are its key, and it moves them.
#[resilient(cache(fresh = "10s", stale_while_revalidate = "1h"), name = "refresh.moves")]
async fn moves(upstream: Shared, text: String) -> Result<String, Error> {
    Ok(text + &upstream.0.request(0).await?)
}

/// An upstream that is equal to any other.
#[derive(Debug, Clone)]
struct Shared(Arc<Upstream>);

impl std::hash::Hash for Shared {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// Creates a server that has kept an answer to each of these numbers, which is stale.
async fn stale(registry: &Arc<Registry>, numbers: std::ops::Range<u32>) -> Server {
    let server = Server::default();
    let calls = numbers.map(|number| server.read(number));
    registry.clone().scope(join_all(calls)).await;
    sleep(STALE).await;
    server
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_served_at_once_and_one_refresh_replaces_it() {
    let registry = Arc::new(Registry::new());
    let server = stale(&registry, 1..2).await;
    let started = Instant::now();
    let answers = registry.clone().scope(join_all((0..50).map(|_| server.read(1)))).await;
    assert_eq!((answers, started.elapsed()), (vec![Ok(answer(1, 1)); 50], Duration::ZERO));
    settle().await;
    assert_eq!((server.upstream.requests(), server.upstream.running()), (2, 1));
    sleep(TAKES / 2).await;
    assert_eq!(registry.clone().scope(server.read(1)).await, Ok(answer(1, 1)), "while it runs");
    sleep(TAKES).await;
    assert_eq!(registry.clone().scope(server.read(1)).await, Ok(answer(1, 2)));
    assert_eq!(server.upstream.requests(), 2, "the new answer is fresh");
    let read = registry.function("refresh.read").expect("bound");
    assert_eq!((read.calls(), read.outcome(Outcome::Ok), read.in_flight), (53, 53, 0), "a refresh is no call");
}

#[tokio::test(start_paused = true)]
async fn sixteen_refreshes_run_at_a_time_and_one_for_each_key() {
    // Refreshes are limited in the process, and other tests have some.
    if ran_in_a_child() {
        return;
    }
    let registry = Arc::new(Registry::new());
    let server = stale(&registry, 0..40).await;
    server.upstream.takes(10 * S);
    let before = server.upstream.requests();
    for _ in 0..3 {
        let answers = registry.clone().scope(join_all((0..40).map(|number| server.read(number)))).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        settle().await;
        assert_eq!((server.upstream.requests() - before, server.upstream.running()), (16, 16));
    }
    sleep(11 * S).await;
    assert_eq!(server.upstream.running(), 0, "the others do not queue");
    registry.clone().scope(join_all((0..40).map(|number| server.read(number)))).await;
    settle().await;
    assert_eq!(server.upstream.running(), 16, "other keys have theirs now");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_kept_answer_and_the_next_call_starts_another() {
    for does in [Does::Fail(Error::Down), Does::Panic] {
        let registry = Arc::new(Registry::new());
        let server = stale(&registry, 1..2).await;
        server.upstream.does(does.clone());
        // More often than refreshes may run at a time.
        for round in 2..22 {
            assert_eq!(registry.clone().scope(server.read(1)).await, Ok(answer(1, 1)), "{does:?}");
            sleep(2 * TAKES).await;
            assert_eq!(server.upstream.requests(), round, "{does:?}");
        }
        server.upstream.does(Does::Answer);
        assert_eq!(registry.clone().scope(server.read(1)).await, Ok(answer(1, 1)));
        sleep(2 * TAKES).await;
        assert_eq!(registry.clone().scope(server.read(1)).await, Ok(answer(1, 22)));
        let read = registry.function("refresh.read").expect("bound");
        assert_eq!((read.calls(), read.outcome(Outcome::Ok), read.in_flight), (23, 23, 0), "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_hangs_ends_with_the_timeout_of_the_read() {
    let registry = Arc::new(Registry::new());
    let server = stale(&registry, 1..2).await;
    server.upstream.does(Does::Hang);
    let call = || registry.clone().scope(server.read(1));
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(29 * S).await;
    assert_eq!(call().await, Ok(answer(1, 1)));
    settle().await;
    assert_eq!((server.upstream.requests(), server.upstream.running()), (2, 1), "the same one");
    sleep(2 * S).await;
    assert_eq!(server.upstream.running(), 0);
    server.upstream.does(Does::Answer);
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(2 * TAKES).await;
    assert_eq!((call().await, server.upstream.requests()), (Ok(answer(1, 3)), 3));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_has_its_own_context_and_the_time_of_the_read() {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    let call = || registry.clone().scope(server.context());
    let first = call().await.expect("an answer");
    sleep(STALE).await;
    assert_eq!(call().await, Ok(first.clone()));
    sleep(2 * TAKES).await;
    let second = call().await.expect("an answer");
    assert_eq!(server.upstream.requests(), 2);
    assert_ne!(first.0, second.0, "a correlation id of its call");
    assert_eq!((second.1, second.2), (1, 29 * S));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_outlives_the_call_that_starts_it_and_its_deadline() {
    let registry = Arc::new(Registry::new());
    let server = stale(&registry, 1..2).await;
    server.upstream.takes(10 * S);
    assert_eq!(registry.clone().scope(server.hurried(1)).await, Ok(answer(1, 1)));
    sleep(9 * S).await;
    assert_eq!(server.upstream.running(), 1, "its caller had 2 s");
    sleep(2 * S).await;
    assert_eq!(registry.clone().scope(server.hurried(1)).await, Ok(answer(1, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_has_no_fallback() {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    let call = || registry.clone().scope(server.substituted(1));
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(STALE).await;
    server.upstream.does(Does::Fail(Error::Down));
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(2 * TAKES).await;
    assert_eq!((server.upstream.requests(), server.substitutes.load(Ordering::Relaxed)), (2, 0));
    assert_eq!(call().await, Ok(answer(1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_runs_on_clones_of_the_arguments() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = |text: &str| registry.clone().scope(moves(Shared(Arc::clone(&upstream)), text.to_owned()));
    for text in ["a ", "b "] {
        call(text).await.expect("an answer");
    }
    sleep(STALE).await;
    assert_eq!(call("b ").await, Ok("b ".to_owned() + &answer(0, 2)));
    sleep(2 * TAKES).await;
    assert_eq!(call("b ").await, Ok("b ".to_owned() + &answer(0, 3)));
    assert_eq!(call("a ").await, Ok("a ".to_owned() + &answer(0, 1)), "and for its key only");
}
