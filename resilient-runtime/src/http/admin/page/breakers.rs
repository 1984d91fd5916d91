//! The breakers: which reject calls, since when and for how long.

use maud::{Markup, html};

use super::Page;
use super::changes::{button, route};
use super::head::word;
use super::text::name;
use super::time::{ago, coarse, of_unix_millis};
use crate::view::{BreakerEntry, Breakers};

/// The columns. The style has their names, too, for narrow pages.
const COLUMNS: [&str; 7] =
    ["Breaker", "State", "Since", "Next probe", "Failures in a row", "Rejected", "Last transitions"];

/// The number of transitions that are shown.
const TRANSITIONS: usize = 3;

pub(super) fn section(page: &Page<'_>) -> Markup {
    let Breakers { breakers } = Breakers::of(page.registry);
    html! {
        section #breakers aria-labelledby="breakers-h" {
            h2 #breakers-h { "Breakers" }
            @if breakers.is_empty() { p { "No breakers" } } @else { (table(page, &breakers)) }
        }
    }
}

fn table(page: &Page<'_>, breakers: &[BreakerEntry]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        @for column in COLUMNS { th scope="col" { (column) } }
                        @if page.has_forms { th scope="col" { "Change" } }
                    }
                }
                tbody { @for breaker in breakers { (row(page, breaker)) } }
            }
        }
    }
}

fn row(page: &Page<'_>, breaker: &BreakerEntry) -> Markup {
    html! {
        tr {
            th scope="row" { (name(breaker.breaker)) (keys(breaker)) }
            td {
                (state(breaker))
                @if breaker.armed { br; span.dim { "armed: the next failure opens it" } }
            }
            td { @match breaker.since_unix_ms { Some(at) => (ago(of_unix_millis(at), page.now)), None => "the start" } }
            td { (next_probe(breaker)) }
            td { (breaker.consecutive_failures) }
            td { (breaker.rejected) }
            td {
                @if breaker.transitions.is_empty() { "none" }
                @for (index, moved) in breaker.transitions.iter().take(TRANSITIONS).enumerate() {
                    @if index > 0 { br; }
                    (spaced(moved.from)) " → " (spaced(moved.to)) ", " (spaced(moved.reason)) ", "
                    (ago(of_unix_millis(moved.at_unix_ms), page.now))
                }
            }
            @if page.has_forms {
                td.buttons {
                    @for (action, label) in [("open", "Open"), ("close", "Close"), ("isolate", "Isolate")] {
                        (button(&route("breakers", breaker.breaker), Some(("action", action)), label, breaker.breaker))
                    }
                }
            }
        }
    }
}

/// Renders the number of partition keys by state.
fn keys(breaker: &BreakerEntry) -> Markup {
    let Some(keys) = &breaker.keys else { return html! {} };
    let counts =
        [(keys.closed, "closed"), (keys.half_open, "half open"), (keys.open, "open"), (keys.isolated, "isolated")];
    html! {
        @for (index, (count, state)) in counts.iter().filter(|(count, _)| *count > 0).enumerate() {
            @if index == 0 { br; span.dim { "keys: " } } @else { ", " }
            span.dim { (count) " " (state) }
        }
    }
}

fn state(breaker: &BreakerEntry) -> Markup {
    let look = match breaker.state {
        "closed" => "good",
        "half_open" => "warn",
        "open" if is_over(breaker) => "warn",
        _ => "bad",
    };
    word(look, &spaced(if is_over(breaker) { "half_open" } else { breaker.state }))
}

/// Whether the open period is over, so that the next call probes. The metrics show this as half open, too.
fn is_over(breaker: &BreakerEntry) -> bool {
    breaker.state == "open" && breaker.retry_after_ms.is_none()
}

fn next_probe(breaker: &BreakerEntry) -> Markup {
    html! {
        @match (breaker.state, breaker.retry_after_ms) {
            ("open", Some(left)) => { "in " (coarse(std::time::Duration::from_millis(left.saturating_add(999)))) }
            ("open", None) => "with the next call",
            ("half_open", _) if breaker.probes > 0 => { (breaker.probes) " running" }
            ("half_open", _) => "with the next call",
            ("isolated", _) => "after an operator closes it",
            _ => "–",
        }
    }
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}
