//! Checks the promises of the resilient server. The bare one has none.

use super::{
    plan::{MARGIN, PANIC_LIMIT, PROMISE, Step},
    report::Report,
    table::seconds,
};
use crate::upstream::phase::Phase;

/// Describes every promise that was broken in a phase.
pub(super) fn broken(step: &Step, report: &Report) -> Vec<String> {
    let mut broken = Vec::new();
    let mut check = |kept: bool, what: String| {
        if !kept {
            broken.push(format!("{}: {what}", step.phase));
        }
    };

    check(report.answered == report.calls, format!("{} calls were not answered", report.calls - report.answered));
    check(
        report.longest() <= PROMISE + MARGIN,
        format!("an answer took {}, {} were promised", seconds(report.longest()), seconds(PROMISE)),
    );
    check(
        report.wrong.is_empty(),
        format!("{} answers are wrong, the first: {}", report.wrong.len(), first(&report.wrong)),
    );
    check(report.leaks == 0, format!("{} answers hold texts that belong into the log", report.leaks));
    check(report.without_id == 0, format!("{} answers have no correlation id", report.without_id));
    check(
        report.upstream.runs <= report.runs as u64,
        format!("{} runs were asked for and {} requested of the upstream", report.runs, report.upstream.runs),
    );

    let shares = [
        ("reads are right, or old and say so", report.good_reads(), report.reads, step.good_reads),
        ("reads are right", report.right_reads, report.reads, step.right_reads),
        ("reads are old and say so", report.stale_reads, report.reads, step.stale_reads),
        ("runs took place", report.right_runs, report.runs, step.right_runs),
    ];
    for (what, part, whole, least) in shares {
        check(
            part * 100 >= whole * usize::from(least),
            format!("{part} of {whole} {what}, at least {least} % must be"),
        );
    }

    if step.phase == Phase::ToolPanic {
        let (panics, internal) = (report.upstream.panics, report.internal);
        check(
            internal as u64 == panics,
            format!("{panics} panics were provoked and {internal} answered as `internal`"),
        );
        check(
            report.longest_internal <= PANIC_LIMIT,
            format!("the answer to a panic took {}", seconds(report.longest_internal)),
        );
    }
    broken
}

fn first(texts: &[String]) -> String {
    texts.first().map(|text| text.chars().take(200).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{demo::plan::STEPS, upstream::stats::Counts};

    fn step(phase: Phase) -> Step {
        STEPS.into_iter().find(|step| step.phase == phase).unwrap()
    }

    fn perfect() -> Report {
        Report { calls: 10, answered: 10, reads: 9, right_reads: 9, runs: 1, right_runs: 1, ..Report::default() }
    }

    #[test]
    fn a_perfect_phase_breaks_nothing() {
        assert_eq!(broken(&step(Phase::Healthy), &perfect()), Vec::<String>::new());
    }

    #[test]
    fn each_promise_is_looked_at() {
        let cases = [
            (Phase::Healthy, Report { answered: 9, ..perfect() }, "not answered"),
            (Phase::Healthy, Report { right_reads: 8, stale_reads: 1, ..perfect() }, "8 of 9 reads are right"),
            (Phase::Recovery, Report { right_runs: 0, ..perfect() }, "0 of 1 runs"),
            (Phase::Outage, perfect(), "0 of 9 reads are old"),
            (Phase::Flaky, Report { right_reads: 8, ..perfect() }, "8 of 9 reads are right, or old"),
            (Phase::Healthy, Report { wrong: vec!["x".to_owned()], ..perfect() }, "wrong"),
            (Phase::Healthy, Report { leaks: 1, ..perfect() }, "belong into the log"),
            (Phase::Healthy, Report { without_id: 1, ..perfect() }, "correlation id"),
            (
                Phase::Healthy,
                Report { upstream: Counts { runs: 2, ..Counts::default() }, ..perfect() },
                "1 runs were asked",
            ),
            (Phase::ToolPanic, Report { internal: 1, ..perfect() }, "0 panics were provoked"),
        ];
        for (phase, report, expected) in cases {
            let broken = broken(&step(phase), &report);
            assert!(broken.iter().any(|text| text.contains(expected)), "{expected}: {broken:?}");
        }
    }
}
