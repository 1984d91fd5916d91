//! The end of the alerts: the last requests, with a deadline.

use std::time::Duration;

use resilient_runtime::alerts::Alerts;
use tokio::time::{Instant, sleep};

use super::Shop;
use super::server::{Mode, Server};

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_sends_what_is_waiting() {
    let (webhook, manager) = (Server::start(Mode::Answer(500)).await, Server::start(Mode::Answer(500)).await);
    let shop = Shop::start(Alerts::new().webhook(webhook.url()).alertmanager(manager.url())).await;
    shop.fire().await;
    sleep(Duration::from_secs(30)).await;
    webhook.set(Mode::Accept);
    manager.set(Mode::Accept);
    shop.settings.shutdown().await;
    assert!(!webhook.notified("firing").is_empty());
    assert_eq!(manager.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_delays_the_end_by_five_seconds_and_its_alerts_are_counted() {
    let server = Server::start(Mode::Hang).await;
    let shop = Shop::start(Alerts::new().webhook(server.url()).alertmanager(server.url())).await;
    shop.fire().await;
    let changes = u64::try_from(shop.registry.alert_history().len()).expect("a count");
    let begun = Instant::now();
    shop.settings.shutdown().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert_eq!((shop.lost("webhook"), shop.lost("alertmanager")), (changes, changes));
}

#[tokio::test(start_paused = true)]
async fn a_server_with_nothing_to_send_ends_at_once() {
    let server = Server::start(Mode::Hang).await;
    let shop = Shop::start(Alerts::new().webhook(server.url()).alertmanager(server.url())).await;
    let begun = Instant::now();
    shop.settings.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    assert_eq!(server.arrived().len(), 0);
}
