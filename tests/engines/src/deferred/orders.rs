//! A server over stdio with a deferred write of each form, and the two tools for its callers.

use std::error::Error;

use resilient_runtime::{Resilience, mcp, resilient};
use resilient_sqlite::SqliteStore;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::stdio;
use rmcp::{Json, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Failure, upstream};

#[derive(Clone, Debug)]
struct Orders;

#[derive(Debug, Deserialize, JsonSchema)]
struct Order {
    /// The same id orders at most once.
    request_id: String,
    article: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Guest {
    /// The same id books at most once.
    request_id: String,
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Booking {
    room: u32,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Address {
    order: u32,
    city: String,
}

#[resilient(timeout = "5s")]
#[tool_router]
impl Orders {
    /// Orders an article. It has a key and no output schema.
    #[resilient(fallback = deferred, deferred(key = order.request_id))]
    #[tool]
    async fn create_order(&self, Parameters(order): Parameters<Order>) -> Result<String, Failure> {
        upstream()?;
        Ok(format!("ordered: {}", order.article))
    }

    /// Books a room. It has a key and an output schema.
    #[resilient(fallback = deferred, deferred(key = guest.request_id))]
    #[tool]
    async fn book_room(&self, Parameters(guest): Parameters<Guest>) -> Result<Json<Booking>, Failure> {
        upstream()?;
        Ok(Json(Booking { room: 100 + u32::try_from(guest.name.len()).unwrap_or_default() }))
    }

    /// Sets the address of an order. It is idempotent, without a key, and delivered soon.
    #[resilient(fallback = deferred, deferred(base = "1s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn set_address(&self, Parameters(address): Parameters<Address>) -> Result<Json<Address>, Failure> {
        upstream()?;
        Ok(Json(address))
    }
}

impl Orders {
    fn tools() -> ToolRouter<Self> {
        Self::tool_router() + mcp::deferred_tools()
    }
}

#[resilient]
#[tool_handler(name = "orders", router = Self::tools())]
impl ServerHandler for Orders {}

pub(super) async fn serve(store: SqliteStore) -> Result<(), Box<dyn Error>> {
    let _running = Resilience::from_env().tools(Orders::tools).deferred(store, || Orders).start()?;
    Orders.serve(stdio()).await?.waiting().await?;
    Ok(())
}
