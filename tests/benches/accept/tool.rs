//! A server with a tool whose writes are deferred, and the same tool without that, called by a client in this process.

use std::path::Path;

use resilient_bench::Error;
use resilient_runtime::deferred::Receipt;
use resilient_runtime::{Resilience, resilient};
use resilient_sqlite::SqliteStore;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{ARGUMENTS, Turn, write_in_tasks};

/// The arguments of the tools, those of [`ARGUMENTS`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Order {
    amount: u32,
    currency: String,
    customer: String,
    idempotency_key: String,
    note: String,
}

#[derive(Debug, Clone)]
struct Orders;

#[resilient(timeout = "10s")]
#[tool_router(vis = "pub(crate)")]
impl Orders {
    /// Orders, or does it later.
    #[resilient(
        fallback = deferred,
        deferred(tries = 2, base = "1h", cap = "1h", key = order.idempotency_key)
    )]
    #[tool(annotations(read_only_hint = false))]
    async fn create_order(&self, Parameters(order): Parameters<Order>) -> Result<String, Error> {
        drop(order);
        Err(Error::Down)
    }

    /// Orders, or fails.
    #[tool(annotations(read_only_hint = false))]
    async fn try_order(&self, Parameters(order): Parameters<Order>) -> Result<String, Error> {
        drop(order);
        Err(Error::Down)
    }
}

#[resilient]
#[tool_handler(name = "orders")]
impl ServerHandler for Orders {}

/// A running server and its client.
pub(crate) struct Server {
    client: RunningService<RoleClient, ()>,
}

impl Server {
    /// Starts the server with a store in the folder, once for each process.
    pub(crate) fn start(runtime: &Runtime, folder: &Path) -> Self {
        let store = SqliteStore::open(folder.join("server.db")).expect("a store");
        runtime.block_on(async {
            let started = Resilience::from_variables([]).tools(Orders::tool_router).deferred(store, || Orders).start();
            drop(started.expect("valid settings"));
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(async { Orders.serve(theirs).await.expect("a client").waiting().await });
            Self { client: ().serve(ours).await.expect("a server") }
        })
    }

    /// Lets callers call a tool, each with new arguments.
    pub(crate) fn turn(&self, runtime: &Runtime, tool: &'static str, callers: usize) -> Turn {
        let accepts = tool == "create_order";
        let client = self.client.peer().clone();
        write_in_tasks(runtime, vec![client; callers], move |client| async move {
            let mut arguments: Value = serde_json::from_str(ARGUMENTS).expect("JSON");
            arguments["idempotency_key"] = Receipt::random().expect("random bits").to_string().into();
            let arguments = arguments.as_object().cloned().unwrap_or_default();
            let answer = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await;
            let answer = answer.expect("an answer");
            let text =
                answer.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect::<String>();
            assert_eq!(text.starts_with("ACCEPTED_FOR_LATER"), accepts, "{text}");
        })
    }
}
