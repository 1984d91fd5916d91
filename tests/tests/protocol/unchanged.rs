//! Tools that respond as existing rmcp servers do, with `ErrorData` and `CallToolResult`, respond the same with
//! `#[resilient]`: the additions are under the keys of this crate.

#![allow(clippy::unused_self, clippy::unused_async, reason = "a tool has to be an async method")]

use resilient_runtime::resilient;
use resilient_tests::in_process::{Client, connect};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, MetaObject, Tool};
use rmcp::{ErrorData, ServiceError, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const OURS: &str = "io.crates.resilient-runtime/";

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Asked {
    id: u32,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Told {
    id: u32,
}

/// A server with tools as existing servers write them, with these attributes above its block.
macro_rules! server {
    ($server:ident, $(#[$attribute:meta])*) => {
        #[derive(Debug, Clone)]
        struct $server;

        $(#[$attribute])*
        #[tool_router(server_handler)]
        impl $server {
            /// The caller's mistake, with data.
            #[tool]
            async fn invalid(&self) -> Result<CallToolResult, ErrorData> {
                Err(ErrorData::invalid_params("id must be above 0", Some(json!({ "field": "id" }))))
            }

            /// What does not exist, without data.
            #[tool]
            async fn not_found(&self) -> Result<CallToolResult, ErrorData> {
                Err(ErrorData::resource_not_found("no such order", None))
            }

            /// A private text in a public place, as it is often written.
            #[tool]
            async fn internal(&self) -> Result<String, ErrorData> {
                Err("seven".parse::<u32>().map_err(|e| ErrorData::internal_error(e.to_string(), None)).expect_err("no"))
            }

            /// A code that rmcp does not know, and data without members.
            #[tool]
            async fn own_code(&self) -> Result<String, ErrorData> {
                Err(ErrorData::new(ErrorCode(-33_050), "\u{202e}odd\n  text", Some(json!(["a", 1]))))
            }

            /// Data that is nothing.
            #[tool]
            async fn null_data(&self) -> Result<String, ErrorData> {
                Err(ErrorData::invalid_request("not now", Some(Value::Null)))
            }

            /// A good text.
            #[tool]
            async fn plain_text(&self) -> Result<String, ErrorData> {
                Ok("a text".into())
            }

            /// A good answer with a schema.
            #[tool(annotations(read_only_hint = true))]
            async fn structured(&self, Parameters(Asked { id }): Parameters<Asked>) -> Result<Json<Told>, ErrorData> {
                Ok(Json(Told { id }))
            }

            /// Two blocks.
            #[tool]
            async fn blocks(&self) -> Result<CallToolResult, ErrorData> {
                Ok(CallToolResult::success(vec![ContentBlock::text("one"), ContentBlock::image("AAAA", "image/png")]))
            }

            /// Nothing at all.
            #[tool]
            async fn no_blocks(&self) -> Result<CallToolResult, ErrorData> {
                Ok(CallToolResult::success(Vec::new()))
            }

            /// A good answer, bare.
            #[tool]
            async fn bare(&self) -> CallToolResult {
                CallToolResult::structured(json!({ "id": 7 }))
            }

            /// A good answer with `_meta`.
            #[tool]
            async fn own_meta(&self) -> CallToolResult {
                let mut meta = MetaObject::new();
                meta.0.insert("shop/page".into(), json!(2));
                CallToolResult::success(vec![ContentBlock::text("page 2")]).with_meta(Some(meta))
            }

            /// The tool's own account of a failure.
            #[tool]
            async fn own_error(&self) -> CallToolResult {
                CallToolResult::error(vec![ContentBlock::text("the tool's own words"), ContentBlock::text("and more")])
            }

            /// The same within a `Result`.
            #[tool]
            async fn own_error_within(&self) -> Result<CallToolResult, ErrorData> {
                Ok(CallToolResult::structured_error(json!({ "code": "NO_STOCK" })))
            }

            /// As rmcp passes it on.
            #[tool]
            async fn response(&self) -> Result<CallToolResponse, ErrorData> {
                Ok(CallToolResult::error(vec![ContentBlock::text("as a response")]).into())
            }

            /// Without being async.
            #[tool]
            fn sync(&self) -> Result<String, ErrorData> {
                Err(ErrorData::invalid_request("not today", None))
            }

            /// A text as the error: rmcp makes it an answer.
            #[tool]
            fn text_as_error(&self) -> Result<String, String> {
                Err("the text is the error".into())
            }
        }
    };
}

server!(Plain,);
server!(Guarded, #[resilient(timeout = "10s", breaker = "unchanged")]);

/// Returns the response as JSON: a result, or an error.
async fn answer(client: &Client, tool: &Tool) -> Value {
    let request = CallToolRequestParams::new(tool.name.clone());
    let answer =
        match client.call_tool(request.with_arguments(serde_json::Map::from_iter([("id".into(), json!(7))]))).await {
            Ok(result) => serde_json::to_value(result),
            Err(ServiceError::McpError(error)) => serde_json::to_value(error),
            Err(other) => panic!("{other}"),
        };
    answer.expect("JSON")
}

/// Removes the additions of this crate, and returns whether there were any.
fn without_ours(answer: &mut Value) -> bool {
    let mut added = false;
    for place in ["_meta", "data"] {
        let Some(members) = answer.get_mut(place).and_then(Value::as_object_mut) else { continue };
        let before = members.len();
        members.retain(|key, _| !key.starts_with(OURS));
        added |= members.len() < before;
        if members.is_empty() {
            answer.as_object_mut().expect("an object").remove(place);
        }
    }
    added
}

#[tokio::test(start_paused = true)]
async fn what_existing_servers_answer_with_stays_as_it_is() {
    let (plain, guarded) = (connect(Plain).await, connect(Guarded).await);
    let tools = plain.list_all_tools().await.expect("tools");
    let mut listed = guarded.list_all_tools().await.expect("tools");
    for tool in &mut listed {
        // The metadata about the policy is an addition under a key of this crate.
        tool.meta = tool.meta.take().filter(|meta| !meta.0.keys().all(|key| key.starts_with(OURS)));
    }
    assert_eq!(listed, tools);
    assert_eq!(tools.len(), 16);
    // More often than the breaker's threshold: none of these failures counts for the breaker.
    for round in 0..3 {
        for tool in &tools {
            let mut expected = answer(&plain, tool).await;
            let mut got = answer(&guarded, tool).await;
            // Data without members, including `null`, cannot hold an addition.
            let has_room = expected.get("data").is_none_or(Value::is_object) && tool.name != "null_data";
            assert_eq!(without_ours(&mut got), has_room, "{}: {got}", tool.name);
            assert!(!without_ours(&mut expected));
            assert_eq!(got, expected, "{} in round {round}", tool.name);
        }
    }
}
