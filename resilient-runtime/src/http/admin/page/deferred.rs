//! Deferred writes: how many there are, and the dead letters.

use std::time::Duration;

use maud::{Markup, html};
use tokio::time::timeout;

use super::super::Shared;
use super::super::deferred::dead_letters;
use super::Page;
use super::changes::{button, route};
use super::head::word;
use super::text::{name, visible};
use super::time::{ago, of_unix_millis};
use crate::view::{DeferredCounts, DeferredEntry, DeferredWrites};

/// How long the page waits for the store.
const LONGEST: Duration = Duration::from_secs(2);
/// The maximum number of dead letters on the page.
const MOST: usize = 50;

/// What the store answered.
pub(super) enum Found {
    Writes(DeferredWrites),
    /// Why there was no answer, and the counts before.
    Nothing(String, Option<(DeferredCounts, u64)>),
}

impl Found {
    /// Reads the store. Returns `None` if the server defers no writes.
    pub(super) async fn of(shared: &Shared) -> Option<Self> {
        let deferral = shared.registry().deferral()?;
        let problem = match timeout(LONGEST, dead_letters(shared, MOST)).await {
            Ok(Ok(writes)) => return Some(Self::Writes(writes)),
            Ok(Err(problem)) => problem,
            Err(_) => format!("the store of deferred writes did not answer within {} s", LONGEST.as_secs()),
        };
        let before = deferral.last_counts.get().map(|(counts, at)| (DeferredCounts::from(counts), at.millis()));
        Some(Self::Nothing(problem, before))
    }

    pub(super) fn section(&self, page: &Page<'_>) -> Markup {
        html! {
            section #deferred aria-labelledby="deferred-h" {
                h2 #deferred-h { "Deferred writes" }
                @match self {
                    Self::Writes(writes) => { (counts(page, &writes.counts)) (letters(page, writes)) }
                    Self::Nothing(problem, before) => {
                        p { (word("bad", "No answer")) ": " (visible(problem)) "." }
                        @if let Some((before, at)) = before {
                            p { "Counted " (ago(of_unix_millis(*at), page.now)) ":" }
                            (counts(page, before))
                        }
                    }
                }
            }
        }
    }
}

fn counts(page: &Page<'_>, counts: &DeferredCounts) -> Markup {
    html! {
        dl {
            @for (state, count) in [
                ("Waiting", counts.waiting),
                ("Running", counts.running),
                ("Done", counts.done),
                ("Dead letters", counts.dead),
                ("Cancelled", counts.cancelled),
                ("Discarded", counts.discarded),
                ("Interrupted tries", counts.interrupted),
            ] {
                div { dt { (state) } dd { (count) } }
            }
            @if let Some(oldest) = counts.oldest_unix_ms {
                div { dt { "Oldest to deliver" } dd { "accepted " (ago(of_unix_millis(oldest), page.now)) } }
            }
        }
    }
}

fn letters(page: &Page<'_>, writes: &DeferredWrites) -> Markup {
    let more = writes.counts.dead.saturating_sub(writes.entries.len() as u64);
    html! {
        @if writes.entries.is_empty() { p { "No dead letters" } } @else {
            div.scroll {
                table {
                    caption { "Dead letters" }
                    thead {
                        tr {
                            @for column in ["Write", "Tool", "Accepted", "Given up", "Tries", "Last error"] {
                                th scope="col" { (column) }
                            }
                            @if page.has_forms { th scope="col" { "Change" } }
                        }
                    }
                    tbody { @for entry in &writes.entries { (row(page, entry)) } }
                }
            }
            @if more > 0 { p { "And " (more) " more, which were accepted later." } }
        }
    }
}

fn row(page: &Page<'_>, entry: &DeferredEntry) -> Markup {
    let route = route("deferred", &entry.id);
    html! {
        tr {
            th scope="row" { (name(&entry.id)) }
            td { (name(&entry.tool)) }
            td { (ago(of_unix_millis(entry.accepted_unix_ms), page.now)) }
            td { @if let Some(at) = entry.ended_unix_ms { (ago(of_unix_millis(at), page.now)) } @else { "–" } }
            td { (entry.tries) }
            td { @if let Some(code) = &entry.last_code { (name(code)) } @else { "–" } }
            @if page.has_forms {
                td.buttons {
                    (button(&route, Some(("action", "retry")), "Retry", &entry.id))
                    // What is discarded is erased, so it takes two steps.
                    details {
                        summary { "Discard…" span.vh { " " (entry.id) } }
                        (button(&route, Some(("action", "discard")), "Erase this write", &entry.id))
                    }
                }
            }
        }
    }
}
