//! The messages of the compiler: each case under `ui/*/fail` with its expected output, and the code that must compile.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler that wrote the `.stderr` files: that of `rust-toolchain.toml`.
const PINNED: &str = "rustc 1.95.0 ";

/// Cases where rustc itself reports another number of errors: the file, the case, the number, the reason.
const EXCEPTIONS: &[(&str, &str, usize, &str)] = &[
    (
        "resilient/fail/refresh.rs",
        "rule 67, a receiver that borrows",
        2,
        "rustc reports the lifetime of the receiver once for the receiver and once for its type",
    ),
    (
        "resilient/fail/half_typed.rs",
        "beside the rules, a field at the end",
        2,
        "without the attribute, too, rustc takes what is there for the answer",
    ),
    (
        "resilient/fail/half_typed.rs",
        "beside the rules, a parameter of a tool without a type",
        2,
        "without the attribute, too, `#[tool_router]` repeats what rustc says of the parameter",
    ),
    (
        "resilient/fail/half_typed_keys.rs",
        "rule 4, a value for the attribute itself",
        2,
        "rustc refuses this form for every attribute macro, and expands it all the same",
    ),
];

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("a compiler");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn messages_and_hygiene() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/*/pass/*.rs");
    let compiler = compiler();
    if compiler.starts_with(PINNED) {
        cases.compile_fail("ui/*/fail/*.rs");
    } else {
        // Not with `eprintln!`, which libtest captures. CI searches for a line with this prefix, and fails if there is
        // one.
        let why = format!("the messages are compared on {PINNED}only, and this is {compiler}");
        writeln!(std::io::stderr(), "\nSKIPPED: messages_and_hygiene: {}", why.trim_end()).expect("stderr");
    }
}

#[test]
fn one_mistake_gives_one_error() {
    let mut wrong = Vec::new();
    for path in files("fail") {
        let name = shown(&path);
        let cases = cases(&path);
        let mut left = errors(&path);
        for case in &cases {
            let before = left.len();
            left.retain(|line| !case.lines.contains(line));
            let found = before - left.len();
            let exception = EXCEPTIONS.iter().find(|(file, title, ..)| *file == name && *title == case.title);
            let expected = exception.map_or(case.mistakes, |(_, _, errors, _)| *errors);
            if found != expected {
                let Case { title, lines, .. } = case;
                wrong.push(format!("{name}:{}: `{title}` has {found} errors, expected {expected}", lines.start));
            }
        }
        wrong.extend(left.iter().map(|line| format!("{name}:{line}: an error that belongs to no case")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exception_is_about_a_case_that_is_there() {
    for (file, title, _, why) in EXCEPTIONS {
        let cases = cases(&ui().join(file));
        assert!(
            cases.iter().any(|case| case.title == *title),
            "{file} has no case `{title}`, of which it is said: {why}"
        );
    }
}

#[test]
fn the_list_of_rules_names_every_rule_with_a_case_that_shows_it() {
    let page = fs::read_to_string(ui().join("RULES.md")).expect("the list of rules");
    let rules = listed(&page);
    let mut wrong = Vec::new();
    for pair in rules.windows(2).filter(|pair| pair[0].number >= pair[1].number) {
        wrong.push(format!("rule {} follows rule {}", pair[1].number, pair[0].number));
    }
    for Rule { number, case } in &rules {
        let path = ui().join(case);
        if !path.is_file() || !cases(&path).iter().any(|known| known.rule == Some(*number)) {
            wrong.push(format!("rule {number} of RULES.md has no case in {case}"));
        }
    }
    for path in files("fail") {
        for Case { rule, lines, .. } in cases(&path) {
            if let Some(rule) = rule.filter(|rule| rules.iter().all(|known| known.number != *rule)) {
                wrong.push(format!("{}:{}: rule {rule} is not in RULES.md", shown(&path), lines.start));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}",
        wrong.join(
            "
"
        )
    );
}

#[test]
fn what_must_compile_is_seen_by_clippy_too() {
    let manifest = fs::read_to_string(ui().with_file_name("Cargo.toml")).expect("a manifest");
    for path in files("pass") {
        let registered = format!("path = \"ui/{}\"", shown(&path));
        assert!(manifest.contains(&registered), "an `[[example]]` in Cargo.toml with {registered}");
        let text = fs::read_to_string(&path).expect("a case");
        let lints = "#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]";
        assert!(text.contains(lints), "{}: {lints}", path.display());
    }
}

/// A row of the list of rules.
struct Rule {
    number: u32,
    /// The file, as [`shown`] formats it.
    case: String,
}

/// The rows `| number | sentence | [file](path) |` of the list.
fn listed(page: &str) -> Vec<Rule> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter_map(|row| {
        let number = row.split(" | ").next()?.parse().ok()?;
        let case = row.rsplit_once("](").and_then(|(_, path)| path.strip_suffix(')'));
        Some(Rule { number, case: case.unwrap_or_default().to_owned() })
    })
    .collect()
}

/// One or more mistakes in one item, under a comment such as:
///
/// ```text
/// // rule 20
/// // rule 20, with an unknown word
/// // rule 20, one of each: 4 mistakes
/// // beside the rules, the body's own mistake
/// ```
struct Case {
    rule: Option<u32>,
    /// The comment without the number of mistakes.
    title: String,
    mistakes: usize,
    /// Up to the next case, or to `fn main`.
    lines: std::ops::Range<usize>,
}

fn cases(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).expect("a case");
    let mut cases: Vec<Case> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let comment = line.trim_start().strip_prefix("// ").unwrap_or_default();
        let rule = comment.strip_prefix("rule ").map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            digits.parse().unwrap_or_else(|_| panic!("{}:{number}: a number after `rule`", path.display()))
        });
        let starts = rule.is_some() || comment.starts_with("beside the rules, ");
        if open
            && (starts || line.starts_with("fn main()"))
            && let Some(last) = cases.last_mut()
        {
            last.lines.end = number;
        }
        open &= !line.starts_with("fn main()");
        if starts {
            let counted = comment
                .rsplit_once(": ")
                .and_then(|(title, count)| Some((title, count.strip_suffix(" mistakes")?.parse().ok()?)));
            let (title, mistakes) = counted.unwrap_or((comment, 1));
            cases.push(Case { rule, title: title.to_owned(), mistakes, lines: number..usize::MAX });
            open = true;
        }
    }
    cases
}

/// The lines of all errors in the expected output of a case.
fn errors(path: &Path) -> Vec<usize> {
    let output = path.with_extension("stderr");
    let text = fs::read_to_string(&output).expect("an expected output");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if !line.starts_with("error") {
            continue;
        }
        let place = lines.find_map(|line| line.trim_start().strip_prefix("--> ")).unwrap_or_default();
        let line = place
            .strip_prefix("ui/")
            .and_then(|place| place.strip_prefix(&shown(path)))
            .and_then(|place| place.split(':').nth(1)?.parse().ok());
        found.push(line.unwrap_or_else(|| panic!("{}: `{line:?}` points to `{place}`", output.display())));
    }
    found
}

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
}

/// The sources of all cases that must pass, or fail.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = |path: PathBuf| fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries(ui()).filter(|path| path.is_dir()).flat_map(|path| entries(path.join(folder))).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Returns the name of a case, such as `resilient/fail/keys.rs`.
fn shown(path: &Path) -> String {
    path.strip_prefix(ui()).unwrap_or(path).display().to_string()
}
