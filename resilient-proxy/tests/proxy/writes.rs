//! What is not repeated, and servers that hang.

use std::fs;
use std::time::{Duration, Instant};

use crate::client::{Proxy, folder, text};

/// A policy that would repeat calls that have timed out.
const POLICY: &str = r#"[default]
timeout = "1s"
retry = { max = 2, base = "10ms", on = ["timeout", "connection", "unavailable"] }
attempt_timeout = "300ms"
"#;

#[tokio::test]
async fn a_write_that_has_timed_out_is_not_repeated_although_the_policy_says_so() {
    let folder = folder();
    fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
    let mut proxy = Proxy::start(folder, &["--policy", "policy.toml", "--", "sh", "server.sh", "one"]);
    proxy.initialize().await;
    let result = proxy.call("hang").await;
    assert!(text(&result).contains("may have taken effect"), "{result}");
    assert_eq!(proxy.log(), ["one hang"]);
}

#[tokio::test]
async fn the_proxy_ends_in_time_although_its_server_does_not_read() {
    let mut proxy = Proxy::start(folder(), &["--timeout", "1s", "--", "sh", "server.sh", "one"]);
    proxy.initialize().await;
    proxy.call("hang").await;
    // More than a pipe takes.
    for _ in 0..40 {
        let params = serde_json::json!({ "data": "x".repeat(10_000) });
        proxy.send(&serde_json::json!({ "jsonrpc": "2.0", "method": "notifications/other", "params": params })).await;
    }
    let begun = Instant::now();
    proxy.end().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_dies_in_each_call_is_rejected_at_once_after_some_calls() {
    let mut proxy = Proxy::start(folder(), &["--", "sh", "server.sh", "one"]);
    proxy.initialize().await;
    for _ in 0..12 {
        let begun = Instant::now();
        let result = proxy.call("die").await;
        if text(&result).contains("CIRCUIT_OPEN") {
            assert!(begun.elapsed() < Duration::from_secs(3));
            assert!(proxy.log().len() <= 8, "{:?}", proxy.log());
            return;
        }
    }
    panic!("no breaker has opened");
}
