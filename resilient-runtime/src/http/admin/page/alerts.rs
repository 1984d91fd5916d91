//! The alerts that this process evaluates: what fires, and the last changes.

use maud::{Markup, html};

use super::Page;
use super::head::word;
use super::text::name;
use super::time::{ago, lasting};
use crate::alerting::{Alert, AlertSeverity, AlertState};

/// The maximum number of alerts that are shown, and of changes.
const MOST: usize = 100;
const MOST_CHANGES: usize = 20;

pub(super) fn section(page: &Page<'_>) -> Markup {
    let (alerts, changes) = (page.registry.alerts(), page.registry.alert_history());
    html! {
        section #alerts aria-labelledby="alerts-h" {
            h2 #alerts-h { "Alerts" }
            @if !page.registry.alert_board().is_evaluated() {
                p { "This process does not evaluate alerts" }
            } @else if alerts.is_empty() { p { "No alert of this process fires or is pending" } } @else {
                (table(page, "Now", &alerts, MOST))
            }
            @if alerts.len() > MOST { p { "And " (alerts.len() - MOST) " more." } }
            @if !changes.is_empty() { (table(page, "Last changes, newest first", &changes, MOST_CHANGES)) }
        }
    }
}

fn table(page: &Page<'_>, caption: &str, alerts: &[Alert], most: usize) -> Markup {
    html! {
        div.scroll {
            table {
                caption { (caption) }
                thead {
                    tr {
                        @for column in ["Alert", "State", "Severity", "About", "Summary"] {
                            th scope="col" { (column) }
                        }
                    }
                }
                tbody { @for alert in alerts.iter().take(most) { (row(page, alert)) } }
            }
        }
    }
}

fn row(page: &Page<'_>, alert: &Alert) -> Markup {
    html! {
        tr {
            th scope="row" { (name(alert.name)) }
            td {
                (word(look(alert), alert.state.as_str()))
                @match alert.ended {
                    Some(ended) => { " " (ago(ended, page.now)) ", fired " (lasting(alert.since, ended)) }
                    None => { ", " (lasting(alert.since, page.now)) }
                }
            }
            td { (alert.severity.as_str()) }
            td {
                @if alert.labels.is_empty() { "the server" }
                @for (index, (label, value)) in alert.labels.iter().enumerate() {
                    @if index > 0 { br; }
                    (label) " " (name(value))
                }
            }
            td { (name(&alert.summary)) }
        }
    }
}

fn look(alert: &Alert) -> &'static str {
    match alert.state {
        AlertState::Firing if alert.severity >= AlertSeverity::High => "bad",
        AlertState::Firing => "warn",
        AlertState::Pending => "off",
        AlertState::Resolved => "good",
    }
}
