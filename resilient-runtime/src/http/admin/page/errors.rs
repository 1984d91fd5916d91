//! The last errors, of all tools or of one.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Page;
use super::text::{long, name, visible};
use super::time::exact;
use super::trends;
use crate::statistics::{ErrorTrend, RecentError};

/// The maximum number of errors that are shown.
const MOST: usize = 100;

pub(super) fn section(page: &Page<'_>, trends: &[ErrorTrend]) -> Markup {
    let mut errors = page.registry.recent_errors();
    let tools: BTreeSet<_> = errors.iter().map(|error| error.tool.clone()).collect();
    errors.retain(|error| page.tool.is_none_or(|tool| tool == &*error.tool));
    html! {
        section #errors aria-labelledby="errors-h" {
            h2 #errors-h { "Errors" }
            (trends::table(trends))
            (filter(page, tools.iter().map(|tool| &**tool)))
            @if errors.is_empty() { p { "No error logs found" } } @else {
                (table(&errors))
                @if errors.len() > MOST { p { "The last " (MOST) " of " (errors.len()) " that are kept." } }
            }
        }
    }
}

/// Renders the choice of the tool. It is a form that changes nothing.
fn filter<'a>(page: &'a Page<'_>, tools: impl Iterator<Item = &'a str>) -> Markup {
    let mut tools: BTreeSet<_> = tools.collect();
    tools.extend(page.tool);
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
            table {
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
