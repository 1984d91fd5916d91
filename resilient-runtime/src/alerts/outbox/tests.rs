//! What outboxes send, and what they lose.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::alerting::rules::RULES;
use crate::alerting::{Alert, Finding, Machine};
use crate::alerts::alertmanager::Current;
use crate::alerts::payload::{Identity, ServerIdentity};
use crate::alerts::webhook::Notifications;

const STEP: Duration = Duration::from_secs(15);

/// Breakers of these numbers are open.
struct Outage {
    machine: Machine,
    now: Instant,
    at: SystemTime,
}

impl Outage {
    fn new() -> Self {
        Self { machine: Machine::default(), now: Instant::now(), at: UNIX_EPOCH + Duration::from_secs(1_000_000) }
    }

    fn step(&mut self, open: impl IntoIterator<Item = u32>) -> Step {
        let rule = RULES.iter().find(|rule| rule.name == "ResilientBreakerOpen").expect("the rule");
        let finding = |n: u32| Finding { rule, labels: vec![("breaker", format!("b{n}").into())], value: 2.0 };
        (self.now, self.at) = (self.now + STEP, self.at + STEP);
        self.machine.step(self.now, self.at, open.into_iter().map(finding).collect())
    }

    /// Evaluates until the alerts have just begun to fire.
    fn fire(&mut self, open: std::ops::Range<u32>) -> Step {
        for _ in 0..4 {
            self.step(open.clone());
        }
        self.step(open)
    }
}

fn server() -> ServerIdentity {
    let labels = [("instance".to_owned(), "here:1".to_owned())].into();
    Arc::new(Identity { labels, runbooks: "https://wiki.example/".into() })
}

fn body(outbox: &mut impl Outbox, outage: &Outage) -> Option<Value> {
    match outbox.next(outage.now, outage.at) {
        Next::Send(body) => Some(body),
        Next::Wait(_) => None,
    }
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {value}"))
}

#[test]
fn a_webhook_receives_the_body_of_version_4() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    assert_eq!(outbox.add(&outage.fire(1..3)), 0);
    let sent = body(&mut outbox, &outage).expect("a notification");
    assert_eq!(sent["version"], "4");
    assert_eq!(sent["truncatedAlerts"], 0);
    assert_eq!(sent["groupLabels"], serde_json::json!({ "alertname": "ResilientBreakerOpen" }));
    assert_eq!(text(&sent, "/groupKey"), "{}:{alertname=\"ResilientBreakerOpen\"}");
    let common = serde_json::json!({ "alertname": "ResilientBreakerOpen", "instance": "here:1", "severity": "high" });
    assert_eq!(sent["commonLabels"], common);
    assert_eq!(text(&sent, "/commonAnnotations/runbook_url"), "https://wiki.example/breaker-open.md");
    assert_eq!((text(&sent, "/status"), text(&sent, "/alerts/1/status")), ("firing", "firing"));
    assert_eq!(text(&sent, "/alerts/0/labels/breaker"), "b1");
    assert_eq!(text(&sent, "/alerts/0/annotations/summary"), "The breaker b1 is open");
    assert_eq!(text(&sent, "/alerts/0/startsAt"), "1970-01-12T13:47:55Z");
    assert_eq!(text(&sent, "/alerts/0/endsAt"), "0001-01-01T00:00:00Z");
    assert_eq!(text(&sent, "/alerts/0/fingerprint").len(), 16);
    outbox.sent(outage.now);
    assert_eq!((body(&mut outbox, &outage), outbox.unsent()), (None, 0));
    // One of them is resolved, and the notification shows both.
    outbox.add(&outage.step(1..2));
    let sent = body(&mut outbox, &outage).expect("a notification");
    let statuses = ["/status", "/alerts/0/status", "/alerts/1/status"].map(|path| text(&sent, path));
    assert_eq!(statuses, ["firing", "firing", "resolved"]);
    assert_eq!(text(&sent, "/alerts/1/endsAt"), "1970-01-12T13:48:10Z");
    outbox.sent(outage.now);
    outbox.add(&outage.step(0..0));
    assert_eq!(text(&body(&mut outbox, &outage).expect("a notification"), "/status"), "resolved");
}

#[test]
fn what_is_not_sent_is_replaced_by_what_fires_now_and_repetitions_do_not_pile_up() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    outbox.add(&outage.fire(1..2));
    // Three hours, in which it would be repeated 36 times.
    for _ in 0..720 {
        assert!(body(&mut outbox, &outage).is_some());
        outbox.add(&outage.step(1..2));
    }
    outbox.add(&outage.step(0..0));
    assert_eq!(outbox.unsent(), 2);
    let mut statuses = Vec::new();
    while let Some(sent) = body(&mut outbox, &outage) {
        statuses.push(text(&sent, "/status").to_owned());
        outbox.sent(outage.now);
    }
    assert_eq!(statuses, ["resolved"]);
    assert_eq!(outbox.unsent(), 0);
}

#[test]
fn a_receiver_that_answers_hears_that_an_alert_still_fires() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    outbox.add(&outage.fire(1..2));
    let mut sent = Vec::new();
    for n in 0..60 {
        if body(&mut outbox, &outage).is_some() {
            sent.push(n);
            outbox.sent(outage.now);
        }
        outbox.add(&outage.step(1..2));
    }
    assert_eq!(sent, [0, 20, 40]);
}

#[test]
fn the_notifications_of_a_webhook_are_bounded_and_what_is_dropped_is_counted() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    let (mut lost, mut changes) = (0, 0_u64);
    for n in 0..40_u32 {
        let from = (n / 2) * 500;
        let step = if n % 2 == 0 { outage.fire(from..from + 500) } else { outage.step(0..0) };
        changes += u64::try_from(step.changes.len()).expect("a count");
        lost += outbox.add(&step);
        // Each try fails.
        let sent = body(&mut outbox, &outage).expect("a notification");
        assert!(sent["alerts"].as_array().is_some_and(|alerts| alerts.len() <= 1_500), "{n}");
        assert_eq!(outbox.failed(outage.now, None), None);
    }
    assert_eq!((lost, lost + outbox.unsent(), changes), (9_000, changes, 20_000));
    let newest = body(&mut outbox, &outage).expect("a notification");
    assert_eq!((text(&newest, "/status"), newest["alerts"].as_array().map(Vec::len)), ("resolved", Some(1_000)));
    outbox.sent(outage.now);
    assert_eq!((body(&mut outbox, &outage), outbox.unsent()), (None, 0));
}

#[test]
fn what_a_webhook_refuses_is_lost_and_the_next_one_follows() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    outbox.add(&outage.fire(1..4));
    assert!(body(&mut outbox, &outage).is_some());
    outbox.add(&outage.step(0..0));
    assert_eq!((outbox.failed(outage.now, Some(1)), outbox.unsent()), (Some(3), 3));
    assert_eq!(text(&body(&mut outbox, &outage).expect("a notification"), "/status"), "resolved");
}

#[test]
fn a_notification_that_always_fails_does_not_block_others_and_is_given_up() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    let mut step = outage.fire(1..2);
    // Something else fires.
    let other = Arc::new(Alert { name: "ResilientMemoryHigh", ..Alert::clone(&step.active[0]) });
    let mut change = step.changes[0].clone();
    change.alert = Arc::clone(&other);
    step.active.push(other);
    step.changes.push(change);
    outbox.add(&step);
    let (mut tries, mut accepted, mut lost) = (0, 0, 0);
    while let Some(sent) = body(&mut outbox, &outage) {
        if text(&sent, "/groupLabels/alertname") == "ResilientMemoryHigh" {
            accepted += 1;
            assert_eq!(tries, 1);
            outbox.sent(outage.now);
        } else {
            tries += 1;
            lost += outbox.failed(outage.now, Some(60)).unwrap_or_default();
        }
    }
    assert_eq!((tries, accepted, lost, outbox.unsent()), (60, 1, 1, 0));
}

#[test]
fn an_alert_that_fires_again_before_it_was_sent_as_resolved_only_fires() {
    let (mut outage, mut outbox) = (Outage::new(), Notifications::new(server()));
    outbox.add(&outage.fire(1..2));
    outbox.add(&outage.step(0..0));
    outbox.add(&outage.fire(1..2));
    let sent = body(&mut outbox, &outage).expect("a notification");
    assert_eq!((text(&sent, "/status"), sent["alerts"].as_array().map(Vec::len)), ("firing", Some(1)));
    // Resolved while the request runs: sent with the next one.
    outbox.add(&outage.step(0..0));
    outbox.sent(outage.now);
    assert_eq!(text(&body(&mut outbox, &outage).expect("a notification"), "/status"), "resolved");
    outbox.sent(outage.now);
    assert_eq!((body(&mut outbox, &outage), outbox.unsent()), (None, 0));
}

#[test]
fn an_alertmanager_hears_every_minute_what_fires_and_once_what_is_resolved() {
    let (mut outage, mut outbox) = (Outage::new(), Current::new(server()));
    outbox.add(&outage.fire(1..2));
    let mut sent = Vec::new();
    for n in 0..16 {
        if let Some(body) = body(&mut outbox, &outage) {
            assert_eq!(body.as_array().map(Vec::len), Some(1));
            assert_eq!(text(&body, "/0/labels/alertname"), "ResilientBreakerOpen");
            // Four minutes from now, in case this process ends.
            let ends = crate::error::rfc3339(outage.at + Duration::from_secs(240));
            assert_eq!((text(&body, "/0/endsAt"), text(&body, "/0/startsAt")), (&*ends, "1970-01-12T13:47:55Z"));
            sent.push(n);
            outbox.sent(outage.now);
        }
        outbox.add(&outage.step(1..2));
    }
    assert_eq!(sent, [0, 4, 8, 12]);
    outbox.add(&outage.step(0..0));
    let resolved = body(&mut outbox, &outage).expect("a request");
    assert_eq!(text(&resolved, "/0/endsAt"), crate::error::rfc3339(outage.at));
    outbox.sent(outage.now);
    assert_eq!(outbox.next(outage.now, outage.at), Next::Wait(None));
}

#[test]
fn an_alertmanager_that_is_down_hears_later_what_was_resolved_meanwhile_and_what_fires_then() {
    let (mut outage, mut outbox) = (Outage::new(), Current::new(server()));
    outbox.add(&outage.fire(1..3));
    for _ in 0..40 {
        assert!(body(&mut outbox, &outage).is_some(), "it is tried again");
        outbox.add(&outage.step(1..3));
    }
    outbox.add(&outage.step(1..2));
    assert_eq!(outbox.unsent(), 3);
    let late = body(&mut outbox, &outage).expect("a request");
    assert_eq!((text(&late, "/0/labels/breaker"), text(&late, "/1/labels/breaker")), ("b2", "b1"));
    outbox.sent(outage.now);
    assert_eq!(outbox.unsent(), 0);
    let next = outbox.next(outage.now, outage.at);
    assert_eq!(next, Next::Wait(Some(outage.now + Duration::from_secs(60))));
}

#[test]
fn what_changes_while_a_request_runs_is_sent_with_the_next_one() {
    let (mut outage, mut outbox) = (Outage::new(), Current::new(server()));
    outbox.add(&outage.fire(1..3));
    assert!(body(&mut outbox, &outage).is_some());
    outbox.add(&outage.step(1..2));
    outbox.sent(outage.now);
    let next = body(&mut outbox, &outage).expect("a request");
    assert_eq!(next.as_array().map(Vec::len), Some(2));
    // Refused for good: what fires is sent again a minute later, what was resolved is lost.
    assert_eq!(outbox.failed(outage.now, Some(1)), Some(1));
    assert_eq!(body(&mut outbox, &outage), None);
}

#[test]
fn the_resolved_alerts_for_an_alertmanager_are_bounded() {
    let (mut outage, mut outbox) = (Outage::new(), Current::new(server()));
    let mut lost = 0;
    for _ in 0..5 {
        lost += outbox.add(&outage.fire(0..600));
        assert!(body(&mut outbox, &outage).is_some());
        lost += outbox.add(&outage.step(0..0));
    }
    assert_eq!(lost, 2_000);
    let sent = body(&mut outbox, &outage).expect("a request");
    assert_eq!(sent.as_array().map(Vec::len), Some(1_000));
    outbox.sent(outage.now);
    assert_eq!(outbox.unsent(), 0);
}
