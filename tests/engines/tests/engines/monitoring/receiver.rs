//! A webhook that receives alerts in Alertmanager's format, version 4.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::post};
use resilient_tests::loopback::Upstream;
use serde_json::Value;
use tokio::{sync::watch, time::timeout};

/// An alert: its name and its other labels, without those of the server and the rule.
pub(super) type Alert = (String, BTreeMap<String, String>);

/// A change of an alert.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) alert: Alert,
    pub(super) severity: String,
    /// `firing` or `resolved`.
    pub(super) status: String,
    /// When it arrived.
    pub(super) at: Instant,
}

/// The webhook. It ends on drop.
pub(super) struct Receiver {
    upstream: Upstream,
    received: watch::Receiver<Vec<Change>>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let (sender, received) = watch::channel(Vec::new());
        let routes = Router::new().route("/", post(receive)).with_state(sender);
        Self { upstream: Upstream::start(routes).await.unwrap(), received }
    }

    pub(super) fn url(&self) -> String {
        format!("{}/", self.upstream.origin())
    }

    /// Waits for the first change that matches.
    pub(super) async fn wait(&self, patience: Duration, status: &str, name: &str) -> Change {
        let matches = |change: &&Change| change.status == status && change.alert.0 == name;
        let mut received = self.received.clone();
        match timeout(patience, received.wait_for(|changes| changes.iter().any(|change| matches(&change)))).await {
            Ok(Ok(changes)) => changes.iter().find(matches).unwrap().clone(),
            _ => panic!("no {name} is {status}: {:#?}", self.received.borrow()),
        }
    }

    /// Returns the changes so far.
    pub(super) fn received(&self) -> Vec<Change> {
        self.received.borrow().clone()
    }

    /// Returns when each alert fired first.
    pub(super) fn fired(&self) -> BTreeMap<Alert, Instant> {
        let mut fired = BTreeMap::new();
        for change in self.received().into_iter().filter(|change| change.status == "firing") {
            fired.entry(change.alert).or_insert(change.at);
        }
        fired
    }
}

async fn receive(State(received): State<watch::Sender<Vec<Change>>>, Json(body): Json<Value>) {
    assert_eq!(body["version"], "4", "{body}");
    let changes = body["alerts"].as_array().expect("alerts").iter().map(read);
    received.send_modify(|all| all.extend(changes));
}

fn read(alert: &Value) -> Change {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{alert}")).to_owned();
    for annotation in ["summary", "description", "runbook_url"] {
        assert!(!text(&alert["annotations"][annotation]).is_empty(), "{alert}");
    }
    let labels = alert["labels"].as_object().unwrap();
    let of_server = ["alertname", "severity", "job", "instance"];
    let others = labels.iter().filter(|(name, _)| !of_server.contains(&name.as_str()));
    Change {
        alert: (text(&labels["alertname"]), others.map(|(name, value)| (name.clone(), text(value))).collect()),
        severity: text(&labels["severity"]),
        status: text(&alert["status"]),
        at: Instant::now(),
    }
}
