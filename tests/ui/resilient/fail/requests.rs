use std::fmt;

use resilient_runtime::resilient;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ReadResourceRequestParams, ReadResourceResponse, ServerConfig,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

struct Block;

// rule 76: 2 mistakes
#[resilient(retry = 2, fallback = cached, timeout = "5s")]
impl ServerHandler for Block {}

struct Limit;

// rule 76
#[resilient(rate_limit(rate = "1/1s", key = request.uri))]
impl ServerHandler for Limit {}

struct Listens;

#[resilient]
impl ServerHandler for Listens {
    // rule 76
    #[resilient(timeout = "5s")]
    async fn listen(&self, _: rmcp::service::SubscriptionContext) -> Result<(), ErrorData> {
        Ok(())
    }
}

struct Methods;

#[resilient]
impl ServerHandler for Methods {
    // rule 76
    #[resilient(timeout = "5s")]
    fn get_info(&self) -> ServerConfig {
        ServerConfig::default()
    }

    // rule 76
    #[resilient(fallback = cached)]
    async fn read_resource(
        &self,
        _: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Err(ErrorData::resource_not_found("none", None))
    }

    // rule 76
    #[resilient(timeout = "5s")]
    async fn on_initialized(&self, _: NotificationContext<RoleServer>) {}

    // rule 33
    #[resilient(retry = 2)]
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Err(ErrorData::invalid_request("none", None))
    }
}

struct Shown;

// rule 76
#[resilient]
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shown")
    }
}

fn main() {}
