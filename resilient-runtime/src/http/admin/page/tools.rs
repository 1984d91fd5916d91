//! The tools: how each one does, and its last error.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use form_urlencoded::byte_serialize;
use maud::{Markup, html};

use super::Page;
use super::head::{look, word};
use super::level::{by, change};
use super::spark::{self, Hours};
use super::text::name;
use super::time::{ago, short};
use crate::gate::{GateState, SwitchedBy, known};
use crate::health::{HealthStatus, status_of_tool};
use crate::statistics::{ErrorTrend, ToolSnapshot};

/// The columns. The style has their names, too, for narrow pages.
const COLUMNS: [&str; 9] =
    ["Tool", "Status", "Calls", "Errors", "p50", "p95", "In flight", "Last error", "Errors in 24 h"];

struct Row {
    tool: Arc<str>,
    read: ToolSnapshot,
    status: HealthStatus,
    off: Option<SwitchedBy>,
    /// The name by which the gate knows the tool, if it does.
    switch: Option<Arc<str>>,
    /// Its errors in the last 24 hours.
    hours: Hours,
}

pub(super) fn section(page: &Page<'_>, state: &GateState, trends: &[ErrorTrend]) -> Markup {
    let rows = rows(page, state, trends);
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    html! {
        section #tools aria-labelledby="tools-h" {
            h2 #tools-h { "Tools" }
            @if rows.is_empty() { p { "No tools" } } @else {
                p {
                    (rows.len()) @if rows.len() == 1 { " tool" } @else { " tools" }
                    @for status in [HealthStatus::Unhealthy, HealthStatus::Degraded, HealthStatus::Healthy] {
                        @if count(status) > 0 { ", " (count(status)) " " (status.as_str()) }
                    }
                }
                (table(page, &rows))
                p.dim {
                    "Since the start of the server. Errors are errors, timeouts and panics without mistakes of callers, "
                    "as a share of all calls except those that were rejected, cancelled or deferred. p50 and p95 are "
                    "estimates."
                }
            }
        }
    }
}

/// Returns the tools, the worst ones first.
fn rows(page: &Page<'_>, state: &GateState, trends: &[ErrorTrend]) -> Vec<Row> {
    let off: HashMap<&str, SwitchedBy> = state.tools_off.iter().map(|off| (&*off.name, off.by)).collect();
    let mut hours: HashMap<&str, Hours> = HashMap::new();
    for trend in trends {
        let of_tool = hours.entry(&trend.tool).or_default();
        of_tool.iter_mut().zip(trend.hours).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
    let known = if page.has_forms { known::tools() } else { BTreeSet::new() };
    let row = |(tool, read): (Arc<str>, ToolSnapshot)| {
        let names = [read.served_as.clone(), Some(Arc::clone(&tool))];
        let names = || names.iter().flatten();
        Row {
            status: status_of_tool(&read),
            off: names().find_map(|name| off.get(&**name).copied()),
            switch: names().find(|name| known.contains(&***name)).cloned(),
            hours: hours.get(&*tool).copied().unwrap_or_default(),
            tool,
            read,
        }
    };
    let mut rows: Vec<_> = page.registry.tools().into_iter().map(row).collect();
    // The names are sorted, and stay so among tools with one status.
    rows.sort_by_key(|row| Reverse(row.status));
    rows
}

fn table(page: &Page<'_>, rows: &[Row]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        @for column in COLUMNS { th scope="col" { (column) } }
                        @if page.has_forms { th scope="col" { "Change" } }
                    }
                }
                tbody { @for row in rows { (render(page, row)) } }
            }
        }
    }
}

fn render(page: &Page<'_>, Row { tool, read, status, off, switch, hours }: &Row) -> Markup {
    let durations = read.durations();
    let has_durations = durations.count() > 0;
    let quantile = |share| if has_durations { short(durations.quantile(share)) } else { "–".to_owned() };
    html! {
        tr {
            th scope="row" {
                a href=(errors_of(page, tool)) { (name(tool)) }
                @if let Some(served_as) = &read.served_as { br; span.dim { "called " (name(served_as)) } }
            }
            td {
                @if let Some(off) = off { (word("off", "off")) " by " (by(*off)) ", " }
                (word(look(*status), status.as_str()))
            }
            td { (read.calls()) }
            td { (errors(read)) }
            td { (quantile(0.5)) }
            td { (quantile(0.95)) }
            td { (read.in_flight) }
            td {
                @match read.errors.iter().max_by_key(|error| error.last) {
                    Some(last) => { (name(&last.code)) ", " (ago(last.last, page.now)) }
                    None => "No errors",
                }
            }
            td { @if page.is_still { (hours.iter().sum::<u64>()) } @else { (spark::errors(hours)) } }
            @if page.has_forms {
                td { @if let Some(switch) = switch { (change("tools", switch, *off)) } @else { "–" } }
            }
        }
    }
}

/// Returns the address of the page with the errors of one tool.
fn errors_of(page: &Page<'_>, tool: &str) -> String {
    let tool: String = byte_serialize(tool.as_bytes()).collect();
    let edit = if page.is_still { "edit=1&" } else { "" };
    format!("?{edit}tool={tool}#errors")
}

/// Formats the number of errors and their share of the calls that ran, as the alerts measure it.
#[expect(clippy::cast_precision_loss, reason = "per cent")]
fn errors(read: &ToolSnapshot) -> String {
    let (errors, ran) = (read.failures(), read.ran());
    if errors == 0 { "0".to_owned() } else { format!("{errors} ({:.1} %)", (errors * 100) as f64 / ran.max(1) as f64) }
}
