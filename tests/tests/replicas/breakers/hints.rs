//! What the opening of a breaker does in the other replicas.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::breaker::BreakerState::{Closed, HalfOpen, Open};
use resilient_runtime::breaker::Reason;
use resilient_runtime::policy::{BreakerSettings, BreakerUse, Window};
use resilient_runtime::replicas::OpeningId;
use resilient_runtime::{Guard, Policy, Registry, Resilience};
use resilient_tests::logs::{Events, listen};
use tokio::time::{Instant, advance, sleep};
use tracing_subscriber::layer::SubscriberExt;

use super::{Board, KNOWN, OPEN, Replica, SETTINGS, elsewhere, shared};

static SHOP: Guard = Guard::new("hinted-shop", shared("hinted-shop", SETTINGS));

#[tokio::test(start_paused = true)]
async fn after_one_breaker_has_opened_each_other_opens_at_its_first_failure() {
    let board = Board::default();
    let [first, others @ ..] = Replica::several::<4>(&board, &SHOP);
    first.fails(5).await;
    assert_eq!((first.state(), first.openings()), (Open, vec![Reason::Failures]));
    sleep(KNOWN).await;
    for other in &others {
        assert_eq!((other.state(), other.breaker().consecutive_failures), (Closed, 0), "the news opens nothing");
        other.fails(1).await;
        assert_eq!((other.state(), other.openings()), (Open, vec![Reason::Peer]));
        assert!(other.call(true).await, "it rejects calls like any open breaker");
    }
    sleep(KNOWN).await;
    let published = board.published();
    assert_eq!(published.len(), 1, "an opening because of another one is no news: {published:?}");
    assert_eq!((published[0].breaker, published[0].id.number), ("hinted-shop", 1));
    assert_eq!(published[0].lasts, Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_success_disarms_a_breaker_and_each_opening_arms_it_once() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    for number in 1..=3 {
        board.opened_elsewhere("hinted-shop", elsewhere(number));
        sleep(KNOWN).await;
        assert!(replica.breaker().armed);
        assert!(!replica.call(true).await);
        for _ in 0..3 {
            // The store still has the news.
            sleep(OPEN / 3).await;
            assert!(!replica.breaker().armed);
            replica.fails(4).await;
            assert_eq!((replica.state(), replica.breaker().consecutive_failures), (Closed, 4));
            assert!(!replica.call(true).await);
        }
    }
    board.opened_elsewhere("hinted-shop", elsewhere(4));
    sleep(KNOWN).await;
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Peer]);
}

#[tokio::test(start_paused = true)]
async fn openings_arm_a_breaker_once_in_each_open_period() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    sleep(KNOWN).await;
    assert!(!replica.call(true).await);
    for number in 2..=28 {
        board.opened_elsewhere("hinted-shop", elsewhere(number));
        sleep(Duration::from_secs(1)).await;
        assert!(!replica.breaker().armed, "opening {number}");
    }
    // The last of these openings is not kept for later.
    sleep(Duration::from_secs(5)).await;
    assert!(!replica.breaker().armed);
    board.opened_elsewhere("hinted-shop", elsewhere(29));
    sleep(KNOWN).await;
    assert!(replica.breaker().armed);
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_is_published_again_after_another_one_arms_nothing() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    let other = OpeningId { replica: 8, number: 1 };
    for (id, is_new) in [(elsewhere(1), true), (other, true), (elsewhere(1), false), (other, false)] {
        board.opened_elsewhere("hinted-shop", id);
        sleep(KNOWN).await;
        assert_eq!(replica.breaker().armed, is_new, "{id:?}");
        assert!(!replica.call(true).await);
        sleep(OPEN).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_armed_breaker_is_disarmed_when_the_news_is_over() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    sleep(Duration::from_secs(59)).await;
    assert!(replica.breaker().armed, "the news lasts a minute");
    sleep(KNOWN * 2).await;
    assert!(!replica.breaker().armed);
    replica.fails(4).await;
    assert_eq!(replica.state(), Closed);
    sleep(KNOWN).await;
    assert_eq!(replica.breaker().consecutive_failures, 4, "only an armed breaker is disarmed");
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Failures]);
}

#[tokio::test(start_paused = true)]
async fn a_flushed_store_that_gets_the_same_opening_again_arms_nothing() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    sleep(KNOWN).await;
    assert!(!replica.call(true).await);
    board.flush();
    sleep(OPEN).await;
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    sleep(KNOWN).await;
    replica.fails(4).await;
    assert_eq!(replica.state(), Closed);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_starts_later_is_armed_by_the_latest_opening() {
    let board = Board::default();
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    let [replica] = Replica::several(&board, &SHOP);
    sleep(Duration::from_millis(1)).await;
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Peer]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_not_armed_by_its_own_opening() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    replica.fails(5).await;
    sleep(KNOWN).await;
    assert_eq!(board.published().len(), 1);
    assert!(replica.registry.breaker("hinted-shop").is_some_and(|breaker| {
        breaker.close();
        breaker.state() == Closed
    }));
    sleep(KNOWN).await;
    replica.fails(4).await;
    assert_eq!(replica.state(), Closed);
    replica.fails(1).await;
    sleep(KNOWN).await;
    let numbers: Vec<_> = board.published().iter().map(|opening| opening.id.number).collect();
    assert_eq!(numbers, [1, 2], "the next opening is another one");
}

#[tokio::test(start_paused = true)]
async fn only_a_closed_breaker_that_opens_by_its_own_results_is_news() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    let breaker = replica.registry.breaker("hinted-shop").expect("bound");
    breaker.open();
    sleep(KNOWN).await;
    breaker.isolate();
    sleep(KNOWN).await;
    breaker.close();
    sleep(KNOWN).await;
    assert_eq!(board.published(), []);
    replica.fails(5).await;
    for _ in 0..3 {
        // The probe fails.
        sleep(Duration::from_secs(30)).await;
        replica.fails(1).await;
        assert_eq!(replica.state(), Open);
    }
    sleep(KNOWN).await;
    assert_eq!(board.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn news_for_a_breaker_that_is_not_closed_is_used_up() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    replica.fails(5).await;
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    sleep(KNOWN).await;
    sleep(Duration::from_secs(30)).await;
    assert!(!replica.call(true).await);
    assert_eq!(replica.state(), HalfOpen);
    board.opened_elsewhere("hinted-shop", elsewhere(2));
    sleep(KNOWN).await;
    assert!(!replica.call(true).await);
    assert_eq!(replica.state(), Closed);
    sleep(KNOWN).await;
    replica.fails(4).await;
    assert_eq!(replica.state(), Closed);
}

#[tokio::test(start_paused = true)]
async fn a_callers_mistake_neither_opens_nor_disarms_an_armed_breaker() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    board.opened_elsewhere("hinted-shop", elsewhere(1));
    sleep(KNOWN).await;
    for _ in 0..10 {
        let mistake = SHOP.call(|| async { Err::<(), _>(super::Error::NotFound(1)) });
        assert_eq!(replica.registry.clone().scope(mistake).await, Err(super::Error::NotFound(1)));
    }
    assert_eq!(replica.state(), Closed);
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Peer]);
}

const BY_RATE: BreakerSettings = BreakerSettings::new().open(OPEN).rate(0.5).window(Window::Count(10)).min_calls(4);
static RATED: Guard = Guard::new("hinted-rated", shared("hinted-rated", BY_RATE));

#[tokio::test(start_paused = true)]
async fn a_breaker_with_a_rate_is_armed_and_disarmed_too() {
    let board = Board::default();
    let [replica, other] = Replica::several(&board, &RATED);
    replica.fails(4).await;
    assert_eq!(replica.openings(), [Reason::Failures]);
    sleep(KNOWN).await;
    assert_eq!(board.published().len(), 1);
    assert!(!other.call(true).await);
    other.fails(1).await;
    assert_eq!(other.state(), Closed, "it was disarmed, and its rate needs four results");
    sleep(OPEN).await;
    board.opened_elsewhere("hinted-rated", elsewhere(1));
    sleep(KNOWN).await;
    other.fails(1).await;
    assert_eq!(other.openings(), [Reason::Peer]);
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_reached_in_an_armed_breaker_is_its_own_evidence() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &RATED);
    replica.fails(3).await;
    board.opened_elsewhere("hinted-rated", elsewhere(1));
    sleep(KNOWN).await;
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Failures]);
    sleep(KNOWN).await;
    assert_eq!(board.published().len(), 1);
}

static SLOW: Guard = Guard::new(
    "hinted-slow",
    shared("hinted-slow", SETTINGS.slow(Duration::from_secs(1)).slow_rate(0.5).window(Window::Count(10)).min_calls(4)),
);

#[tokio::test(start_paused = true)]
async fn a_breaker_with_a_window_of_slow_calls_is_armed_and_disarmed_too() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SLOW);
    board.opened_elsewhere("hinted-slow", elsewhere(1));
    sleep(KNOWN).await;
    assert!(!replica.call(true).await);
    replica.fails(1).await;
    assert_eq!((replica.state(), replica.breaker().consecutive_failures), (Closed, 1));
    sleep(OPEN).await;
    board.opened_elsewhere("hinted-slow", elsewhere(2));
    sleep(KNOWN).await;
    assert_eq!(replica.breaker().consecutive_failures, 0);
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Peer]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_with_a_short_open_period_is_news_for_two_seconds() {
    static SHORT: Guard = Guard::new("hinted-short", shared("hinted-short", SETTINGS.open(Duration::from_millis(100))));
    let board = Board::default();
    let [first, other] = Replica::several(&board, &SHORT);
    sleep(KNOWN).await;
    first.fails(5).await;
    sleep(KNOWN).await;
    assert_eq!(board.published()[0].lasts, Duration::from_secs(2));
    other.fails(1).await;
    assert_eq!(other.openings(), [Reason::Peer]);
}

#[tokio::test(start_paused = true)]
async fn openings_are_read_once_a_second_for_the_distributed_breakers_that_are_bound() {
    static LOCAL: Guard = Guard::new("hinted-local", Policy::new().breaker(BreakerUse::with("hinted-local", SETTINGS)));
    static LATER: Guard = Guard::new("hinted-later", shared("hinted-later", SETTINGS));
    let (board, registry) = (Board::default(), Arc::new(Registry::new()));
    let started = Instant::now();
    let resilience = Resilience::from_variables([]).shared(board.clone()).guard(&LOCAL);
    let handle = resilience.start_with(&registry).expect("nothing is wrong");
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(board.readings(), [], "there is no distributed breaker yet");
    let later = LATER.call(|| async { Ok::<_, super::Error>(()) });
    registry.clone().scope(later).await.expect("closed");
    sleep(Duration::from_secs(2)).await;
    let later = |seconds| (started + Duration::from_secs(seconds), vec!["hinted-later"]);
    assert_eq!(board.readings(), [later(3), later(4)]);
    handle.shutdown().await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(board.readings().len(), 2, "the task ends with the handle");
}

#[tokio::test(start_paused = true)]
async fn an_armed_breaker_is_logged_once() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let board = Board::default();
    let [_replica] = Replica::several(&board, &SHOP);
    for number in 1..=3 {
        board.opened_elsewhere("hinted-shop", elsewhere(number));
        sleep(OPEN).await;
    }
    let armed: Vec<_> = events.seen().into_iter().filter(|line| line.contains("breaker.armed")).collect();
    assert_eq!(armed, ["INFO event=\"breaker.armed\" breaker=\"hinted-shop\" "]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_does_not_end_the_task() {
    #[derive(Clone, Default)]
    struct Panics(Arc<Mutex<u32>>);
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panics {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            if *event.metadata().level() == tracing::Level::INFO {
                *self.0.lock().unwrap() += 1;
                panic!("on purpose");
            }
        }
    }
    let (board, panics) = (Board::default(), Panics::default());
    let [replica] = Replica::several(&board, &SHOP);
    {
        let _listening = listen(tracing_subscriber::registry().with(panics.clone()));
        board.opened_elsewhere("hinted-shop", elsewhere(1));
        sleep(KNOWN).await;
    }
    assert_eq!(*panics.0.lock().unwrap(), 1);
    assert!(replica.breaker().armed && !replica.call(true).await);
    sleep(OPEN).await;
    board.opened_elsewhere("hinted-shop", elsewhere(2));
    sleep(KNOWN).await;
    replica.fails(1).await;
    assert_eq!(replica.openings(), [Reason::Peer]);
}

#[test]
fn a_start_with_a_shared_state_needs_a_runtime() {
    let registry = Arc::new(Registry::new());
    let refused = Resilience::from_variables([]).shared(Board::default()).start_with(&registry).expect_err("refused");
    assert_eq!(
        refused.problems(),
        ["what replicas share is read in a Tokio runtime; call `Resilience::start` within one"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_armed_breaker_that_is_closed_or_isolated_by_hand_is_disarmed() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    let breaker = replica.registry.breaker("hinted-shop").expect("bound");
    for (number, isolates) in [(1, false), (2, true)] {
        board.opened_elsewhere("hinted-shop", elsewhere(number));
        sleep(KNOWN).await;
        assert!(replica.breaker().armed);
        if isolates {
            breaker.isolate();
        }
        breaker.close();
        replica.fails(4).await;
        assert_eq!(replica.state(), Closed);
        assert!(!replica.call(true).await);
        advance(OPEN).await;
    }
}
