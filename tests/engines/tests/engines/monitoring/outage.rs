//! An outage of the upstream, as Prometheus sees it and as the alerts in the process do.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    browser::Browser,
    http_server::Server,
    page::{TOKEN, assert_clean, open},
};

use super::{
    alertmanager::Alertmanager,
    expression::{of_dashboard, without_selection},
    prometheus::Prometheus,
    receiver::Receiver,
    traffic::Traffic,
};

/// The maximum time until an alert arrives whose condition has to hold for two minutes.
const LONG: Duration = Duration::from_secs(300);

/// How often the alerts in the process are evaluated.
const EVALUATION: Duration = Duration::from_secs(15);

/// How much later a notification may arrive on a busy machine: scrape, evaluation, and the wait for a group.
const DELAY: Duration = Duration::from_secs(10);

/// Rules over days, which `promtool test rules` tests.
const OVER_DAYS: [&str; 1] = ["ResilientSlowerThanYesterday"];

const BREAKER_OPEN: &str = "ResilientBreakerOpen";

#[tokio::test]
async fn an_outage_fires_the_same_alerts_in_prometheus_and_in_the_process_and_its_end_resolves_them() {
    let (by_prometheus, by_process) = (Receiver::start().await, Receiver::start().await);
    let url = by_process.url();
    let environment = [
        ("RESILIENT_ALERT_WEBHOOK", &*url),
        ("RESILIENT_ADMIN_TOKEN", TOKEN),
        // More probes fail, so that the alerts that need ten failed calls do not take longer than the others.
        ("RESILIENT__BREAKER__MAKE__OPEN", "2s"),
    ];
    let server = Arc::new(Server::start_with(&["--admin", "127.0.0.1:0"], &environment).await);
    let alertmanager = Alertmanager::start(&by_prometheus.url()).await;
    let target = server.origin.trim_start_matches("http://");
    let prometheus = Prometheus::start(target, Some(alertmanager.address())).await;

    let traffic = Traffic::start(&server);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(by_prometheus.received().len(), 0, "{:#?}", by_prometheus.received());
    server.enter("outage").await;
    let began = Instant::now();
    // Their conditions have to hold for one minute, and for two.
    for alert in [BREAKER_OPEN, "ResilientBurnRateFast"] {
        for receiver in [&by_prometheus, &by_process] {
            receiver.wait(LONG, "firing", alert).await;
        }
    }
    assert_every_expression_has_series(&prometheus).await;
    assert_page_has_alert(&server).await;

    server.enter("recovery").await;
    for receiver in [&by_prometheus, &by_process] {
        let resolved = receiver.wait(LONG, "resolved", BREAKER_OPEN).await;
        assert_eq!(resolved.severity, "high");
    }
    drop(traffic);

    let deadline = Instant::now() + EVALUATION + DELAY;
    let keys = |receiver: &Receiver| receiver.fired().into_keys().collect::<BTreeSet<_>>();
    while keys(&by_prometheus) != keys(&by_process) && Instant::now() < deadline {
        sleep(Duration::from_secs(1)).await;
    }
    let (fired, own) = (by_prometheus.fired(), by_process.fired());
    assert_eq!(keys(&by_prometheus), keys(&by_process));
    let after = |at: Instant| at.duration_since(began);
    let times: Vec<_> = fired.iter().map(|(alert, at)| (alert, after(*at), after(own[alert]))).collect();
    for (alert, by_prometheus, by_process) in &times {
        let apart = by_prometheus.abs_diff(*by_process);
        assert!(apart <= EVALUATION + DELAY, "{alert:?}: {apart:?} apart: {times:#?}");
    }
}

async fn assert_page_has_alert(server: &Server) {
    let browser = Browser::start().await;
    browser.resize(1200, 900).await;
    open(&browser, server, "/status").await;
    browser.picture("alerts").await;
    assert_clean(&browser, "alerts").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    let text = browser.text().await;
    assert!(text.contains(BREAKER_OPEN) && text.contains("firing"), "{text}");
}

async fn assert_every_expression_has_series(prometheus: &Prometheus) {
    let rules = prometheus.rules().await;
    assert!(rules.iter().any(|rule| rule.is_alert) && rules.len() > 15, "{rules:#?}");
    let mut without = Vec::new();
    for rule in &rules {
        if prometheus.series(&without_selection(&rule.expression)).await == 0 {
            without.push(rule.name.as_str());
        }
    }
    assert_eq!(without, OVER_DAYS, "rules without a series");
    let panels = of_dashboard();
    assert!(panels.len() > 5, "{panels:#?}");
    let mut without = Vec::new();
    for (title, expression) in panels {
        if prometheus.series(&without_selection(&expression)).await == 0 {
            without.push(format!("{title}: {expression}"));
        }
    }
    assert_eq!(without, Vec::<String>::new(), "panels without a series");
}
