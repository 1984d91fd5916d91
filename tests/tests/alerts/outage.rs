//! An outage in paused time: what fires when, and who shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use resilient_runtime::Resilience;
use resilient_runtime::alerts::{Alert, AlertState, Alerts};
use resilient_runtime::gate::Level;
use resilient_runtime::health::{Health, HealthStatus};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::gated::Gated;
use resilient_tests::in_process::{call, connect};
use resilient_tests::logs::{Events, listen};
use resilient_tests::loopback;
use resilient_tests::wire::error;
use tokio::time::{advance, sleep};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{STEP, Shop};

/// Of each alert, when it was pending, fired and was resolved, in seconds since the start.
type Times = BTreeMap<String, [Option<u64>; 3]>;

/// Adds what the registry shows at this time.
fn note(times: &mut Times, shop: &Shop, seconds: u64) {
    let alerts = shop.registry.alerts();
    let key = |alert: &Alert| {
        let labels: Vec<_> = alert.labels.values().map(String::as_str).collect();
        [&[alert.name], &*labels].concat().join(" ")
    };
    for alert in &alerts {
        let [pending, fired, _] = times.entry(key(alert)).or_default();
        match alert.state {
            AlertState::Pending => pending.get_or_insert(seconds),
            _ => fired.get_or_insert(seconds),
        };
    }
    for (name, [_, fired, resolved]) in times {
        if fired.is_some() && alerts.iter().all(|alert| key(alert) != *name) {
            resolved.get_or_insert(seconds);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_alerts_of_an_outage_fire_after_the_times_of_their_rules_and_are_resolved() {
    let shop = Shop::start(Alerts::new()).await;
    let mut times = Times::new();
    // Ten minutes of outage after one minute of normal operation, and then calls that succeed.
    for n in 1..=400_u64 {
        let seconds = n * 15;
        shop.step((60..660).contains(&(seconds - 15))).await;
        note(&mut times, &shop, seconds);
    }
    let shown: Vec<_> = times.iter().map(|(name, times)| (&**name, times.map(Option::unwrap_or_default))).collect();
    assert_eq!(shown, EXPECTED);
    let history = shop.registry.alert_history();
    assert_eq!(history.len(), 2 * EXPECTED.iter().filter(|(_, [_, fired, _])| *fired > 0).count());
    assert!(history.iter().all(|change| change.ended.is_some() == (change.state == AlertState::Resolved)));
}

/// In seconds since the start: pending, firing, resolved.
const EXPECTED: [(&str, [u64; 3]); 9] = [
    ("ResilientBreakerOpen bank", [75, 135, 675]),
    ("ResilientBurnRateFast", [75, 195, 960]),
    ("ResilientDependencyErrorRatioHigh bank", [75, 255, 345]),
    ("ResilientErrorRatioHigh", [75, 195, 945]),
    ("ResilientErrorRatioRaised", [75, 675, 960]),
    ("ResilientErrorsCritical DOWN fn list", [225, 525, 4110]),
    ("ResilientErrorsHigh DOWN fn list", [150, 750, 4185]),
    ("ResilientErrorsMedium DOWN fn list", [90, 1890, 4245]),
    ("ResilientErrorsMedium DOWN fn pay", [255, 2055, 3945]),
];

#[tokio::test(start_paused = true)]
async fn an_idle_server_after_an_outage_alerts_nobody() {
    let shop = Shop::start(Alerts::new()).await;
    for _ in 0..20 {
        shop.step(true).await;
    }
    assert!(!shop.firing().is_empty());
    sleep(Duration::from_secs(60 * 60)).await;
    assert!(shop.registry.alerts().is_empty(), "{:?}", shop.registry.alerts());
    let until = shop.registry.alert_history().len();
    sleep(Duration::from_secs(24 * 60 * 60)).await;
    assert_eq!(shop.registry.alert_history().len(), until);
}

#[tokio::test(start_paused = true)]
async fn a_few_calls_that_fail_alert_nobody() {
    let shop = Shop::start(Alerts::new()).await;
    let registry = shop.registry.clone();
    for _ in 0..9 {
        registry.clone().scope(async { super::list(true).await }).await.expect_err("it is down");
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!((shop.registry.alerts(), shop.registry.alert_history()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_makes_nothing_fire() {
    let shop = Shop::start(Alerts::new()).await;
    shop.step(true).await;
    shop.step(true).await;
    assert!(!shop.registry.alerts().is_empty() && shop.firing().is_empty());
    advance(Duration::from_secs(2 * 60 * 60)).await;
    shop.step(true).await;
    shop.step(true).await;
    assert_eq!(shop.firing(), []);
    shop.fire().await;
}

#[tokio::test(start_paused = true)]
async fn what_fires_is_in_the_health_report_and_does_not_change_its_status() {
    let shop = Shop::start(Alerts::new()).await;
    let health = Health::of(&shop.registry);
    let report = health.report_now().await;
    assert_eq!((report.status, report.alerts.len()), (HealthStatus::Healthy, 0));
    let json = serde_json::to_value(&report).expect("JSON");
    assert!(json.get("alerts").is_none(), "{json}");
    shop.fire().await;
    let firing = shop.firing();
    let report = health.report_now().await;
    assert_eq!(report.alerts, firing);
    let json = serde_json::to_value(report.without_details()).expect("JSON");
    assert_eq!(json["alerts"][0]["name"], "ResilientBreakerOpen");
    assert_eq!(json["alerts"][0]["severity"], "high");
    assert_eq!(json["alerts"][0]["labels"], serde_json::json!({ "breaker": "bank" }));
    assert_eq!(json["alerts"][0]["runbook"], "breaker-open");
    shop.recover().await;
    // A report that was made before, with what fires now.
    assert_eq!(health.report().await.alerts, []);
}

#[tokio::test(start_paused = true)]
async fn the_log_has_an_event_for_each_change() {
    if ran_in_a_child() {
        return;
    }
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let shop = Shop::start(Alerts::new().log()).await;
    shop.fire().await;
    for _ in 0..40 {
        shop.step(true).await;
    }
    shop.recover().await;
    let seen = events.seen();
    let of = |event: &str, alert: &str| -> Vec<String> {
        let (event, alert) = (format!("event=\"{event}\""), format!("alert=\"{alert}\""));
        seen.iter().filter(|line| line.contains(&event) && line.contains(&alert)).cloned().collect()
    };
    let [fired, resolved] = ["alert.firing", "alert.resolved"].map(|event| of(event, "ResilientBreakerOpen"));
    assert_eq!((fired.len(), resolved.len()), (1, 1), "{seen:#?}");
    assert!(fired[0].starts_with("ERROR message=The breaker bank is open "), "{}", fired[0]);
    for field in ["severity=\"high\"", "labels=\"breaker=bank\"", "value=2.0", "runbook=\"breaker-open\""] {
        assert!(fired[0].contains(field), "{field}: {}", fired[0]);
    }
    assert!(resolved[0].starts_with("INFO ") && resolved[0].contains("fired_ms="), "{}", resolved[0]);
    assert_eq!(of("alert.firing", "").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn alerts_end_with_the_handle_and_can_begin_again() {
    let shop = Shop::start(Alerts::new()).await;
    shop.fire().await;
    shop.settings.shutdown().await;
    assert_eq!(shop.registry.alerts(), []);
    assert!(!shop.registry.alert_history().is_empty());
    sleep(STEP * 10).await;
    let again = resilient_runtime::Resilience::from_variables([]).alerts(Alerts::new());
    again.start_with(&shop.registry).expect("they have ended");
}

#[tokio::test(start_paused = true)]
async fn what_a_switch_refuses_is_no_error() {
    let server = Gated::new();
    let registry = server.registry();
    let alerts = Alerts::new().client(loopback::client());
    let _settings = Resilience::from_variables([]).alerts(alerts).start_with(&registry).expect("valid settings");
    let client = connect(server).await;
    registry.gate().set_level(Some(Level::Minimal)).expect("set");
    sleep(STEP + Duration::from_secs(1)).await;
    for _ in 0..150 {
        let refused = error(&call(&client, "read", &serde_json::json!({})).await);
        assert_eq!(refused["code"], "CACHE_ONLY");
    }
    sleep(STEP).await;
    let names: Vec<_> = registry.alerts().iter().map(|alert| alert.name).collect();
    assert_eq!(names, ["ResilientLevelNotNormal"]);
}
