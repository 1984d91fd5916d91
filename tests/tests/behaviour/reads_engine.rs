//! Kept answers that are served first, and runs of a body that concurrent calls share.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::error::TimeoutScope;
use resilient_runtime::statistics::{CacheResult, ToolSnapshot};
use resilient_runtime::{McpError, Outcome, Registry, ResilienceError, ToolError, resilient};
use tokio::sync::Notify;
use tokio::time::{advance, sleep};

/// A service that counts its requests and answers each after a second.
#[derive(Debug, Clone, Default)]
struct Service {
    requests: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

#[derive(Debug, Clone, thiserror::Error, McpError)]
enum Broken {
    #[error("the shop is closed")]
    #[mcp(kind = unavailable, public)]
    Closed,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// An error that cannot be cloned.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "UNIQUE")]
enum Unique {
    #[error("number {0} is gone")]
    #[mcp(kind = unavailable, code = "UNIQUE_GONE", hint = "Ask for another one.", public)]
    Gone(u64),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

impl Service {
    async fn request(&self) -> u64 {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        sleep(Duration::from_secs(1)).await;
        number
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    #[resilient(cache(fresh = "30s", key = id), name = "engine-read")]
    async fn read(&self, id: u64) -> Result<u64, Broken> {
        let number = self.request().await;
        if self.fails.load(Ordering::SeqCst) { Err(Broken::Closed) } else { Ok(number * 100 + id) }
    }

    #[resilient(
        cache(fresh = "10s", stale_if_error = "1h", key = id),
        fallback = cached,
        name = "engine-falls-back"
    )]
    async fn falls_back(&self, id: u64) -> Result<u64, Broken> {
        let number = self.request().await;
        if self.fails.load(Ordering::SeqCst) { Err(Broken::Closed) } else { Ok(number * 100 + id) }
    }

    #[resilient(cache(fresh = "30s", key = id), name = "engine-unique")]
    async fn unique(&self, id: u64) -> Result<u64, Unique> {
        let number = self.request().await;
        Err(Unique::Gone(number * 100 + id))
    }

    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m", key = id), name = "engine-stale", timeout = "10s")]
    async fn stale(&self, id: u64) -> Result<u64, Broken> {
        Ok(self.request().await * 100 + id)
    }

    #[resilient(cache(fresh = "30s", key = id), name = "engine-recursive", timeout = "10s")]
    async fn recursive(&self, id: u64, depth: u64) -> Result<u64, Broken> {
        if depth == 0 { Ok(self.request().await) } else { Box::pin(self.recursive(id, depth - 1)).await }
    }

    #[resilient(cache(fresh = "30s", key = id), name = "engine-one", timeout = "10s")]
    async fn one(&self, id: u64, depth: u64) -> Result<u64, Broken> {
        sleep(Duration::from_millis(100)).await;
        if depth == 0 { Ok(self.request().await) } else { Box::pin(self.other(id, depth - 1)).await }
    }

    #[resilient(cache(fresh = "30s", key = id), name = "engine-other", timeout = "10s")]
    async fn other(&self, id: u64, depth: u64) -> Result<u64, Broken> {
        sleep(Duration::from_millis(100)).await;
        if depth == 0 { Ok(self.request().await) } else { Box::pin(self.one(id, depth - 1)).await }
    }

    #[resilient(cache(fresh = "30s", key = id), name = "engine-limited", bulkhead(name = "engine", max = 1, queue = 10))]
    async fn limited(&self, id: u64) -> Result<u64, Broken> {
        Ok(self.request().await * 100 + id)
    }

    #[resilient(name = "engine-around", bulkhead(name = "engine", max = 1, queue = 10), timeout = "10s")]
    async fn around(&self, id: u64) -> Result<u64, Broken> {
        sleep(Duration::from_millis(500)).await;
        self.limited(id).await
    }
}

/// Runs a test in its own registry.
async fn alone<T>(test: impl Future<Output = T>) -> (T, Arc<Registry>) {
    let registry = Arc::new(Registry::new());
    (registry.clone().scope(test).await, registry)
}

fn counted(registry: &Registry, name: &str) -> ToolSnapshot {
    registry.function(name).expect("bound")
}

fn results(registry: &Registry, name: &str) -> [u64; 4] {
    let cache = counted(registry, name).cache.expect("a cache");
    [CacheResult::Hit, CacheResult::Stale, CacheResult::Miss, CacheResult::Shared].map(|result| cache.result(result))
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_of_one_key_are_one_run_and_a_fresh_answer_is_none() {
    let service = Service::default();
    let ((), registry) = alone(async {
        let calls = (0..200).map(|_| service.read(7));
        let answers = join_all(calls).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(107))), "{answers:?}");
        assert_eq!(service.requests(), 1);
        advance(Duration::from_secs(20)).await;
        assert!(matches!(service.read(7).await, Ok(107)));
        assert!(matches!(service.read(8).await, Ok(208)), "another key");
        advance(Duration::from_secs(31)).await;
        assert!(matches!(service.read(7).await, Ok(307)), "no longer fresh");
    })
    .await;
    assert_eq!(results(&registry, "engine-read"), [1, 0, 3, 199]);
    let read = counted(&registry, "engine-read");
    assert_eq!((read.calls(), read.attempts), (203, 3));
    assert!(read.cache.is_some_and(|cache| cache.bytes > 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_once_and_not_kept() {
    let service = Service::default();
    service.fails.store(true, Ordering::SeqCst);
    let ((), registry) = alone(async {
        let answers = join_all((0..50).map(|_| service.read(1))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(Broken::Closed))), "{answers:?}");
        assert_eq!(service.requests(), 1);
        service.fails.store(false, Ordering::SeqCst);
        assert!(matches!(service.read(1).await, Ok(201)));
    })
    .await;
    assert_eq!(results(&registry, "engine-read"), [0, 0, 2, 49]);
    assert_eq!(counted(&registry, "engine-read").errors.iter().map(|error| error.count).sum::<u64>(), 50);
}

#[tokio::test(start_paused = true)]
async fn an_error_without_clone_is_described_to_the_followers() {
    let service = Service::default();
    let (answers, _) = alone(join_all((0..5).map(|_| service.unique(1)))).await;
    assert_eq!(service.requests(), 1);
    assert!(matches!(answers.first(), Some(Err(Unique::Gone(101)))), "{answers:?}");
    for answer in &answers {
        let Err(error) = answer else { panic!("{answer:?}") };
        assert_eq!((error.code().as_ref(), error.public_message().as_ref()), ("UNIQUE_GONE", "number 101 is gone"));
        assert_eq!(error.hint().as_deref(), Some("Ask for another one."));
    }
    let shared = answers.iter().filter(|answer| matches!(answer, Err(Unique::Resilience(ResilienceError::Shared(_)))));
    assert_eq!(shared.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_follower_leads_when_its_leader_is_dropped_and_one_that_is_dropped_passes_that_on() {
    let service = Service::default();
    let ((), registry) = alone(async {
        let mut leader = Box::pin(service.read(1));
        let mut first = Box::pin(service.read(1));
        let mut second = Box::pin(service.read(1));
        poll_fn(|cx| {
            assert!(leader.as_mut().poll(cx).is_pending());
            assert!(first.as_mut().poll(cx).is_pending());
            assert!(second.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(leader);
        // It has been woken to lead.
        drop(first);
        assert!(matches!(second.await, Ok(201)));
    })
    .await;
    assert_eq!(service.requests(), 2);
    assert_eq!(results(&registry, "engine-read"), [0, 0, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_woken_follower_in_another_task_leads() {
    let service = Service::default();
    let ((), _) = alone(async {
        let registry = Registry::new();
        let registry = Arc::new(registry);
        let call = |service: Service| registry.clone().scope(async move { service.read(1).await });
        let leader = tokio::spawn(call(service.clone()));
        tokio::task::yield_now().await;
        let followers: Vec<_> = (0..10).map(|_| tokio::spawn(call(service.clone()))).collect();
        tokio::task::yield_now().await;
        leader.abort();
        for (number, follower) in followers.into_iter().enumerate() {
            if number == 0 {
                follower.abort();
            } else {
                assert!(matches!(follower.await, Ok(Ok(201))));
            }
        }
    })
    .await;
    assert_eq!(service.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_recursion_with_the_same_key_runs_the_body_itself() {
    let service = Service::default();
    let (answer, _) = alone(service.recursive(1, 3)).await;
    assert!(matches!(answer, Ok(1)), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn two_runs_whose_calls_need_each_other_do_not_wait_for_each_other() {
    let service = Service::default();
    let (answers, _) = alone(async { tokio::join!(service.one(1, 2), service.other(1, 2)) }).await;
    assert!(answers.0.is_ok() && answers.1.is_ok(), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_within_a_bulkhead_does_not_wait_for_a_leader_that_waits_for_its_permit() {
    let service = Service::default();
    let (answers, _) = alone(async {
        let around = service.around(1);
        let direct = async {
            sleep(Duration::from_millis(100)).await;
            service.limited(1).await
        };
        tokio::join!(around, direct)
    })
    .await;
    assert!(answers.0.is_ok() && answers.1.is_ok(), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_refreshed_once_in_the_background() {
    let service = Service::default();
    let ((), registry) = alone(async {
        assert!(matches!(service.stale(1).await, Ok(101)));
        advance(Duration::from_secs(60)).await;
        for _ in 0..10 {
            assert!(matches!(service.stale(1).await, Ok(101)));
        }
        sleep(Duration::from_secs(2)).await;
        assert_eq!(service.requests(), 2);
        assert!(matches!(service.stale(1).await, Ok(201)), "the refreshed answer");
        advance(Duration::from_secs(301)).await;
        assert!(matches!(service.stale(1).await, Ok(301)), "too old");
    })
    .await;
    assert_eq!(results(&registry, "engine-stale"), [1, 10, 2, 0]);
    let read = counted(&registry, "engine-stale");
    assert_eq!((read.calls(), read.in_flight, read.attempts), (13, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn each_follower_keeps_its_own_deadline() {
    static RELEASED: Notify = Notify::const_new();

    #[resilient(cache(fresh = "30s", key = 0), name = "engine-hangs", timeout = "10s")]
    async fn hangs() -> Result<u64, Broken> {
        RELEASED.notified().await;
        Ok(1)
    }

    #[resilient(name = "engine-shorter", timeout = "2s")]
    async fn shorter() -> Result<u64, Broken> {
        hangs().await
    }

    let (answers, _) = alone(async {
        let leader = hangs();
        let follower = async {
            let answer = shorter().await;
            RELEASED.notify_one();
            answer
        };
        tokio::join!(biased; leader, follower)
    })
    .await;
    let ended = &answers.1;
    assert!(
        matches!(ended, Err(Broken::Resilience(ResilienceError::Timeout { scope: TimeoutScope::Call, .. }))),
        "{ended:?}"
    );
    assert!(matches!(answers.0, Ok(1)));
}

#[tokio::test(start_paused = true)]
async fn a_fresh_answer_is_there_at_the_first_poll() {
    let service = Service::default();
    let ((), _) = alone(async {
        assert!(service.read(3).await.is_ok());
        let mut hit = pin!(service.read(3));
        let is_ready = poll_fn(|cx| Poll::Ready(hit.as_mut().poll(cx).is_ready())).await;
        assert!(is_ready);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_longer_fresh_is_still_one_after_an_error() {
    let service = Service::default();
    let ((), registry) = alone(async {
        assert!(matches!(service.falls_back(1).await, Ok(101)));
        advance(Duration::from_secs(60)).await;
        service.fails.store(true, Ordering::SeqCst);
        let answers = join_all((0..3).map(|_| service.falls_back(1))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(101))), "{answers:?}");
    })
    .await;
    assert_eq!(service.requests(), 2);
    let read = counted(&registry, "engine-falls-back");
    assert_eq!((read.outcome(Outcome::Ok), read.outcome(Outcome::Fallback)), (1, 3));
}
