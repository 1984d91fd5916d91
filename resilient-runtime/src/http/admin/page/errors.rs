//! The last errors, of all tools or of one.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use maud::{Markup, html};

use super::Page;
use super::text::{long, name, visible};
use super::time::exact;
use super::trends;
use crate::statistics::{ErrorTrend, RecentError};

/// The maximum number of errors that are shown, and of tools to choose from.
const MOST: usize = 100;

pub(super) fn section(page: &Page<'_>, trends: &[ErrorTrend]) -> Markup {
    let mut errors = page.registry.recent_errors();
    let tools = last_tools(&errors);
    errors.retain(|error| page.tool.is_none_or(|tool| tool == &*error.tool));
    html! {
        section #errors aria-labelledby="errors-h" {
            h2 #errors-h { "Errors" }
            (trends::table(trends))
            (filter(page, &tools))
            @if errors.is_empty() { p { "No error logs found" } } @else {
                (table(&errors))
                @if errors.len() > MOST { p { "The last " (MOST) " of " (errors.len()) " that are kept." } }
            }
        }
    }
}

/// Returns the tools of the last errors.
fn last_tools(errors: &[RecentError]) -> Vec<Arc<str>> {
    let mut known = HashSet::new();
    let tools = errors.iter().filter(|error| known.insert(&*error.tool)).map(|error| Arc::clone(&error.tool));
    tools.take(MOST).collect()
}

/// Renders the choice of the tool. It is a form that changes nothing.
fn filter(page: &Page<'_>, tools: &[Arc<str>]) -> Markup {
    let tools: BTreeSet<&str> = tools.iter().map(|tool| &**tool).chain(page.tool).collect();
    html! {
        form method="get" action="#errors" {
            @if page.is_still { input type="hidden" name="edit" value="1"; }
            div {
                label for="tool" { "Errors of" }
                select #tool name="tool" {
                    option value="" selected[page.tool.is_none()] { "all tools" }
                    @for tool in tools { option value=(tool) selected[page.tool == Some(tool)] { (visible(tool)) } }
                }
            }
            button { "Show" }
        }
    }
}

fn table(errors: &[RecentError]) -> Markup {
    html! {
        div.scroll {
            table.log {
                caption { "Error log, newest first" }
                thead {
                    tr {
                        @for column in ["Time", "Tool", "Error", "Details"] { th scope="col" { (column) } }
                    }
                }
                tbody {
                    @for error in errors.iter().take(MOST) {
                        tr {
                            th scope="row" { (exact(error.at)) }
                            td { (name(&error.tool)) }
                            td { (name(&error.code)) br; span.dim { (error.kind.as_str()) } }
                            td {
                                span.text { (long(&error.text, error.length)) }
                                br;
                                span.dim {
                                    (error.attempts) @if error.attempts == 1 { " attempt" } @else { " attempts" }
                                    ", id " (name(&error.correlation_id.to_string()))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
