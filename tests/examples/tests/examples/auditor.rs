//! `auditor` as a child process, with projects in temporary directories.

use std::{fs, path::Path};

use rmcp::{
    RoleClient,
    model::{CallToolRequestParams, CallToolResult},
    service::RunningService,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{call, command, connect};

const SERVER: &str = "auditor";

const GOOD: &str = "/// Documented.\npub fn a() {\n    b.unwrap();\n}\n";
const BROKEN: &str = "pub fn a( {\n    b.unwrap();\n    c.unwrap();\n}\n";

/// A root with the project `shop`, and a secret next to the root.
fn root(text: &str) -> TempDir {
    let around = tempfile::tempdir().unwrap();
    fs::create_dir_all(around.path().join("root/shop/src")).unwrap();
    fs::write(around.path().join("secret.rs"), "fn secret() {}").unwrap();
    write(around.path(), text);
    around
}

fn write(around: &Path, text: &str) {
    fs::write(around.join("root/shop/src/lib.rs"), text).unwrap();
}

async fn server(around: &TempDir) -> RunningService<RoleClient, ()> {
    let root = around.path().join("root");
    connect(SERVER, &[], &[("AUDITOR_ROOT", root.to_str().unwrap())]).await
}

fn told(result: &CallToolResult) -> &Value {
    &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/call"]
}

fn error(result: &CallToolResult) -> &Value {
    &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/error"]
}

fn answer(result: &CallToolResult) -> &Value {
    result.structured_content.as_ref().unwrap()
}

fn last_text(result: &CallToolResult) -> &str {
    &result.content.last().unwrap().as_text().unwrap().text
}

#[tokio::test]
async fn a_project_is_audited_in_full() {
    let service = connect(SERVER, &["--demo"], &[]).await;
    let result = call(&service, "audit_project", json!({ "path": ".", "files": 2 })).await;
    let audit = answer(&result);
    assert_eq!(audit["method"], "syntax");
    assert_eq!(
        (&audit["files_audited"], &audit["files_skipped"], &audit["truncated"]),
        (&json!(3), &json!(0), &json!(false))
    );
    let total = json!({ "lines": 38, "functions": 5, "rules": { "unsafe_block": 1, "unwrap": 1, "expect": 1, "todo": 1, "undocumented": 1 } });
    assert_eq!(audit["total"], total);
    let files = audit["files"].as_array().unwrap();
    assert_eq!(files.len(), 2, "as many as asked for");
    assert_eq!(
        (&files[0]["path"], &files[0]["findings"]),
        (
            &json!("src/lib.rs"),
            &json!([{ "line": 7, "rule": "expect" }, { "line": 10, "rule": "undocumented", "item": "discount" }])
        )
    );
    assert_eq!(told(&result)["degraded"], Value::Null);
}

#[tokio::test]
async fn broken_code_is_answered_by_a_scan_that_says_so() {
    let around = root(BROKEN);
    let service = server(&around).await;
    let result = call(&service, "audit_project", json!({ "path": "shop" })).await;
    assert_eq!(
        (&answer(&result)["method"], &answer(&result)["total"]["rules"]),
        (&json!("patterns"), &json!({ "unwrap": 2 }))
    );
    assert_eq!((&told(&result)["degraded"], &told(&result)["source"]), (&json!(true), &json!("function")));
    let warning = told(&result)["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("the parser stopped at src/lib.rs:1:9: "), "{warning}");

    let result = call(&service, "analyze_code", json!({ "code": BROKEN })).await;
    assert_eq!((&answer(&result)["method"], &answer(&result)["rules"]), (&json!("patterns"), &json!({ "unwrap": 2 })));
    assert!(last_text(&result).contains("substitute answer"), "{}", last_text(&result));
}

#[tokio::test]
async fn code_that_broke_is_answered_with_the_last_good_answer_marked_as_old() {
    let around = root(GOOD);
    let service = server(&around).await;
    let good = call(&service, "audit_project", json!({ "path": "shop" })).await;
    assert_eq!(answer(&good)["total"]["rules"], json!({ "unwrap": 1 }));

    write(around.path(), BROKEN);
    let old = call(&service, "audit_project", json!({ "path": "shop" })).await;
    assert_eq!(answer(&old), answer(&good));
    assert_eq!((&told(&old)["degraded"], &told(&old)["source"]), (&json!(true), &json!("cache")));
    assert!(told(&old)["age_ms"].is_u64(), "{}", told(&old));
    assert!(told(&old)["warnings"][0].as_str().unwrap().contains("src/lib.rs:1:9"), "{}", told(&old));
    assert!(last_text(&old).contains("this is the last good answer"), "{}", last_text(&old));

    let other = call(&service, "audit_project", json!({ "path": "shop", "max_lines": 9 })).await;
    assert_eq!(answer(&other)["method"], "patterns", "other arguments have no good answer yet");

    write(around.path(), "fn a() {}");
    let fresh = call(&service, "audit_project", json!({ "path": "shop" })).await;
    assert_eq!((&answer(&fresh)["total"]["rules"], &told(&fresh)["degraded"]), (&json!({}), &Value::Null));
}

#[tokio::test]
async fn nothing_outside_the_root_is_read() {
    let around = root(GOOD);
    let service = server(&around).await;
    for path in ["..", "shop/../..", around.path().to_str().unwrap(), "/"] {
        let result = call(&service, "audit_project", json!({ "path": path })).await;
        assert_eq!(
            (&error(&result)["code"], &error(&result)["kind"]),
            (&json!("AUDIT_OUTSIDE"), &json!("permission_denied")),
            "{path}"
        );
        assert!(last_text(&result).contains("Give a path below the root"), "{}", last_text(&result));
    }
    let result = call(&service, "audit_project", json!({ "path": "nowhere" })).await;
    assert_eq!(error(&result)["kind"], "not_found");
}

#[tokio::test]
async fn code_that_is_nested_without_end_is_answered() {
    let service = connect(SERVER, &["--demo"], &[]).await;
    let (open, close) = ("(".repeat(100_000), ")".repeat(100_000));
    for code in
        [format!("fn a() {{ {open}{close} }}"), open, format!("fn a() {{ {}true; b.unwrap() }}", "!".repeat(100_000))]
    {
        let result = call(&service, "analyze_code", json!({ "code": code })).await;
        assert_eq!(answer(&result)["method"], "patterns");
        assert!(
            told(&result)["warnings"][0].as_str().unwrap().starts_with("the parser stopped at code:1:"),
            "{}",
            told(&result)
        );
    }
    let result = call(&service, "analyze_code", json!({ "code": GOOD })).await;
    assert_eq!(answer(&result)["method"], "syntax", "the server lives on");
}

#[tokio::test]
async fn code_that_is_too_long_is_refused_with_its_length() {
    let service = connect(SERVER, &["--demo"], &[]).await;
    let result = call(&service, "analyze_code", json!({ "code": " ".repeat(600_000) })).await;
    assert_eq!(
        (&error(&result)["kind"], &error(&result)["details"]["bytes"]),
        (&json!("invalid_input"), &json!(600_000))
    );
}

#[tokio::test]
async fn many_calls_at_a_time_are_all_answered() {
    let around = root(GOOD);
    let service = server(&around).await;
    let calls = (0..10).map(|_| {
        let params = CallToolRequestParams::new("audit_project")
            .with_arguments(json!({ "path": "shop" }).as_object().unwrap().clone());
        service.call_tool(params)
    });
    for result in futures_util::future::join_all(calls).await {
        assert_eq!(answer(&result.unwrap())["method"], "syntax");
    }
}

#[test]
fn a_root_that_is_no_directory_stops_the_start() {
    let output = command(SERVER).env("AUDITOR_ROOT", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("AUDITOR_ROOT is `/nowhere`, expected a directory that can be read"), "{text}");
}
