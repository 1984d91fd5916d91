//! The list of tools that clients receive from every example.

use crate::common::connect;
use rmcp::model::Tool;
use serde_json::Value;

/// Every server over stdio, and the bare build.
const SERVERS: [(&str, &str, &[&str]); 8] = [
    ("api-debugger", "api-debugger", &["--demo"]),
    ("auditor", "auditor", &["--demo"]),
    // `http-server` has the same tools.
    ("make-server", "make-server", &["--demo"]),
    ("make-server --bare", "make-server", &["--demo", "--bare"]),
    ("quickstart", "quickstart", &["--demo"]),
    ("scenario-sync", "scenario-sync", &["--demo"]),
    ("search-server", "search-server", &["--demo"]),
    ("wiki-issues", "wiki-issues", &["--demo"]),
];

/// The formats of JSON Schema 2020-12 (validation, section 7.3).
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

/// Collects every `format` of a schema. A property with this name has a schema as value, not a text.
fn formats<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(object) => {
            found.extend(object.get("format").and_then(Value::as_str));
            for value in object.values() {
                formats(value, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                formats(value, found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_schemas_of_every_example_have_formats_that_json_schema_knows_and_no_others() {
    for (server, tool) in tools().await {
        let schemas = [Some(tool.input_schema), tool.output_schema].into_iter().flatten();
        let schemas: Vec<_> = schemas.map(|schema| Value::Object((*schema).clone())).collect();
        let mut found = Vec::new();
        for schema in &schemas {
            formats(schema, &mut found);
        }
        for format in found {
            assert!(FORMATS.contains(&format), "{server}: {} has the format `{format}`", tool.name);
        }
    }
}

#[tokio::test]
async fn every_tool_of_the_examples_says_whether_it_writes_and_a_write_whether_it_may_be_repeated() {
    for (server, tool) in tools().await {
        let hints = tool.annotations.unwrap_or_default();
        // These two use the keys `read_only` and `idempotent` instead.
        let by_key = server == "quickstart" && ["recommend", "set_address"].contains(&tool.name.as_ref());
        let repeats = hints.read_only_hint == Some(true) || hints.idempotent_hint.is_some() || by_key;
        assert!(hints.read_only_hint.is_some() || tool.name == "recommend", "{server}: {}", tool.name);
        assert!(repeats, "{server}: {}", tool.name);
    }
}
