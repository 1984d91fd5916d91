//! Which calls are stored.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{GateSettings, Switches};
use resilient_runtime::deferred::DeferredStore as _;
use resilient_runtime::statistics::DeferredResult;
use resilient_runtime::testing::deferred::{MemoryStore, counted, defer_to};
use resilient_runtime::{Outcome, testing};
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, error, meta, text};
use serde_json::json;
use tokio::time::sleep;

use super::shop::{Service, Shop, down};

#[test]
fn a_call_that_fails_in_a_way_that_may_pass_is_stored_and_answered_with_its_receipt() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let answer = call(&its.client, "order", &json!({ "key": "a", "article": 7 })).await;
        let entry = its.store.entry().await;
        let receipt = entry.summary.receipt.to_string();
        assert!(
            text(&answer).starts_with(&format!("ACCEPTED_FOR_LATER {receipt}: not done yet;")),
            "{}",
            text(&answer)
        );
        assert_eq!(answer.is_error, Some(false));
        let facts = meta(&answer, CALL);
        assert_eq!(facts["performed"], false);
        assert_eq!(facts["deferred"]["receipt"], *receipt);
        assert_eq!(facts["deferred"]["tries_left"], 8);
        assert_eq!(facts["deferred"]["expires_ms"], 24 * 60 * 60 * 1_000);
        let wait = facts["deferred"]["next_attempt_ms"].as_u64().expect("a number");
        assert!((15_000..=30_000).contains(&wait), "{wait}");
        assert_eq!(entry.arguments, r#"{"article":7,"key":"a"}"#);
        assert_eq!(entry.principal, "p:user 4711");
        assert_eq!((&*entry.summary.server, &*entry.summary.tool), ("shop", "order"));
        assert_eq!(entry.correlation_id, facts["correlation_id"]);
        lab.calls("order").assert_outcomes([(Outcome::Deferred, 1)]);
        assert_eq!(counted(lab.registry(), "order"), [(DeferredResult::Accepted, 1)]);
    });
}

#[test]
fn a_call_that_succeeds_or_fails_by_its_caller_or_a_bug_is_not_stored() {
    testing::run(async |lab| {
        let its = down(lab).await;
        its.shop.turn(Service::Up);
        assert_eq!(text(&call(&its.client, "set", &json!({})).await), "set");
        for (service, kind) in [(Service::Missing, "not_found"), (Service::Panics, "internal")] {
            its.shop.turn(service);
            let answer = error(&call(&its.client, "set", &json!({})).await);
            assert_eq!(answer["kind"], kind);
            assert_eq!(answer["details"]["deferred"], json!(null), "{service:?}");
        }
        assert_eq!(its.store.counts().await.waiting, 0);
    });
}

#[test]
fn timeouts_open_breakers_and_full_limits_are_stored() {
    testing::run(async |lab| {
        let its = down(lab).await;
        its.shop.turn(Service::Hangs);
        for key in 0..3 {
            let answer = lab.timed(call(&its.client, "order", &json!({ "key": format!("{key}") }))).await;
            assert!(text(&answer.answer).starts_with("ACCEPTED_FOR_LATER"), "a timeout");
            answer.assert_took("2s");
        }
        let ran = its.shop.ran();
        let answer = lab.timed(call(&its.client, "order", &json!({ "key": "open" }))).await;
        assert!(text(&answer.answer).starts_with("ACCEPTED_FOR_LATER"), "an open breaker: {}", text(&answer.answer));
        answer.assert_took("0s");
        assert_eq!(its.shop.ran(), ran);
        let client = its.client.clone();
        let first = tokio::spawn(async move {
            let request = resilient_tests::in_process::request("order_alone", &json!({ "article": 1 }));
            client.call_tool(request).await.expect("an answer")
        });
        sleep(Duration::from_millis(100)).await;
        let full = call(&its.client, "order_alone", &json!({ "article": 2 })).await;
        assert!(text(&full).starts_with("ACCEPTED_FOR_LATER"), "a full bulkhead: {}", text(&full));
        assert!(text(&first.await.expect("no panic")).starts_with("ACCEPTED_FOR_LATER"));
        assert_eq!(its.store.counts().await.waiting, 6);
    });
}

#[test]
fn the_first_try_waits_until_the_breaker_may_admit_it() {
    testing::run(async |lab| {
        let its = down(lab).await;
        for key in 0..4 {
            call(&its.client, "order", &json!({ "key": format!("{key}") })).await;
        }
        let answer = call(&its.client, "order", &json!({ "key": "open" })).await;
        let wait = meta(&answer, CALL)["deferred"]["next_attempt_ms"].as_u64().expect("a number");
        let open = lab.registry().breakers()[0].remaining.unwrap_or_default();
        assert!(u128::from(wait) + 1_000 >= open.as_millis(), "{wait} {open:?}");
    });
}

#[test]
fn calls_in_read_only_mode_are_stored_from_the_first_call_on() {
    testing::run(async |lab| {
        let its = down(lab).await;
        its.shop.turn(Service::Up);
        let switches = Switches { read_only: true, ..Switches::default() };
        lab.registry().gate().__reload(GateSettings { switches, ..GateSettings::default() });
        let answer = call(&its.client, "order", &json!({ "key": "a" })).await;
        assert!(text(&answer).starts_with("ACCEPTED_FOR_LATER"), "{}", text(&answer));
        assert_eq!(its.shop.ran(), 0);
        lab.registry().gate().__reload(GateSettings::default());
        // The entry waits, so that a direct call with its key does not run either.
        let again = call(&its.client, "order", &json!({ "key": "a" })).await;
        assert_eq!(meta(&again, CALL)["deferred"]["receipt"], meta(&answer, CALL)["deferred"]["receipt"]);
        assert_eq!(its.shop.ran(), 0);
    });
}

#[test]
fn a_call_whose_dependency_requests_more_time_than_the_write_has_is_not_stored() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let later = error(&call(&its.client, "order_soon", &json!({ "article": 1_800 })).await);
        assert_eq!(later["details"]["deferred"], json!({ "accepted": false, "reason": "expires_before" }));
        assert_eq!(later["retry_after_ms"], 1_800_000);
        let sooner = call(&its.client, "order_soon", &json!({ "article": 600 })).await;
        assert_eq!(meta(&sooner, CALL)["deferred"]["next_attempt_ms"], 600_000);
        assert_eq!(its.store.counts().await.waiting, 1);
    });
}

#[test]
fn a_tool_that_is_switched_off_stores_nothing() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let disabled = ["order".to_owned()].into_iter().collect();
        let switches = Switches { tools: disabled, ..Switches::default() };
        lab.registry().gate().__reload(GateSettings { switches, ..GateSettings::default() });
        assert_eq!(error(&call(&its.client, "order", &json!({ "key": "a" })).await)["kind"], "disabled");
        assert_eq!(its.store.counts().await.waiting, 0);
    });
}

#[test]
fn without_a_lasting_principal_a_key_or_a_store_nothing_is_stored_and_the_answer_says_so() {
    testing::run(async |lab| {
        let its = down(lab).await;
        for none in [json!({}), json!({ "key": null }), json!({ "key": "" })] {
            let answer = error(&call(&its.client, "order", &none).await);
            assert_eq!(answer["details"]["deferred"], json!({ "accepted": false, "reason": "no_key" }));
            assert_eq!(answer["kind"], "unavailable");
        }
        lab.set_principal(None);
        // The first client of a process is the user of the operating system; two clients are not one user.
        let answer = call(&its.client, "set", &json!({})).await;
        assert!(text(&answer).starts_with("ACCEPTED_FOR_LATER"), "{}", text(&answer));
        assert!(its.store.entry().await.principal.starts_with("u:"));
        let other = connect(its.shop.clone()).await;
        let answer = error(&call(&other, "set", &json!({ "article": 2 })).await);
        assert_eq!(answer["details"]["deferred"]["reason"], "no_principal");
        assert_eq!(its.store.counts().await.waiting, 1);
    });
    testing::run(async |lab| {
        lab.set_principal(Some("user"));
        let shop = Shop::default();
        shop.turn(Service::Down);
        let client = connect(shop).await;
        let answer = error(&call(&client, "set", &json!({})).await);
        assert_eq!(answer["details"]["deferred"]["reason"], "no_store");
    });
}

#[test]
fn a_tool_without_the_hook_stores_nothing() {
    testing::run(async |lab| {
        let store = MemoryStore::default();
        defer_to(lab.registry(), Arc::new(store.clone()), "shop");
        let shop = Shop::default();
        shop.turn(Service::Down);
        assert!(shop.alone().await.is_err());
        let caller = lab.caller();
        assert!(caller.call(shop.alone()).await.is_err());
        assert_eq!(store.counts(None).await.expect("a store in memory").waiting, 0);
    });
}

#[test]
fn no_conversion_of_the_error_loses_the_receipt() {
    testing::run(async |lab| {
        let its = down(lab).await;
        for tool in ["order_lossy", "order_panicky"] {
            let answer = call(&its.client, tool, &json!({})).await;
            assert!(text(&answer).starts_with("ACCEPTED_FOR_LATER rsl-"), "{tool}: {}", text(&answer));
            lab.calls(tool).assert_outcomes([(Outcome::Deferred, 1)]);
        }
        assert_eq!(its.store.counts().await.waiting, 2);
    });
}

#[test]
fn a_deferred_call_is_neither_good_nor_bad() {
    testing::run(async |lab| {
        let its = down(lab).await;
        call(&its.client, "set", &json!({})).await;
        let read = lab.registry().tool("set").expect("a tool");
        assert_eq!((read.failures(), read.consecutive_failures, read.last_outcome), (0, 0, None));
        assert_eq!(read.calls(), 1);
    });
}
