//! The final table: resilient and bare for each phase.

use std::{fmt::Write, time::Duration};

use super::{plan::Step, report::Report};

const HEAD: [&str; 11] =
    ["phase", "server", "calls", "answered", "good reads", "old", "runs", "p50", "p99", "longest", "upstream"];

/// A phase with the reports of both servers.
pub(super) type Row<'a> = (&'a Step, &'a Report, &'a Report);

/// Renders the table with a line for each server in each phase.
pub(super) fn table(rows: &[Row<'_>]) -> String {
    let mut lines = vec![HEAD.iter().map(|&cell| cell.to_owned()).chain(["breaker".to_owned()]).collect::<Vec<_>>()];
    for (step, resilient, bare) in rows {
        lines.push(cells(step.phase.name(), "resilient", resilient, breaker(resilient)));
        lines.push(cells("", "bare", bare, "none".to_owned()));
    }
    render(&lines)
}

fn cells(phase: &str, server: &str, report: &Report, breaker: String) -> Vec<String> {
    let late = if report.answered < report.calls { "> " } else { "" };
    vec![
        phase.to_owned(),
        server.to_owned(),
        report.calls.to_string(),
        percent(report.answered, report.calls),
        percent(report.good_reads(), report.reads),
        report.stale_reads.to_string(),
        format!("{}/{}", report.right_runs, report.runs),
        seconds(report.percentile(50)),
        seconds(report.percentile(99)),
        format!("{late}{}", seconds(report.longest())),
        report.upstream.requests.to_string(),
        breaker,
    ]
}

/// The column of calls that the breaker rejected.
fn breaker(report: &Report) -> String {
    match report.met_open_breaker {
        0 => "closed".to_owned(),
        answers => format!("open ({answers} answers)"),
    }
}

/// Aligns text left and figures right, with a rule under the header and a gap between phases.
fn render(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let left = column < 2 || column == columns - 1;
            // Writing into a string cannot fail.
            let _ = if left { write!(text, "{cell:<width$}  ") } else { write!(text, "{cell:>width$}  ") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        if number == 0 {
            let rule = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
            text.push_str(&"─".repeat(rule));
            text.push('\n');
        }
    }
    text
}

/// Rounds down, so that 100 % means all.
fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let thousandths = part * 1_000 / whole;
    if thousandths.is_multiple_of(10) {
        format!("{} %", thousandths / 10)
    } else {
        format!("{}.{} %", thousandths / 10, thousandths % 10)
    }
}

/// Formats a duration in a suitable unit.
pub(super) fn seconds(wait: Duration) -> String {
    if wait < Duration::from_secs(1) {
        format!("{} ms", wait.as_millis())
    } else {
        format!("{:.1} s", wait.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{demo::plan::STEPS, upstream::stats::Counts};

    #[test]
    fn shares_are_never_rounded_up() {
        assert_eq!(percent(999, 1000), "99.9 %");
        assert_eq!(percent(9_999, 10_000), "99.9 %");
        assert_eq!(percent(10, 10), "100 %");
        assert_eq!(percent(0, 10), "0 %");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn waits_have_units() {
        assert_eq!(seconds(Duration::from_millis(7)), "7 ms");
        assert_eq!(seconds(Duration::from_millis(8_049)), "8.0 s");
    }

    #[test]
    fn both_servers_stand_one_above_the_other() {
        let upstream = Counts { requests: 14, ..Counts::default() };
        let good =
            Report { calls: 10, answered: 10, reads: 9, right_reads: 7, stale_reads: 2, runs: 1, ..Report::default() };
        let good = Report { met_open_breaker: 2, upstream, ..good };
        let bad = Report { calls: 10, answered: 5, reads: 9, right_reads: 5, runs: 1, ..Report::default() };
        let text = table(&[(&STEPS[1], &good, &bad)]);
        let expected = "\
phase  server     calls  answered  good reads  old  runs   p50   p99  longest  upstream  breaker
─────────────────────────────────────────────────────────────────────────────────────────────────────────
flaky  resilient     10     100 %       100 %    2   0/1  0 ms  0 ms     0 ms        14  open (2 answers)
       bare          10      50 %      55.5 %    0   0/1  0 ms  0 ms   > 0 ms         0  none
";
        assert_eq!(text, expected);
    }
}
