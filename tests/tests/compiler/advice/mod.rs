//! The advice in the messages of the macros: "write `X`" means that replacing the primary span of the error by `X`
//! corrects this one mistake, and so does "did you mean `X`?".
//!
//! Each case under `ui/*/fail` is compiled as it is, then once for each piece of advice, then once with the advice of
//! every message applied.

mod forms;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use resilient_tests::fixture::{Fixture, repository};
use serde_json::Value;

use forms::{OTHER_FORMS, has_form};

/// Words that appear only in messages with advice.
const ADVICE: &[&str] = &[
    "write ",
    "add ",
    "remove",
    "say ",
    "; use ",
    "move ",
    "place ",
    "keep ",
    "set ",
    "derive ",
    "; take ",
    "give ",
    "expected ",
];

/// Cases with incomplete entries: a correct key has no value yet, which is the next mistake of the same entry.
const HALF_TYPED: &[&str] = &["mcp_error_half_typed", "resilient_half_typed_keys"];

/// A message of the compiler about one span of a case.
#[derive(Debug, Clone)]
struct Mistake {
    /// The line of the primary span.
    line: usize,
    message: String,
    /// The primary span, in bytes.
    span: Range<usize>,
    /// Whether the message is rustc's, with a code such as E0308.
    has_code: bool,
}

impl Mistake {
    /// The mistake without its columns, which change if an earlier mistake in the line is corrected.
    fn place(&self) -> (usize, &str) {
        (self.line, &self.message)
    }

    /// The texts that correct it, each as an exact replacement of the span.
    fn advice(&self, source: &str) -> Vec<String> {
        if let Some((_, rest)) = self.message.split_once("write `") {
            return alternatives(rest);
        }
        if let Some((_, rest)) = self.message.split_once("did you mean `") {
            // The advice is the name only: the quotes around the wrong name stay.
            let found = &source[self.span.clone()];
            let quotes = if found.starts_with('"') { "\"" } else { "" };
            return alternatives(rest).into_iter().map(|name| format!("{quotes}{name}{quotes}")).collect();
        }
        Vec::new()
    }
}

/// `a` of "a`, or b", and `a` and `b` of "a` or `b`".
fn alternatives(rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = Some(rest);
    while let Some((text, after)) = rest.and_then(|rest| rest.split_once('`')) {
        found.push(text.to_owned());
        rest = after.strip_prefix(" or `").or_else(|| after.strip_prefix(", `"));
    }
    found
}

/// A package with one executable for each source.
fn manifest(name: &str, sources: &BTreeMap<String, String>) -> String {
    let runtime = repository().join("resilient-runtime");
    let mut manifest = format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
autobins = false

[dependencies]
resilient-runtime = {{ path = "{}", features = ["deferred", "replicas", "reqwest"] }}
reqwest = {{ version = "*", default-features = false }}
rmcp = {{ version = "*", default-features = false, features = ["macros", "server"] }}
schemars = "*"
serde = {{ version = "*", features = ["derive"] }}
serde_json = "*"
thiserror = "*"
tokio = {{ version = "*", features = ["time"] }}
tokio-util = "*"
"#,
        runtime.display()
    );
    for source in sources.keys() {
        manifest.extend(["\n[[bin]]\nname = \"", name, "_", source, "\"\npath = \"", source, ".rs\"\n"]);
    }
    manifest
}

/// Compiles all sources at once, and returns the mistakes of each.
fn check(fixture: &Fixture, name: &str, sources: &BTreeMap<String, String>) -> BTreeMap<String, Vec<Mistake>> {
    fixture.write(&format!("{name}/Cargo.toml"), &manifest(name, sources));
    for (source, text) in sources {
        fixture.write(&format!("{name}/{source}.rs"), text);
    }
    let output = fixture.cargo(&["check", "--package", name, "--bins", "--keep-going", "--message-format=json"]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(!messages.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: BTreeMap<_, _> = sources.keys().map(|source| (source.clone(), Vec::new())).collect();
    for message in &messages {
        let target = message["target"]["name"].as_str().unwrap_or_default();
        let source = target.strip_prefix(&format!("{name}_"));
        if message["message"]["level"] == "error"
            && let Some(of_source) = source.and_then(|source| found.get_mut(source))
            && let Some(mistake) = mistake(&message["message"])
        {
            of_source.push(mistake);
        }
    }
    for mistakes in found.values_mut() {
        mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.message.clone()));
    }
    found
}

/// Parses a diagnostic. The last one of a failed compilation, which only counts the others, has no span.
fn mistake(message: &Value) -> Option<Mistake> {
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    let number = |key: &str| usize::try_from(span[key].as_u64().unwrap_or_default()).unwrap_or_default();
    Some(Mistake {
        line: number("line_start"),
        message: message["message"].as_str().unwrap_or_default().to_owned(),
        span: number("byte_start")..number("byte_end"),
        has_code: !message["code"].is_null(),
    })
}

/// Returns the source with these spans replaced. They do not overlap.
fn mended(source: &str, replacements: &[(Range<usize>, String)]) -> String {
    let mut sorted = replacements.to_vec();
    sorted.sort_by_key(|(span, _)| span.start);
    let mut text = source.to_owned();
    for (span, replacement) in sorted.into_iter().rev() {
        text.replace_range(span, &replacement);
    }
    text
}

/// Returns the mistakes that only the second list has, and those that only the first has.
fn difference<'m>(expected: &[&'m Mistake], found: &'m [Mistake]) -> (Vec<&'m Mistake>, Vec<&'m Mistake>) {
    let mut missing = expected.to_vec();
    let mut new = Vec::new();
    for mistake in found {
        match missing.iter().position(|other| other.place() == mistake.place()) {
            Some(known) => drop(missing.remove(known)),
            None => new.push(mistake),
        }
    }
    (new, missing)
}

/// Returns each case with a name that is valid for an executable, such as `resilient_keys`.
fn cases() -> BTreeMap<String, String> {
    let entries = |path: &Path| {
        let entries = std::fs::read_dir(path).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let mut cases = BTreeMap::new();
    for suite in entries(&repository().join("tests/ui")).into_iter().filter(|path| path.is_dir()) {
        for path in entries(&suite.join("fail")) {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let part = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).expect("a case");
                cases.insert(format!("{}_{}", part(&suite), part(&path)), text);
            }
        }
    }
    assert!(!cases.is_empty());
    cases
}

// rule 78
#[test]
fn the_advice_of_every_message_compiles_and_mends_its_mistake_alone() {
    let fixture = Fixture::empty(repository().join("target/fixtures/advice"));
    fixture.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"written\", \"mended\"]\n");
    fixture.write("mended/Cargo.toml", &manifest("mended", &BTreeMap::from([("none".into(), String::new())])));
    fixture.write("mended/none.rs", "");
    let cases = cases();
    let written = check(&fixture, "written", &cases);

    let mut wrong = Vec::new();
    let mut sources = BTreeMap::new();
    // The mistakes that remain after the advice is applied.
    let mut expected: BTreeMap<String, (String, Vec<&Mistake>)> = BTreeMap::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (name, mistakes) in &written {
        let source = &cases[name];
        let mut all: Vec<(Range<usize>, String)> = Vec::new();
        let mut left = Vec::new();
        for (index, mistake) in mistakes.iter().enumerate() {
            let advice = mistake.advice(source);
            let is_apart = all.iter().all(|(span, _)| span.end <= mistake.span.start || mistake.span.end <= span.start);
            match advice.first() {
                Some(first) if is_apart => all.push((mistake.span.clone(), first.clone())),
                Some(_) => {}
                None => left.push(mistake),
            }
            if advice.is_empty() && !mistake.has_code {
                // Notes follow on separate lines.
                let message = mistake.message.lines().next().unwrap_or_default();
                let forms = OTHER_FORMS.iter().flat_map(|(_, forms)| *forms);
                let forms: Vec<_> = forms.filter(|form| has_form(message, form)).collect();
                used.extend(forms.iter().copied().copied());
                if forms.is_empty() && ADVICE.iter().any(|word| mistake.message.contains(word)) {
                    wrong.push(format!("{name}: advises in a form that nothing can follow: {}", mistake.message));
                }
            }
            for (which, text) in advice.into_iter().enumerate() {
                let key = format!("{name}_{index}_{which}");
                let others = mistakes.iter().enumerate().filter(|(other, _)| *other != index);
                let others = others.map(|(_, other)| other).collect();
                let about = format!("{name}:{}: `{text}` for \"{}\"", mistake.line, mistake.message);
                sources.insert(key.clone(), mended(source, &[(mistake.span.clone(), text)]));
                expected.insert(key, (about, others));
            }
        }
        sources.insert(format!("{name}_all"), mended(source, &all));
        expected.insert(format!("{name}_all"), (format!("{name}: all advice at once"), left));
    }
    for (why, forms) in OTHER_FORMS {
        for form in forms.iter().filter(|form| !used.contains(*form)) {
            wrong.push(format!("no message has the form `{form}`, of which it is said: {why}"));
        }
    }
    let found = check(&fixture, "mended", &sources);
    for (key, (about, others)) in &expected {
        let (mut new, missing) = difference(others, &found[key]);
        if HALF_TYPED.iter().any(|case| key.starts_with(case)) {
            new.retain(|mistake| !mistake.message.starts_with("expected "));
        }
        wrong.extend(new.iter().map(|mistake| format!("{about} leads to {}: {}", mistake.line, mistake.message)));
        wrong.extend(missing.iter().map(|mistake| format!("{about} hides {}: {}", mistake.line, mistake.message)));
    }
    let tried = sources.len();
    assert!(wrong.is_empty(), "of {tried} pieces of advice:\n{}", wrong.join("\n"));
}
