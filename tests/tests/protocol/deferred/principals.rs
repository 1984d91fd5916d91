//! Whose calls are stored, and who finds them.

use resilient_runtime::deferred::{DeferredStore as _, Viewer};
use resilient_runtime::testing;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, error, meta};
use serde_json::json;

use super::server::{Down, Via, serve};

#[test]
fn over_http_only_calls_with_a_principal_of_the_application_are_stored() {
    testing::run(async |lab| {
        let (client, store) = serve(lab, Down::new(Via::Http(Some("Bearer token"), None))).await;
        let answer = error(&call(&client, "write_text", &json!({ "request_id": "1" })).await);
        assert_eq!(answer["details"]["deferred"], json!({ "accepted": false, "reason": "no_principal" }));
        let anonymous = connect(Down::new(Via::Http(None, None))).await;
        let answer = error(&call(&anonymous, "write_text", &json!({ "request_id": "1" })).await);
        assert_eq!(answer["details"]["deferred"]["reason"], "no_principal");
        assert_eq!(store.counts(None).await.expect("a store in memory").waiting, 0);
    });
}

#[test]
fn a_new_access_token_of_the_same_user_finds_the_receipt_and_another_user_does_not() {
    testing::run(async |lab| {
        let (client, store) = serve(lab, Down::new(Via::Http(Some("Bearer first"), Some("user")))).await;
        let receipt = async |client| {
            let answer = call(client, "write_text", &json!({ "request_id": "1" })).await;
            meta(&answer, CALL)["deferred"]["receipt"].as_str().expect("a receipt").to_owned()
        };
        let first = receipt(&client).await;
        let renewed = connect(Down::new(Via::Http(Some("Bearer second"), Some("user")))).await;
        assert_eq!(receipt(&renewed).await, first);
        let other = connect(Down::new(Via::Http(Some("Bearer first"), Some("other user")))).await;
        assert_ne!(receipt(&other).await, first);
        for (principal, sees) in [("p:user", true), ("p:other user", false), ("user", false), ("u:0", false)] {
            let viewer = Viewer::Caller { server: "down".into(), principal: principal.into() };
            let found = store.get(first.parse().expect("a receipt"), &viewer).await.expect("a store in memory");
            assert_eq!(found.is_some(), sees, "{principal}");
        }
    });
}
