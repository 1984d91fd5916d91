//! The most frequent errors of the last 24 hours, and whether they become more.

use maud::{Markup, html};

use super::head::word;
use super::spark::errors;
use super::text::name;
use crate::statistics::ErrorTrend;

/// The number of groups that are shown.
const MOST: usize = 10;

pub(super) fn table(trends: &[ErrorTrend]) -> Markup {
    html! {
        @if trends.is_empty() { p { "No errors in the last 24 hours" } } @else {
            div.scroll {
                table.trends {
                    caption { "Most frequent errors of the last 24 hours" }
                    thead {
                        tr {
                            @for column in ["Tool", "Error", "Trend", "Last hour", "Hour before", "24 hours"] {
                                th scope="col" { (column) }
                            }
                        }
                    }
                    tbody { @for trend in trends.iter().take(MOST) { (row(trend)) } }
                }
            }
            @if trends.len() > MOST { p { "And " (trends.len() - MOST) " more groups of errors." } }
        }
    }
}

fn row(trend: &ErrorTrend) -> Markup {
    html! {
        tr {
            th scope="row" { (name(&trend.tool)) }
            td { (name(&trend.code)) " " span.dim { (trend.kind.as_str()) } }
            td { (word(trend.trend.as_str(), trend.trend.as_str())) }
            td { (trend.last_hour) }
            td { (trend.hour_before) }
            td { (errors(&trend.hours)) }
        }
    }
}
