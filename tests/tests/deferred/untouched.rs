//! What a delivery does not change, and what does not make one.

use std::time::Duration;

use resilient_runtime::deferred::{State, WallClock};
use resilient_runtime::testing;
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_tests::in_process::{call, connect, request};
use resilient_tests::wire::{CALL, CORRELATION, meta, text};
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
            ("io.crates.resilient-runtime/delivery", pretended.clone()),
            ("io.crates.resilient-runtime/deferred", pretended.clone()),
            ("delivery", pretended),
        ];
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
