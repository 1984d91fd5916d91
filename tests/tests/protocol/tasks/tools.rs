//! The tools for clients that do not know tasks.

use std::time::Duration;

use resilient_runtime::deferred::Receipt;
use resilient_tests::wire::{ERROR, meta};
use serde_json::{Value, json};

use super::store::{Filled, of};
use super::*;

impl Filled {
    async fn ask(&self, user: &str, tool: &'static str, receipt: &str) -> CallToolResult {
        let mut request = CallToolRequestParams::new(tool);
        request.arguments = json!({ "receipt": receipt }).as_object().cloned();
        request.meta = Some(of(user));
        self.client.call_tool(request).await.expect("an answer")
    }

    /// The structured answer, which has to fit the schema of the tool.
    async fn answer(&self, tool: &'static str, receipt: &str) -> Value {
        let answer = self.ask("ann", tool, receipt).await.structured_content.expect("a structured answer");
        let schema = Shop::tools().get(tool).and_then(|tool| tool.output_schema.clone()).expect("a schema");
        let schema = Value::Object((*schema).clone());
        if let Err(error) = jsonschema::validate(&schema, &answer) {
            panic!("{error}: {answer}");
        }
        answer
    }
}

#[tokio::test]
async fn a_caller_asks_for_its_write_and_cancels_it_by_tools() {
    if ran_in_a_child() {
        return;
    }
    let shop = Filled::new().await;
    let receipt = shop.defer("ann", "1", Duration::from_secs(30)).await;
    let status = shop.answer("deferred_status", &receipt).await;
    assert_eq!(status["receipt"], receipt);
    assert_eq!((&status["tool"], &status["state"]), (&json!("order"), &json!("waiting")));
    assert_eq!((&status["done"], &status["tries_left"]), (&json!(false), &json!(8)));
    assert!(status["next_attempt_ms"].as_u64().expect("a delay") <= 30_100, "{status}");
    assert!(status["expires_ms"].as_u64().expect("a delay") <= 24 * 60 * 60 * 1000 + 100, "{status}");
    for (user, other) in [("bob", receipt.clone()), ("ann", Receipt::from_bits(7).to_string())] {
        for tool in ["deferred_status", "deferred_cancel"] {
            let answer = shop.ask(user, tool, &other).await;
            assert_eq!(answer.is_error, Some(true), "{answer:?}");
            assert_eq!(meta(&answer, ERROR)["code"], "UNKNOWN_RECEIPT", "{answer:?}");
        }
    }
    let cancelled = shop.answer("deferred_cancel", &receipt).await;
    assert_eq!((&cancelled["cancelled"], &cancelled["state"]), (&json!(true), &json!("cancelled")));
    assert_eq!(shop.answer("deferred_status", &receipt).await["state"], "cancelled");

    let result = json!({ "content": [], "structuredContent": { "id": 7 } });
    let receipt = shop.defer("ann", "2", Duration::ZERO).await;
    let token = shop.claim().await;
    let running = shop.answer("deferred_cancel", &receipt).await;
    assert_eq!((&running["cancelled"], &running["state"]), (&json!(false), &json!("running")));
    shop.complete(token, &result).await;
    let status = shop.answer("deferred_status", &receipt).await;
    assert_eq!((&status["done"], &status["result"]), (&json!(true), &result));
    assert_eq!(shop.answer("deferred_cancel", &receipt).await["cancelled"], false);
}
