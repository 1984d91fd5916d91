//! A hundred replicas in front of one dependency: no storm of openings, and no flapping.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState::Closed;
use resilient_runtime::breaker::Reason;
use resilient_runtime::policy::{BreakerSettings, BreakerUse};
use resilient_runtime::{Guard, Policy};
use resilient_tests::dice::dice;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Board, Replica, SETTINGS, shared};

const REPLICAS: usize = 100;

static SHOP: Guard = Guard::new("crowded-shop", shared("crowded-shop", SETTINGS));
static ALONE: Guard = Guard::new("lonely-shop", Policy::new().breaker(BreakerUse::with("lonely-shop", SETTINGS)));

/// The time between two calls of the busiest replicas.
const FASTEST: Duration = Duration::from_millis(400);

/// The time between two calls of those with the least to do.
const SLOWEST: Duration = Duration::from_secs(4);

/// Returns the time between two calls of a replica.
fn pace(number: usize) -> Duration {
    FASTEST * (1 + u32::try_from(number % 10).expect("small"))
}

/// What the calls of one replica saw.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    rejected: u32,
    failed: u32,
}

/// Runs all replicas for this time. `is_up` decides each call, by the number of its replica, the time since the start,
/// and the number of the call.
async fn run(
    replicas: &Arc<Vec<Replica>>,
    lasts: Duration,
    is_up: impl Fn(usize, Duration, u64) -> bool + Clone + Send + 'static,
) -> Vec<Seen> {
    let began = Instant::now();
    let callers = (0..replicas.len()).map(|number| {
        let (replicas, is_up) = (Arc::clone(replicas), is_up.clone());
        tokio::spawn(async move {
            let mut seen = Seen::default();
            let mut next = began + Duration::from_millis(4 * number as u64);
            for call in 0.. {
                sleep_until(next).await;
                if began.elapsed() >= lasts {
                    break;
                }
                let is_up = is_up(number, began.elapsed(), call);
                if replicas[number].call(is_up).await {
                    seen.rejected += 1;
                } else if !is_up {
                    seen.failed += 1;
                }
                next += pace(number);
            }
            seen
        })
    });
    let mut all = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        all.push(caller.await.expect("no panic"));
    }
    all
}

/// Starts the replicas, each at another moment within a second.
async fn start(board: &Board, guard: &'static Guard) -> Arc<Vec<Replica>> {
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Replica::start(board, guard));
        sleep(Duration::from_millis(10)).await;
    }
    Arc::new(replicas)
}

const OUTAGE: Duration = Duration::from_secs(45);

#[tokio::test(start_paused = true)]
async fn each_of_a_hundred_replicas_opens_once_for_each_outage_and_closes_soon_after_it() {
    let (board, alone) = (Board::default(), Board::default());
    let replicas = start(&board, &SHOP).await;
    let separate = start(&alone, &ALONE).await;
    let mut failed = (0, 0);
    for outage in 1..=2 {
        let (seen, seen_alone) =
            tokio::join!(run(&replicas, OUTAGE, |_, _, _| false), run(&separate, OUTAGE, |_, _, _| false));
        failed.0 += seen.iter().map(|seen| seen.failed).sum::<u32>();
        failed.1 += seen_alone.iter().map(|seen| seen.failed).sum::<u32>();
        for replica in replicas.iter().chain(separate.iter()) {
            assert_eq!(replica.openings().len(), outage, "once for each outage, shared or not");
        }
        // A breaker that has just opened again stays open for 30 s. Then two calls close it.
        let settles = Duration::from_secs(30) + 3 * SLOWEST;
        run(&replicas, settles, |_, _, _| true).await;
        assert!(replicas.iter().all(|replica| replica.state() == Closed), "all are closed after {settles:?}");
        let calm = run(&replicas, OUTAGE, |_, _, _| true).await;
        assert_eq!(calm.iter().map(|seen| seen.rejected).sum::<u32>(), 0, "no news of the past rejects a call");
        run(&separate, OUTAGE, |_, _, _| true).await;
    }
    let published = board.published();
    let by_peers = replicas.iter().flat_map(Replica::openings).filter(|reason| *reason == Reason::Peer).count();
    assert_eq!(published.len() + by_peers, 2 * REPLICAS, "each opening is news or the effect of news");
    assert!(published.len() <= REPLICAS, "{} of {} openings were published", published.len(), 2 * REPLICAS);
    assert!(failed.0 < failed.1, "sharing spares the dependency calls: {failed:?}");
    assert_eq!(alone.published(), []);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_replicas_of_a_dependency_that_fails_in_one_percent_of_calls_stay_closed() {
    let board = Board::default();
    let replicas = start(&board, &SHOP).await;
    let seen =
        run(&replicas, Duration::from_secs(600), |number, _, call| !dice(11, number as u64, call).is_multiple_of(100))
            .await;
    let failed: u32 = seen.iter().map(|seen| seen.failed).sum();
    assert!((300..600).contains(&failed), "{failed} of 44,000 calls");
    assert!(seen.iter().all(|seen| seen.rejected == 0));
    assert_eq!(board.published(), []);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_opens_every_minute_for_hours_makes_no_healthy_one_reject_a_call() {
    static FLAPS: Guard = Guard::new("flapping-shop", shared("flapping-shop", SETTINGS.open(Duration::from_secs(20))));
    let board = Board::default();
    let replicas: Arc<Vec<_>> = Arc::new((0..4).map(|_| Replica::start(&board, &FLAPS)).collect());
    let lasts = Duration::from_secs(3 * 3_600);
    let seen = run(&replicas, lasts, |number, at, _| number > 0 || at.as_secs() % 60 >= 10).await;
    let published = board.published();
    assert!((179..=181).contains(&published.len()), "{} openings", published.len());
    assert!(seen[0].rejected > 0);
    for (replica, seen) in replicas.iter().zip(&seen).skip(1) {
        assert_eq!((seen.rejected, seen.failed, replica.openings()), (0, 0, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn beside_a_replica_that_opens_every_minute_a_rare_failure_opens_another_one_at_most_once_for_each_opening() {
    static RARE: Guard = Guard::new("rare-shop", shared("rare-shop", SETTINGS.open(Duration::from_secs(20))));
    let board = Board::default();
    let replicas: Arc<Vec<_>> = Arc::new((0..20).map(|_| Replica::start(&board, &RARE)).collect());
    let fails_rarely = |number: usize, at: Duration, call: u64| {
        if number == 0 { at.as_secs() % 60 >= 10 } else { !dice(12, number as u64, call).is_multiple_of(100) }
    };
    run(&replicas, Duration::from_secs(3_600), fails_rarely).await;
    assert!((59..=61).contains(&board.published().len()), "only the bad one has news");
    // 19 replicas get 60 hints each, and one call in a hundred fails: about 11 of 1,140 hints open a breaker.
    let openings: Vec<_> = replicas.iter().skip(1).flat_map(Replica::openings).collect();
    assert!(openings.iter().all(|reason| *reason == Reason::Peer));
    assert!((1..40).contains(&openings.len()), "{} openings", openings.len());
}

#[tokio::test(start_paused = true)]
async fn openings_of_a_hundred_replicas_cost_each_of_them_no_more_than_a_failure_in_each_open_period() {
    // The dependency fails in one of five calls, which three failures in a row open a breaker for now and then.
    const THREE: BreakerSettings = SETTINGS.failures(3);
    static SHARED: Guard = Guard::new("noisy-shop", shared("noisy-shop", THREE));
    static SEPARATE: Guard = Guard::new("quiet-shop", Policy::new().breaker(BreakerUse::with("quiet-shop", THREE)));
    let (board, alone) = (Board::default(), Board::default());
    let (replicas, separate) = (start(&board, &SHARED).await, start(&alone, &SEPARATE).await);
    let (lasts, is_up) = (Duration::from_secs(600), |number, _, call| !dice(13, number as u64, call).is_multiple_of(5));
    let rejected = |seen: Vec<Seen>| seen.iter().map(|seen| seen.rejected).sum::<u32>();
    let (seen, seen_alone) = tokio::join!(run(&replicas, lasts, is_up), run(&separate, lasts, is_up));
    let calls: u32 =
        (0..REPLICAS).map(|number| u32::try_from(lasts.as_millis() / pace(number).as_millis()).expect("few")).sum();
    let percent = |rejected: u32| 100 * rejected / calls;
    let (shared, separate) = (percent(rejected(seen)), percent(rejected(seen_alone)));
    // In each 30 s a breaker is armed once at most, and one of five armings opens it, for 30 s and the time until two
    // probes have succeeded. So it is open a fifth of the time more, or somewhat more than that.
    assert!(shared <= separate + 25, "{shared} % of calls are rejected, and {separate} % without sharing");
    assert!(board.published().len() > 20, "the news never ends: {}", board.published().len());
}
