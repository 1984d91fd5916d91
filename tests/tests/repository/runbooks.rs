//! The runbooks: one for each alert, and what they and the guide say of alerts is what the table of rules has.

use std::collections::BTreeSet;
use std::fs;

use resilient_tests::fixture::repository;
use resilient_tests::markdown::{codes, parse, section};

/// The folder of the runbooks.
const RUNBOOKS: &str = "deploy/runbooks";

/// One rule, as the source has it.
#[derive(Debug)]
struct Rule {
    name: String,
    severity: String,
    /// The time for which the condition has to hold, as the guide writes it.
    hold: String,
    runbook: String,
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads the table of rules.
fn rules() -> Vec<Rule> {
    let table = read("resilient-runtime/src/alerting/rules/table.rs");
    let rules: Vec<_> = table.split("\n    AlertRule {").skip(1).map(rule).collect();
    assert!(rules.len() > 10, "{rules:?}");
    rules
}

fn rule(text: &str) -> Rule {
    let field = |name: &str| {
        let value = text.split(&format!("\n        {name}: ")).nth(1).and_then(|rest| rest.split(",\n").next());
        value.unwrap_or_else(|| panic!("no `{name}` in {text}")).trim_matches('"')
    };
    let hold = field("hold").strip_prefix("minutes(").and_then(|rest| rest.strip_suffix(')'));
    Rule {
        name: field("name").into(),
        severity: field("severity").to_lowercase(),
        hold: format!("{} min", hold.unwrap_or_else(|| panic!("minutes in {text}"))),
        runbook: field("runbook").into(),
    }
}

/// Returns the name of each runbook, and its text.
fn runbooks() -> Vec<(String, String)> {
    let files = fs::read_dir(repository().join(RUNBOOKS)).expect("a folder").map(|file| file.expect("an entry").path());
    let name = |path: &std::path::Path| path.file_name().expect("a name").display().to_string();
    let mut found: Vec<_> = files.map(|path| (name(&path), fs::read_to_string(&path).expect("text"))).collect();
    found.sort();
    found
}

#[test]
fn each_alert_has_a_runbook_and_no_runbook_is_left_over() {
    let rules = rules();
    let expected: BTreeSet<_> = rules.iter().map(|rule| format!("{}.md", rule.runbook)).collect();
    let found: BTreeSet<_> = runbooks().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, expected);
    for rule in &rules {
        let mut kebab = String::new();
        for c in rule.name.trim_start_matches("Resilient").chars() {
            if c.is_uppercase() && !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.extend(c.to_lowercase());
        }
        assert_eq!(rule.runbook, kebab, "{}", rule.name);
    }
}

#[test]
fn a_runbook_says_what_it_means_what_to_look_at_what_to_do_and_when_it_resolves() {
    let rules = rules();
    for (file, text) in runbooks() {
        let rule = rules.iter().find(|rule| file == format!("{}.md", rule.runbook)).expect("a rule");
        let meaning = text.strip_prefix(&format!("# {}\n\n", rule.name)).unwrap_or_else(|| panic!("{file}: {text}"));
        assert!(!meaning.starts_with('#'), "{file} does not say what the alert means");
        for part in ["## Look at", "## Do", "## Resolves"] {
            assert!(!section(&text, part).trim().is_empty(), "{file}: {part}");
        }
        assert!(text.lines().count() <= 60, "{file} is too long to be read at night");
    }
}

#[test]
fn links_between_runbooks_lead_to_one() {
    let runbooks = runbooks();
    let mut seen = 0;
    for (file, text) in &runbooks {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(runbooks.iter().any(|(name, _)| name == link), "{file}: `{link}`");
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn events_that_a_runbook_names_are_in_the_guide_or_of_the_example() {
    let guide = read("resilient-runtime/src/guide/observing.md");
    let example = read("examples/make-server/src/http_server/mod.rs") + &read("examples/make-server/src/process.rs");
    let mut seen = 0;
    for (file, text) in runbooks() {
        for (number, line) in parse(&text).1 {
            for code in codes(line) {
                let is_event = code.split_once('.').is_some_and(|(of, what)| {
                    let is_word =
                        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                    is_word(of) && is_word(what) && !["yml", "toml", "json"].contains(&what)
                });
                if is_event {
                    let known =
                        guide.contains(&format!("`{code}`")) || example.contains(&format!("event = \"{code}\""));
                    assert!(known, "{file}:{number}: no event `{code}`");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn the_guide_lists_all_alerts_with_the_severity_and_time_of_their_rules() {
    let guide = read("resilient-runtime/src/guide/alerting.md");
    let rows: Vec<_> = guide.lines().filter(|line| line.starts_with("| `Resilient")).collect();
    let rules = rules();
    assert_eq!(rows.len(), rules.len(), "{rows:?}");
    for (row, Rule { name, severity, hold, .. }) in rows.iter().zip(&rules) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!((cells[1], cells[2], cells[4]), (&*format!("`{name}`"), &**severity, &**hold), "{row}");
    }
}
