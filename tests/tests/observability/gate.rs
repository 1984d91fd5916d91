//! The gate in the log, in metrics and in health reports.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{GateSettings, Switches};
use resilient_runtime::gate::Level;
use resilient_runtime::health::Health;
use resilient_runtime::{Registry, export::prometheus, http};
use resilient_tests::gated::{Gated, TAKES};
use resilient_tests::in_process::{call, connect};
use resilient_tests::logs::{Events, listen};
use resilient_tests::scrape::scrape;
use resilient_tests::wire::error;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

#[tokio::test(start_paused = true)]
async fn changes_and_refusals_are_logged_and_counted_under_their_reasons() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let server = Gated::new();
    let registry = server.registry();
    let gate = registry.gate();
    let client = Arc::new(connect(server).await);
    let refused = async |tool| error(&call(&client, tool, &json!({})).await)["details"].clone();

    let mut settings = GateSettings::default();
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    gate.__start(settings);
    gate.set_level(Some(Level::Degraded)).expect("set");
    let running = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { call(&client, "write", &json!({})).await })
    };
    tokio::time::sleep(TAKES / 2).await;
    let busy = refused("write").await;
    assert_eq!((&busy["reason"], &busy["level"]), (&json!("concurrency"), &json!("degraded")), "{busy}");
    assert_eq!(running.await.expect("no panic").is_error, Some(false));
    gate.set_level(Some(Level::Minimal)).expect("set");
    assert_eq!(refused("read").await["reason"], "cache_only");
    gate.set_level(None).expect("set");
    let switches = Switches { read_only: true, ..Switches::default() };
    gate.__reload(GateSettings { switches, ..GateSettings::default() });
    assert_eq!(refused("write").await["reason"], "read_only");
    gate.switch_tool("write", false).expect("known");
    assert_eq!(refused("write").await["reason"], "disabled");

    let seen = events.seen();
    let has = |parts: &[&str]| seen.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    for parts in [
        &["WARN", "level.changed", "from=\"normal\"", "to=\"degraded\"", "reason=\"admin\""][..],
        &["WARN", "level.changed", "from=\"minimal\"", "to=\"normal\"", "reason=\"default\""],
        &["WARN", "switch.changed", "switch=\"writes\"", "enabled=false", "by=\"settings\""],
        &["WARN", "switch.changed", "switch=\"tool\"", "name=\"write\"", "enabled=false", "by=\"admin\""],
        &["DEBUG", "gate.refused", "tool=\"write\"", "reason=\"concurrency\""],
        &["DEBUG", "gate.refused", "tool=\"read\"", "reason=\"cache_only\""],
        &["DEBUG", "gate.refused", "tool=\"write\"", "reason=\"read_only\""],
        &["DEBUG", "gate.refused", "tool=\"write\"", "reason=\"disabled\""],
    ] {
        assert!(has(parts), "{parts:?} in {seen:#?}");
    }
    let metrics = scrape(&prometheus::text(&registry));
    let count = |series: &str| metrics.get(series).copied().unwrap_or_else(|| panic!("{series} in {metrics:#?}"));
    for (tool, reason) in
        [("write", "concurrency"), ("read", "cache_only"), ("write", "read_only"), ("write", "disabled")]
    {
        let series = format!("resilient_rejected{{reason={reason},tool={tool}}}");
        assert!((count(&series) - 1.0).abs() < f64::EPSILON, "{series}");
    }
    for level in Level::ALL {
        let series = format!("resilient_level{{level={level}}}");
        assert!((count(&series) - f64::from(u8::from(*level == Level::Normal))).abs() < f64::EPSILON, "{series}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_kept_has_the_level_that_holds_now() {
    let registry = Arc::new(Registry::new());
    let health = Health::of(&registry);
    assert_eq!(health.report().await.level, Level::Normal);
    registry.gate().set_level(Some(Level::Minimal)).expect("set");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = health.report().await;
    assert_eq!((report.level, report.age >= Duration::from_secs(1)), (Level::Minimal, true));
}

#[tokio::test]
async fn the_probe_of_the_health_shows_the_level() {
    let registry = Arc::new(Registry::new());
    let origin = super::http::serve(http::router(Arc::new(Health::of(&registry)))).await;
    for level in [Level::Normal, Level::Degraded] {
        registry.gate().set_level(Some(level)).expect("set");
        let (status, report) = super::http::json_of(&origin, "/healthz").await;
        assert_eq!((status, &report["level"]), (200, &json!(level.as_str())), "{report}");
    }
}
