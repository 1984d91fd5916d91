//! Breakers while the shared state does not answer: they work as if they were not shared.

use std::time::Duration;

use resilient_runtime::Guard;
use resilient_runtime::breaker::BreakerState::{Closed, Open};
use resilient_runtime::breaker::Reason;
use resilient_tests::logs::{Events, listen};
use tokio::time::{Instant, sleep};
use tracing_subscriber::layer::SubscriberExt;

use super::board::Outage;
use super::{Board, KNOWN, Replica, SETTINGS, shared};

static SHOP: Guard = Guard::new("cut-off-shop", shared("cut-off-shop", SETTINGS));

#[tokio::test(start_paused = true)]
async fn whatever_the_store_does_breakers_work_alone_and_share_again_when_it_is_back() {
    for outage in Outage::ALL {
        let board = Board::default();
        let [replica, other] = Replica::several(&board, &SHOP);
        sleep(KNOWN).await;
        assert_eq!((replica.degraded(), other.degraded()), (0, 0));
        board.set_outage(Some(outage));
        sleep(Duration::from_millis(5_400)).await;
        assert_eq!((replica.degraded(), other.degraded()), (5, 5), "{outage:?}: once a second");

        let called = Instant::now();
        replica.fails(5).await;
        other.fails(4).await;
        assert!(replica.call(true).await && !other.call(true).await, "{outage:?}");
        assert_eq!((replica.state(), other.state()), (Open, Closed), "{outage:?}");
        assert_eq!(called.elapsed(), Duration::ZERO, "{outage:?}: no call waits for the store");

        sleep(Duration::from_secs(3)).await;
        board.set_outage(None);
        sleep(KNOWN * 2).await;
        assert_eq!(board.published().len(), 1, "{outage:?}: the breaker is still open");
        other.fails(1).await;
        assert_eq!(other.openings(), [Reason::Peer], "{outage:?}");
        let degraded = (replica.degraded(), other.degraded());
        sleep(Duration::from_secs(5)).await;
        assert_eq!((replica.degraded(), other.degraded()), degraded, "{outage:?}: it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn an_opening_is_not_published_after_it_is_over() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    board.set_outage(Some(Outage::Refuses));
    replica.fails(5).await;
    sleep(Duration::from_secs(31)).await;
    board.set_outage(None);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((replica.state(), board.published()), (Open, vec![]), "no call has probed");
}

#[tokio::test(start_paused = true)]
async fn a_late_publication_lasts_as_long_as_the_breaker_is_open() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    sleep(KNOWN).await;
    board.set_outage(Some(Outage::Refuses));
    replica.fails(5).await;
    sleep(Duration::from_secs(10)).await;
    board.set_outage(None);
    sleep(Duration::from_secs(1)).await;
    let published = board.published();
    assert_eq!(published.len(), 1);
    assert!((19..=20).contains(&published[0].lasts.as_secs()), "{published:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_logged_when_it_begins_and_when_it_ends() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let board = Board::default();
    let [_replica] = Replica::several(&board, &SHOP);
    for outage in [Outage::Refuses, Outage::Hangs, Outage::AnswersTooMany] {
        sleep(Duration::from_secs(3)).await;
        board.set_outage(Some(outage));
        sleep(Duration::from_secs(3)).await;
        board.set_outage(None);
    }
    sleep(Duration::from_secs(3)).await;
    let seen: Vec<_> = events.seen().into_iter().filter(|line| line.contains("distributed.")).collect();
    let degraded = |error| format!("WARN event=\"distributed.degraded\" part=\"breaker\" error=\"{error}\" ");
    let recovered = "INFO event=\"distributed.recovered\" part=\"breaker\" ".to_owned();
    assert_eq!(
        seen,
        [
            degraded("away"),
            recovered.clone(),
            degraded("no answer in time"),
            recovered.clone(),
            degraded("2 answers for 1 breakers"),
            recovered,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_handle_shuts_down_while_the_store_hangs() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    board.set_outage(Some(Outage::Hangs));
    replica.fails(5).await;
    sleep(KNOWN).await;
    let begun = Instant::now();
    replica.handle.shutdown().await;
    assert!(begun.elapsed() <= Duration::from_millis(1));
}
