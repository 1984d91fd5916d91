//! What clients read of every example's tools before they call one.

mod common;

use common::connect;
use rmcp::model::Tool;
use serde_json::Value;

/// Every server over stdio, and with its other build.
const SERVERS: [(&str, &str, &[&str]); 7] = [
    ("api-debugger", env!("CARGO_BIN_EXE_api-debugger"), &["--demo"]),
    ("auditor", env!("CARGO_BIN_EXE_auditor"), &["--demo"]),
    // `http-server` has the same tools.
    ("make-server", env!("CARGO_BIN_EXE_make-server"), &["--demo"]),
    ("make-server --bare", env!("CARGO_BIN_EXE_make-server"), &["--demo", "--bare"]),
    ("quickstart", env!("CARGO_BIN_EXE_quickstart"), &["--demo"]),
    ("search-server", env!("CARGO_BIN_EXE_search-server"), &["--demo"]),
    ("wiki-issues", env!("CARGO_BIN_EXE_wiki-issues"), &["--demo"]),
];

/// Those of JSON Schema 2020-12 (validation, section 7.3).
const FORMATS: [&str; 19] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uuid",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];

async fn tools() -> Vec<(&'static str, Tool)> {
    let mut tools = Vec::new();
    for (name, executable, args) in SERVERS {
        let service = connect(executable, args, &[]).await;
        let listed = service.list_all_tools().await.unwrap();
        assert!(!listed.is_empty(), "{name}");
        tools.extend(listed.into_iter().map(|tool| (name, tool)));
        service.cancel().await.unwrap();
    }
    tools
}

/// Every `format` of a schema, wherever it is. A property may be called so too, and then it is no text.
fn formats<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(object) => {
            found.extend(object.get("format").and_then(Value::as_str));
            object.values().for_each(|value| formats(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| formats(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_schemas_of_every_example_have_formats_that_json_schema_knows_and_no_others() {
    for (server, tool) in tools().await {
        let input = Value::Object((*tool.input_schema).clone());
        let output = tool.output_schema.map(|schema| Value::Object((*schema).clone()));
        let mut found = Vec::new();
        formats(&input, &mut found);
        output.iter().for_each(|output| formats(output, &mut found));
        for format in found {
            assert!(FORMATS.contains(&format), "{server}: {} has the format `{format}`", tool.name);
        }
    }
}

#[tokio::test]
async fn every_tool_of_the_examples_says_whether_it_writes_and_a_write_whether_it_may_be_repeated() {
    for (server, tool) in tools().await {
        // These say it in the guard's own keys, `read_only` and `idempotent`, which `quickstart` shows.
        if (server, tool.name.as_ref()) == ("quickstart", "recommend") {
            continue;
        }
        let hints = tool.annotations.unwrap_or_default();
        let reads = hints.read_only_hint;
        assert!(reads.is_some(), "{server}: {}", tool.name);
        let by_key = (server, tool.name.as_ref()) == ("quickstart", "set_address");
        assert!(reads == Some(true) || by_key || hints.idempotent_hint.is_some(), "{server}: {}", tool.name);
    }
}
