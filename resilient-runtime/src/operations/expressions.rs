//! Expressions of `PromQL`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::outcomes::Outcome;
use crate::series::names::{self, Series};

/// The name of the label that rules and panels have for tools, as the other series have it.
const TOOL: &str = "tool";

/// Returns a selector of a series: its name and its matchers.
pub(super) fn select(series: impl std::fmt::Display, matchers: &[&str]) -> String {
    let matchers: Vec<_> = matchers.iter().filter(|matcher| !matcher.is_empty()).copied().collect();
    if matchers.is_empty() { series.to_string() } else { format!("{series}{{{}}}", matchers.join(",")) }
}

/// Returns a matcher of the words, which need no escapes.
pub(super) fn words<'w>(label: &str, is: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    format!("{label}{is}\"{}\"", words.into_iter().collect::<Vec<_>>().join("|"))
}

/// Returns a matcher of one of these names.
pub(super) fn one_of(label: &str, names: &BTreeSet<String>) -> String {
    let mut names = names.iter();
    match (names.next(), names.len()) {
        (Some(name), 0) => format!("{label}={}", quoted(name)),
        (first, _) => {
            let all: Vec<_> = first.into_iter().chain(names).map(|name| literal(name)).collect();
            format!("{label}=~{}", quoted(&all.join("|")))
        }
    }
}

/// Quotes a string of `PromQL`.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(char),
        }
    }
    quoted + "\""
}

/// Escapes a text as a regular expression that matches it.
fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        if "\\.+*?()|[]{}^$".contains(char) {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// Writes a duration as Prometheus reads it.
pub(super) fn duration(duration: Duration) -> String {
    let mut written = String::new();
    let mut rest = duration.as_secs();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            let _ = write!(written, "{}{unit}", rest / seconds);
            rest %= seconds;
        }
    }
    if written.is_empty() { "0s".to_owned() } else { written }
}

/// Writes a number without the noise of its binary form.
pub(super) fn number(number: f64) -> String {
    format!("{}", (number * 1e6).round() / 1e6)
}

/// Calls that ran, within a window, as a sum by these labels.
pub(super) fn ran(by: &str, matchers: &[&str], window: &str) -> String {
    let not_run = words("outcome", "!~", Outcome::NOT_RUN.map(Outcome::as_str));
    sum_of_increase(by, names::CALLS, &[matchers, &[&not_run]].concat(), window)
}

/// Calls that failed, within a window, as a sum by these labels.
pub(super) fn failed(by: &str, matchers: &[&str], window: &str) -> String {
    let outcomes = words("outcome", "=~", [Outcome::Error, Outcome::Timeout, Outcome::Panic].map(Outcome::as_str));
    let all = sum_of_increase(by, names::CALLS, &[matchers, &[&outcomes]].concat(), window);
    // The two counts are read one after the other, so that their difference may be below zero.
    format!("clamp_min({all} - {}, 0)", sum_of_increase(by, names::EXCUSED, matchers, window))
}

/// The share of failed calls. Without calls that ran there is no value, rather than one that is no number.
pub(super) fn error_ratio(by: &str, matchers: &[&str], window: &str) -> String {
    format!("{} / ({} > 0)", failed(by, matchers, window), ran(by, matchers, window))
}

/// Errors within an hour, as a sum by these labels.
///
/// What a code counted before its first scrape has no increase. So a series that did not exist in the hour before counts
/// as a whole, if the server was scraped in that hour or did not run yet. Otherwise its errors may be old.
pub(super) fn errors_within_hour(by: &str, server: &str, matchers: &[&str]) -> String {
    let errors = select(names::ERRORS, &[&[server], matchers].concat());
    let known = select(names::LEVEL, &[server, r#"level="normal""#]);
    let started = select(names::PROCESS_START, &[server]);
    format!(
        "sum by ({by}) (
  (
    ({errors} unless last_over_time({errors}[1h] offset 1h))
    and on (job, instance) (last_over_time({known}[1h] offset 1h) or {started} > time() - 3600)
  ) > increase({errors}[1h])
  or increase({errors}[1h])
)"
    )
}

pub(super) fn sum_of_increase(by: &str, series: Series, matchers: &[&str], window: &str) -> String {
    format!("sum by ({by}) (increase({}[{window}]))", select(series, matchers))
}

/// Holds if a counter rose within a window, or between its last two samples: a window that is shorter than the interval
/// of scrapes has one sample, and no increase. The last samples of a process that has ended do not count.
pub(super) fn rises(by: &str, series: Series, matchers: &[&str], window: &str) -> String {
    let (counter, increase) = (select(series, matchers), sum_of_increase(by, series, matchers, window));
    format!("{increase} > 0 or sum by ({by}) (irate({counter}[5m]) and {counter}) > 0")
}

pub(super) fn sum_of_rate(by: &str, series: Series, matchers: &[&str], window: &str) -> String {
    format!("sum by ({by}) (rate({}[{window}]))", select(series, matchers))
}

/// A percentile of the duration of tool calls, for each combination of these labels, of which one may be `tool`.
pub(super) fn percentile(percentile: f64, by: &str, matchers: &[&str], window: &str) -> String {
    let rate = format!("rate({}[{window}])", select(names::OPERATION_DURATION, &of_tools(matchers)));
    format!("histogram_quantile({percentile}, sum by ({by}, le) ({}))", with_tool(by, rate))
}

/// The number of tool calls of clients, for each combination of these labels, of which one may be `tool`.
pub(super) fn operations(by: &str, matchers: &[&str], window: &str) -> String {
    let count = format!("{}_count", names::OPERATION_DURATION.name);
    let increase = format!("increase({}[{window}])", select(count, &of_tools(matchers)));
    format!("sum by ({by}) ({})", with_tool(by, increase))
}

fn of_tools<'m>(matchers: &[&'m str]) -> Vec<&'m str> {
    [matchers, &[r#"gen_ai_tool_name!="""#]].concat()
}

/// Renames the label of tools, which the conventions call otherwise, if it is one of the labels.
fn with_tool(by: &str, vector: String) -> String {
    if by.split(", ").any(|label| label == TOOL) {
        format!(r#"label_replace({vector}, "{TOOL}", "$1", "gen_ai_tool_name", "(.+)")"#)
    } else {
        vector
    }
}
