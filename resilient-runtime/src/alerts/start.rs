//! Checks the sinks at start, and prepares their tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Client;

use super::alertmanager::Current;
use super::evaluation::Evaluation;
use super::payload::{Identity, ServerIdentity};
use super::post::{Post, client};
use super::sink::Sink;
use super::webhook::Notifications;
use super::{Alerts, Endpoint};
use crate::alerting::rules::RUNBOOKS;
use crate::registry::Registry;

/// The labels that rules set.
const RESERVED: [&str; 5] = ["alertname", "breaker", "code", "severity", "tool"];

/// The label that identifies the process.
const INSTANCE: &str = "instance";

impl Alerts {
    /// Adds a webhook, and where it was set.
    pub(crate) fn add_webhook(&mut self, place: &'static str, endpoint: Endpoint) {
        self.webhooks.push((place, endpoint));
    }

    /// Adds an Alertmanager, and where it was set.
    pub(crate) fn add_alertmanager(&mut self, place: &'static str, endpoint: Endpoint) {
        self.alertmanagers.push((place, endpoint));
    }

    /// Reports what is wrong with the alerts. Returns what evaluates them, if nothing is.
    pub(crate) fn check(self, own: Option<&Arc<Registry>>, problems: &mut Vec<String>) -> Option<Evaluation> {
        let before = problems.len();
        if tokio::runtime::Handle::try_current().is_err() {
            problems.push("alerts are evaluated in a Tokio runtime; call `Resilience::start` within one".into());
        }
        let server = identity(self.labels, self.runbooks, problems);
        let mut sinks = Vec::new();
        if !self.webhooks.is_empty() || !self.alertmanagers.is_empty() {
            match client(self.client) {
                Ok(client) => {
                    let prepare = Prepare { client, own, problems };
                    sinks = prepare.all(self.webhooks, self.alertmanagers, &server);
                }
                Err(why) => problems.push(format!("the HTTP client that sends alerts cannot be built: {why}")),
            }
        }
        if problems.len() > before {
            return None;
        }
        let registry: &Registry = match own {
            Some(own) => own,
            None => Registry::global(),
        };
        if !registry.alert_board().begin() {
            problems.push("the alerts of this registry are already evaluated; call `Resilience::start` once".into());
            return None;
        }
        Some(Evaluation::new(own.cloned(), self.log, sinks))
    }
}

/// Prepares sinks.
struct Prepare<'a> {
    client: Client,
    own: Option<&'a Arc<Registry>>,
    problems: &'a mut Vec<String>,
}

impl Prepare<'_> {
    fn all(
        mut self,
        webhooks: Vec<(&'static str, Endpoint)>,
        alertmanagers: Vec<(&'static str, Endpoint)>,
        server: &ServerIdentity,
    ) -> Vec<Arc<Sink>> {
        let mut sinks = Vec::new();
        for (place, endpoint) in webhooks {
            if let Some(post) = self.post(place, endpoint, &[]) {
                let outbox = Notifications::new(Arc::clone(server));
                sinks.push(Arc::new(Sink::new("webhook", post, outbox, self.own.cloned())));
            }
        }
        for (place, endpoint) in alertmanagers {
            if let Some(post) = self.post(place, endpoint, &["api", "v2", "alerts"]) {
                let outbox = Current::new(Arc::clone(server));
                sinks.push(Arc::new(Sink::new("alertmanager", post, outbox, self.own.cloned())));
            }
        }
        sinks
    }

    fn post(&mut self, place: &str, endpoint: Endpoint, path: &[&str]) -> Option<Post> {
        let post = Post::new(self.client.clone(), endpoint, path);
        post.map_err(|why| self.problems.push(format!("{place}: {why}"))).ok()
    }
}

/// Returns the labels that all alerts of this server have, and where its runbooks are.
fn identity(labels: Vec<(String, String)>, runbooks: Option<String>, problems: &mut Vec<String>) -> ServerIdentity {
    let mut known = BTreeMap::new();
    for (name, value) in labels {
        if !is_label(&name) {
            problems.push(format!("`Alerts::label`: `{name}` is not a name of letters, digits and `_`"));
        } else if RESERVED.contains(&&*name) {
            problems.push(format!("`Alerts::label`: the label `{name}` is set by the rules"));
        }
        known.insert(name, value);
    }
    known.entry(INSTANCE.into()).or_insert_with(instance);
    let mut runbooks = runbooks.unwrap_or_else(|| RUNBOOKS.into());
    if !runbooks.ends_with('/') {
        runbooks.push('/');
    }
    Arc::new(Identity { labels: known, runbooks })
}

/// Returns whether this is a valid name of a label.
fn is_label(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns a name for this process: that of the host, as far as it is known, and the id of the process.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("localhost");
    format!("{host}:{}", std::process::id())
}
