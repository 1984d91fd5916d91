//! Sinks that accept, refuse, hang or are down. No call ever waits for one, and nothing is lost without a count.

use std::collections::BTreeSet;
use std::time::Duration;

use resilient_runtime::alerts::{Alerts, Endpoint};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::logs::{Events, listen};
use tokio::time::{Instant, sleep};
use tracing_subscriber::layer::SubscriberExt as _;

use super::Shop;
use super::server::{Mode, Server};

const NAME: &str = "ResilientBreakerOpen";

#[tokio::test(start_paused = true)]
async fn a_webhook_hears_firing_and_resolved_with_its_token_and_all_labels() {
    let server = Server::start(Mode::Accept).await;
    let endpoint = Endpoint::new(format!("{}/hook?key=1", server.url())).bearer_token("geheim-4711");
    let shop = Shop::start(Alerts::new().webhook(endpoint).label("job", "shop").label("instance", "one")).await;
    shop.fire().await;
    shop.recover().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.notified("firing").iter().filter(|name| **name == NAME).count(), 1);
    assert_eq!(server.notified("resolved").iter().filter(|name| **name == NAME).count(), 1);
    let first = &server.accepted()[0];
    assert_eq!((&*first.path, first.authorization.as_deref()), ("/hook", Some("Bearer geheim-4711")));
    let labels = serde_json::json!({
        "alertname": NAME, "breaker": "bank", "instance": "one", "job": "shop", "severity": "high"
    });
    assert_eq!(first.body["alerts"][0]["labels"], labels);
    assert_eq!(shop.lost("webhook"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alertmanager_hears_what_fires_every_minute_until_it_is_resolved() {
    let server = Server::start(Mode::Accept).await;
    let shop = Shop::start(Alerts::new().alertmanager(server.url())).await;
    shop.fire().await;
    let began = Instant::now();
    for _ in 0..40 {
        shop.step(true).await;
    }
    let minutes = began.elapsed().as_secs() / 60;
    let accepted = server.accepted();
    assert!(accepted.iter().all(|request| request.path == "/api/v2/alerts"));
    let sent = u64::try_from(accepted.len()).expect("a count");
    assert!((minutes..=minutes + 10).contains(&sent), "{sent} requests in {minutes} minutes");
    let instance = accepted[0].body[0]["labels"]["instance"].as_str().expect("an instance");
    assert!(instance.ends_with(&format!(":{}", std::process::id())), "{instance}");
    shop.recover().await;
    sleep(Duration::from_secs(1)).await;
    let accepted = server.accepted();
    let last = accepted.last().expect("a request").body[0].clone();
    assert!(last["endsAt"].as_str() >= last["startsAt"].as_str(), "{last}");
    let until = accepted.len();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(server.accepted().len(), until, "nothing fires");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_receives_everything_later() {
    let (mut webhook, mut manager) = (Server::down(Mode::Accept).await, Server::down(Mode::Accept).await);
    let shop = Shop::start(Alerts::new().webhook(webhook.url()).alertmanager(manager.url())).await;
    shop.fire().await;
    let begun = Instant::now();
    shop.step(true).await;
    assert_eq!(begun.elapsed(), super::STEP, "calls do not wait");
    shop.recover().await;
    let changes = shop.registry.alert_history().len();
    webhook.resume().await;
    manager.resume().await;
    // The longest delay between two tries is a minute.
    sleep(Duration::from_secs(61)).await;
    // One notification of each name, with what is so now.
    let names: BTreeSet<_> = shop.registry.alert_history().iter().map(|change| change.name.to_owned()).collect();
    let notified = webhook.notified("resolved");
    assert_eq!((notified.len(), notified.into_iter().collect()), (names.len(), names));
    assert_eq!(webhook.notified("firing").len(), 0);
    let resolved = manager.accepted().iter().map(|request| request.body.as_array().map_or(0, Vec::len)).sum::<usize>();
    assert_eq!(resolved, changes / 2);
    assert_eq!((shop.lost("webhook"), shop.lost("alertmanager")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_or_answers_500_is_tried_again_and_the_other_one_is_not_delayed() {
    for mode in [Mode::Hang, Mode::Answer(500), Mode::Answer(503), Mode::Answer(429), Mode::Answer(408)] {
        let (bad, good) = (Server::start(mode.clone()).await, Server::start(Mode::Accept).await);
        let shop = Shop::start(Alerts::new().webhook(bad.url()).webhook(good.url())).await;
        shop.fire().await;
        let begun = Instant::now();
        for _ in 0..20 {
            shop.step(true).await;
        }
        assert_eq!(begun.elapsed(), super::STEP * 20, "calls do not wait");
        assert!(!good.notified("firing").is_empty(), "{mode:?}");
        let tries = bad.arrived().len();
        assert!((4..=40).contains(&tries), "{mode:?}: {tries} tries within 5 minutes");
        bad.set(Mode::Accept);
        // The longest delay between two tries is a minute, and a request that hangs takes 10 s.
        for _ in 0..5 {
            shop.step(true).await;
        }
        assert!(bad.notified("firing").iter().any(|name| name == NAME), "{mode:?}");
        assert_eq!(shop.lost("webhook"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_refuses_is_counted_as_lost_and_redirects_are_not_followed() {
    let elsewhere = Server::start(Mode::Accept).await;
    for mode in [Mode::Answer(400), Mode::Answer(410), Mode::Redirect(format!("{}/other", elsewhere.url()))] {
        let server = Server::start(mode.clone()).await;
        let endpoint = Endpoint::new(server.url()).bearer_token("geheim-4711");
        let shop = Shop::start(Alerts::new().webhook(endpoint.clone()).alertmanager(endpoint)).await;
        shop.fire().await;
        sleep(Duration::from_secs(2)).await;
        let lost = shop.lost("webhook");
        assert!(lost >= 1, "{mode:?}");
        // What fires is sent again.
        assert_eq!(shop.lost("alertmanager"), 0, "{mode:?}");
        shop.recover().await;
        sleep(Duration::from_secs(2)).await;
        let changes = u64::try_from(shop.registry.alert_history().len()).expect("a count");
        assert_eq!((shop.lost("webhook"), shop.lost("alertmanager")), (changes, changes / 2), "{mode:?}");
    }
    assert_eq!(elsewhere.arrived().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_being_replaced_loses_nothing_for_some_minutes() {
    for status in [401, 403, 404] {
        let server = Server::start(Mode::Answer(status)).await;
        let shop = Shop::start(Alerts::new().webhook(server.url())).await;
        shop.fire().await;
        for _ in 0..4 {
            shop.step(true).await;
        }
        assert_eq!(shop.lost("webhook"), 0, "{status}");
        server.set(Mode::Accept);
        for _ in 0..5 {
            shop.step(true).await;
        }
        assert!(server.notified("firing").iter().any(|name| name == NAME), "{status}");
        assert_eq!(shop.lost("webhook"), 0, "{status}");
        server.set(Mode::Answer(status));
        shop.recover().await;
        sleep(Duration::from_secs(1_200)).await;
        assert!(shop.lost("webhook") > 0, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_read_from_its_file_for_each_request() {
    let server = Server::start(Mode::Accept).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let shop = Shop::start(Alerts::new().webhook(Endpoint::new(server.url()).bearer_token_file(&path))).await;
    shop.fire().await;
    assert_eq!(server.arrived().len(), 0, "there is no file yet");
    for token in ["first-4711", "second-4711"] {
        std::fs::write(&path, format!("{token}\n")).expect("the file");
        sleep(Duration::from_secs(61)).await;
        shop.fire().await;
        shop.recover().await;
        sleep(Duration::from_secs(61)).await;
        let last = server.accepted().pop().expect("a request");
        assert_eq!(last.authorization, Some(format!("Bearer {token}")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_names_a_failing_sink_once_and_shows_no_secret() {
    if ran_in_a_child() {
        return;
    }
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let server = Server::start(Mode::Answer(500)).await;
    let url = server.url().replace("http://", "http://user:geheim-1@") + "/geheim-2?key=geheim-3";
    let shop = Shop::start(Alerts::new().webhook(Endpoint::new(url).bearer_token("geheim-4"))).await;
    shop.fire().await;
    for _ in 0..20 {
        shop.step(true).await;
    }
    server.set(Mode::Accept);
    sleep(Duration::from_secs(61)).await;
    server.set(Mode::Answer(400));
    shop.recover().await;
    sleep(Duration::from_secs(61)).await;
    let seen = events.seen();
    let of = |event: &str| -> Vec<&String> {
        seen.iter().filter(|line| line.contains(&format!("event=\"{event}\""))).collect()
    };
    let failed = of("alert.sink_failed");
    assert!(failed[0].contains("error=\"status 500\"") && failed[0].contains(&server.url()), "{}", failed[0]);
    assert_eq!(failed.iter().filter(|line| line.contains("500")).count(), 1, "{failed:#?}");
    assert_eq!(of("alert.sink_recovered").len(), 1);
    assert!(of("alert.lost")[0].contains("reason=\"the receiver refused it\""), "{:?}", of("alert.lost"));
    assert!(seen.iter().all(|line| !line.contains("geheim")), "{seen:#?}");
}
