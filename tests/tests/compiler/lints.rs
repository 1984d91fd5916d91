//! Lints about an annotated function: each is reported at the same location as without the attribute.

use std::collections::BTreeSet;

use resilient_tests::fixture::{Fixture, repository};
use serde_json::Value;

const SOURCES: [&str; 2] = ["functions", "tools"];

/// Lints that differ, the source text at which they are reported, and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("clippy::unused_async", "async fn", "a guarded function has to be `async`, and waits: its calls can be delayed"),
    ("missing_docs", "#[tool_router(vis = \"pub\"", "the router that the attribute makes is documented"),
];

/// Some of the lints that the sources trigger. Without them the test would prove nothing.
const EXPECTED: &[&str] = &[
    "dead_code",
    "deprecated",
    "missing_docs",
    "non_snake_case",
    "private_interfaces",
    "unreachable_code",
    "unused_must_use",
    "unused_mut",
    "unused_qualifications",
    "unused_variables",
    "clippy::missing_errors_doc",
    "clippy::missing_panics_doc",
    "clippy::needless_lifetimes",
    "clippy::needless_pass_by_value",
    "clippy::needless_return",
    "clippy::too_many_arguments",
    "clippy::unused_self",
];

/// A report of a lint: the name, the message, and the primary span by lines and columns.
type Report = (String, String, [u64; 4]);

fn source(name: &str) -> String {
    std::fs::read_to_string(repository().join(format!("tests/lints/{name}.rs"))).expect("a source")
}

/// Returns the source without the attribute, with all line numbers kept.
fn without_attribute(source: &str) -> String {
    let lines = source.lines().map(|line| match line.trim_start() {
        attribute if attribute.starts_with("#[resilient_runtime::resilient") => "//",
        _ => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn manifest() -> String {
    let runtime = repository().join("resilient-runtime");
    let mut manifest = format!(
        r#"[package]
name = "lints"
version = "0.1.0"
edition = "2024"

[workspace]

[dependencies]
resilient-runtime = {{ path = "{}" }}
rmcp = {{ version = "*", default-features = false, features = ["macros", "server"] }}
schemars = "*"
serde = {{ version = "*", features = ["derive"] }}
"#,
        runtime.display()
    );
    for target in SOURCES.iter().flat_map(|source| [format!("{source}_guarded"), format!("{source}_plain")]) {
        manifest.extend(["\n[[example]]\nname = \"", &target, "\"\ncrate-type = [\"lib\"]\n"]);
    }
    manifest
}

/// Returns all reports about a target.
fn reports(messages: &[Value], target: &str) -> BTreeSet<Report> {
    let messages = messages.iter().filter(|message| message["target"]["name"] == target);
    messages
        .filter_map(|message| {
            let message = &message["message"];
            assert_ne!(message["level"], "error", "{target}: {}", message["rendered"]);
            let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
            let place = ["line_start", "column_start", "line_end", "column_end"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let place = place.map(|place| span[place].as_u64().unwrap_or_default());
            Some((text(&message["code"]["code"]), text(&message["message"]), place))
        })
        .collect()
}

#[test]
fn a_lint_about_an_annotated_function_is_reported_as_without_the_attribute() {
    let fixture = Fixture::empty(repository().join("target/fixtures/lints"));
    fixture.write("Cargo.toml", &manifest());
    for name in SOURCES {
        fixture.write(&format!("examples/{name}_guarded.rs"), &source(name));
        fixture.write(&format!("examples/{name}_plain.rs"), &without_attribute(&source(name)));
    }
    let output = fixture.cargo(&["clippy", "--examples", "--message-format=json"]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut wrong = Vec::new();
    let mut used = [false; EXCEPTIONS.len()];
    let mut names = BTreeSet::new();
    for name in SOURCES {
        let source = source(name);
        let lines: Vec<&str> = source.lines().collect();
        let plain = reports(&messages, &format!("{name}_plain"));
        let guarded = reports(&messages, &format!("{name}_guarded"));
        names.extend(plain.iter().map(|(lint, ..)| lint.clone()));
        for report @ (lint, message, place) in plain.symmetric_difference(&guarded) {
            let line = usize::try_from(place[0]).ok().and_then(|line| lines.get(line - 1)).unwrap_or(&"");
            let exception = EXCEPTIONS.iter().position(|(known, at, _)| known == lint && line.contains(at));
            match exception {
                Some(exception) => used[exception] = true,
                None if plain.contains(report) => wrong.push(format!("{name}.rs:{place:?}: lost: {lint}: {message}")),
                None => wrong.push(format!("{name}.rs:{place:?}: new: {lint}: {message}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for lint in EXPECTED {
        assert!(names.contains(*lint), "the sources have no case for `{lint}`");
    }
    for ((lint, at, why), used) in EXCEPTIONS.iter().zip(used) {
        assert!(used, "`{lint}` at `{at}` is no exception, of which it is said: {why}");
    }
}
