//! What a delivery does not change, and what does not make one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use resilient_runtime::deferred::{State, WallClock};
use resilient_runtime::mcp::POLICY_META;
use resilient_runtime::testing;
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_tests::fixture::repository;
use resilient_tests::in_process::{call, connect, request};
use resilient_tests::wire::{CALL, CORRELATION, ERROR, meta, text};
use rmcp::model::RequestMetaObject;
use serde_json::json;
use tokio::time::sleep;

use super::shop::{Shop, ended, receipt, serve, start};

#[test]
fn the_only_client_still_gets_its_cached_answers_after_a_delivery() {
    testing::run(async |lab| {
        let (shop, store) = (Shop::default(), MemoryStore::default());
        let _handle = start(&shop, store.clone(), WallClock::new(), lab.registry());
        let client = connect(shop.clone()).await;
        assert_eq!(text(&call(&client, "list", &json!({})).await), "tea");
        shop.upstream.down(true);
        let deferred = receipt(&call(&client, "order", &json!({ "key": "k" })).await);
        shop.upstream.down(false);
        assert_eq!(ended(&store, deferred).await.summary.state, State::Done);
        shop.upstream.down(true);
        let cached = call(&client, "list", &json!({})).await;
        assert!(text(&cached).starts_with("tea\nNote: this is the last good answer"), "{cached:?}");
    });
}

/// How the sources read the `_meta` of a request, each with the member that they read. A client sends all of them below.
const READ: [(&str, &str); 4] = [
    ("0.0.get(CORRELATION_META)", CORRELATION),
    ("get_progress_token()", "progressToken"),
    ("get_traceparent()", "traceparent"),
    ("get_tracestate()", "tracestate"),
];

/// Receivers of `.meta` in the sources that are not requests for a tool.
const OTHERS: [&str; 4] = ["attr", "created", "notification", "result"];

/// Adds the calls on the `_meta` of requests in all sources of a folder.
fn reads(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            reads(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code: String = code.split_whitespace().collect();
        for (at, matched) in code.match_indices(".meta.") {
            let receiver = code[..at].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            if !OTHERS.contains(&receiver) {
                assert_eq!(receiver, "request", "{}", path.display());
                let call = code[at + matched.len()..].split_inclusive(')').next().unwrap();
                found.insert(call.to_owned());
            }
        }
    }
}

#[test]
fn the_list_has_all_meta_that_is_read() {
    let mut found = BTreeSet::new();
    reads(&repository().join("resilient-runtime/src"), &mut found);
    assert_eq!(found, BTreeSet::from(READ.map(|(call, _)| call.to_owned())));
}

#[test]
fn a_client_that_sends_all_meta_that_is_read_is_not_taken_for_the_worker() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        let waiting = {
            served.upstream().down(true);
            served.defer("order", "waits").await
        };
        served.upstream().down(false);
        let pretended = json!({
            "receipt": waiting.to_string(),
            "attempt": 1,
            "tried": null,
            "principal": "p:ann",
            "correlation_id": "c",
        });
        let mut all = RequestMetaObject::new();
        let members = [
            ("user", json!("ann")),
            ("progressToken", json!(waiting.to_string())),
            ("traceparent", json!("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01")),
            ("tracestate", json!("resilient=delivery")),
            (CORRELATION, json!("c")),
            (CALL, json!({ "deferred": pretended, "delivery": pretended })),
            (ERROR, pretended.clone()),
            (POLICY_META, pretended.clone()),
            ("io.crates.resilient-runtime/delivery", pretended.clone()),
            ("io.crates.resilient-runtime/deferred", pretended.clone()),
            ("delivery", pretended),
        ];
        assert!(READ.iter().all(|(_, read)| members.iter().any(|(name, _)| name == read)));
        all.0.0.extend(members.map(|(name, value)| (name.to_owned(), value)));
        for (tool, key) in [("order", "waits"), ("order", "other")] {
            let mut request = request(tool, &json!({ "key": key }));
            request.meta = Some(all.clone());
            let answer = served.client.call_tool(request).await.unwrap();
            // The key is still checked: a delivery would have run the body.
            assert_eq!(meta(&answer, CALL)["deferred"].is_object(), key == "waits", "{answer:?}");
        }
        assert!(served.upstream().seen.lock().unwrap().iter().all(Option::is_none));
        assert_eq!(served.upstream().placed(), ["other"]);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(served.entry(waiting).await.summary.state, State::Done);
    });
}
