//! The bodies of the requests that send alerts: those of Alertmanager's API and of its webhooks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::alerting::{Alert, AlertState};
use crate::error::rfc3339;

/// The time after which Alertmanager resolves an alert that is no longer sent: four times the interval in which it is.
const FIRES_ANOTHER: Duration = Duration::from_secs(4 * 60);

/// The end of an alert that fires, as webhooks of Alertmanager have it.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// What all alerts of this server have in common.
pub(super) struct Identity {
    pub(super) labels: BTreeMap<String, String>,
    /// The URL of the folder with the runbooks, with a `/` at its end.
    pub(super) runbooks: String,
}

pub(super) type ServerIdentity = Arc<Identity>;

type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// Returns all labels of an alert.
fn labels<'a>(alert: &'a Alert, server: &'a Identity) -> Labels<'a> {
    let mut labels: Labels<'_> = server.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    labels.extend(alert.labels.iter().map(|(name, value)| (*name, &**value)));
    labels.extend([("alertname", alert.name), ("severity", alert.severity.as_str())]);
    labels
}

/// Returns the annotations of an alert, as the rules for Prometheus have them.
fn annotations(alert: &Alert, server: &Identity) -> BTreeMap<&'static str, String> {
    let Alert { summary, description, runbook, .. } = alert;
    let runbook = format!("{}{runbook}.md", server.runbooks);
    [("summary", summary.clone()), ("description", description.clone()), ("runbook_url", runbook)].into()
}

/// Returns the body of `POST /api/v2/alerts`.
pub(super) fn of_alertmanager<'a>(
    alerts: impl IntoIterator<Item = &'a Arc<Alert>>,
    server: &Identity,
    at: SystemTime,
) -> Value {
    let alerts = alerts.into_iter().map(|alert| {
        let ends = alert.ended.unwrap_or_else(|| at.max(alert.since) + FIRES_ANOTHER);
        json!({
            "labels": labels(alert, server),
            "annotations": annotations(alert, server),
            "startsAt": rfc3339(alert.since),
            "endsAt": rfc3339(ends),
        })
    });
    alerts.collect()
}

/// Returns the body of a webhook of Alertmanager, version 4, for the alerts of one name.
pub(super) fn of_webhook(name: &str, alerts: &[Arc<Alert>], server: &Identity) -> Value {
    let fires = |alert: &Arc<Alert>| alert.state == AlertState::Firing;
    let status = |fires| if fires { "firing" } else { "resolved" };
    let shown: Vec<_> = alerts
        .iter()
        .map(|alert| {
            let labels = labels(alert, server);
            json!({
                "status": status(fires(alert)),
                "fingerprint": format!("{:016x}", fingerprint(&labels)),
                "labels": labels,
                "annotations": annotations(alert, server),
                "startsAt": rfc3339(alert.since),
                "endsAt": alert.ended.map_or_else(|| NO_END.to_owned(), rfc3339),
                "generatorURL": "",
            })
        })
        .collect();
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
        "truncatedAlerts": 0,
        "status": status(alerts.iter().any(fires)),
        "receiver": "resilient",
        "groupLabels": { "alertname": name },
        "commonLabels": common(alerts.iter().map(|alert| labels(alert, server))),
        "commonAnnotations": common(alerts.iter().map(|alert| annotations(alert, server))),
        "externalURL": "",
        "alerts": shown,
    })
}

/// Returns what all of them have.
fn common<K: Ord, V: PartialEq>(all: impl IntoIterator<Item = BTreeMap<K, V>>) -> BTreeMap<K, V> {
    let mut all = all.into_iter();
    let mut common = all.next().unwrap_or_default();
    for other in all {
        common.retain(|name, value| other.get(name) == Some(value));
    }
    common
}

/// Identifies an alert by its labels, as Alertmanager does: FNV-1a of 64 bits over names and values, each with a byte
/// that is no text behind it.
fn fingerprint(labels: &Labels<'_>) -> u64 {
    const SEPARATOR: u8 = 255;
    let bytes = labels.iter().flat_map(|(name, value)| [name.as_bytes(), &[SEPARATOR], value.as_bytes(), &[SEPARATOR]]);
    bytes
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_that_of_alertmanager() {
        // Of `model.LabelSet{}` and of `model.LabelSet{"a": "b"}`.
        assert_eq!(fingerprint(&Labels::new()), 14_695_981_039_346_656_037);
        let one = [("a", "b")].into();
        let of = |bytes: &[u8]| {
            bytes.iter().fold(14_695_981_039_346_656_037_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211)
            })
        };
        assert_eq!(fingerprint(&one), of(b"a\xffb\xff"));
    }

    #[test]
    fn what_all_have_is_common() {
        let of = |labels: &[(&'static str, &'static str)]| labels.iter().copied().collect::<Labels<'_>>();
        let both = [of(&[("a", "1"), ("b", "1"), ("c", "1")]), of(&[("a", "1"), ("b", "2")])];
        assert_eq!(common(both), of(&[("a", "1")]));
        assert_eq!(common([]), Labels::new());
    }
}
