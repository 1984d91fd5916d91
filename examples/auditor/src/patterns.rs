//! Scans code by patterns, without a parser.

use super::types::{Report, Rule};

const PATTERNS: [(&str, Rule); 8] = [
    ("unsafe {", Rule::UnsafeBlock),
    ("unsafe fn ", Rule::UnsafeFunction),
    (".unwrap()", Rule::Unwrap),
    (".expect(", Rule::Expect),
    ("panic!(", Rule::Panic),
    ("unreachable!(", Rule::Panic),
    ("todo!(", Rule::Todo),
    ("unimplemented!(", Rule::Todo),
];

/// Counts functions and findings by patterns, line by line. It accepts any text.
pub(super) fn scan(source: &str) -> Report {
    let mut report = Report::default();
    for (line, number) in source.lines().zip(1..) {
        report.counts.lines = number;
        if line.trim_start().starts_with("//") {
            continue;
        }
        report.counts.functions += line.split_whitespace().filter(|word| *word == "fn").count();
        for (pattern, rule) in PATTERNS {
            for _ in line.matches(pattern) {
                report.add(number, rule, None);
            }
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_code_has_findings_too() {
        let report = scan("pub fn a( {\n  // b.unwrap()\n  c.unwrap().d.unwrap(); unsafe { e(\n");
        assert_eq!((report.counts.lines, report.counts.functions), (3, 1));
        let found: Vec<_> = report.findings.iter().map(|finding| (finding.line, finding.rule)).collect();
        assert_eq!(found, [(3, Rule::UnsafeBlock), (3, Rule::Unwrap), (3, Rule::Unwrap)]);
    }
}
