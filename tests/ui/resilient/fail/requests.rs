use std::fmt;

use resilient_runtime::resilient;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ServerConfig,
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

    // rule 76
    #[resilient(retry = 2)]
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Err(ErrorData::invalid_request("none", None))
    }
}

type Read = Result<ReadResourceResponse, ErrorData>;

struct Keyed;

#[resilient]
impl ServerHandler for Keyed {
    // rule 76
    #[resilient(cache(fresh = "30s", key = request.uri))]
    async fn read_resource(&self, request: ReadResourceRequestParams, _: RequestContext<RoleServer>) -> Read {
        Err(ErrorData::resource_not_found(request.uri, None))
    }

    // rule 76
    #[resilient(cache(fresh = "30s"))]
    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::default())
    }
}

struct Stale;

#[resilient]
impl ServerHandler for Stale {
    // rule 76: 2 mistakes
    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m", stale_if_error = "1h"))]
    async fn read_resource(&self, request: ReadResourceRequestParams, _: RequestContext<RoleServer>) -> Read {
        Err(ErrorData::resource_not_found(request.uri, None))
    }
}

struct Unread;

#[resilient]
impl ServerHandler for Unread {
    // rule 76
    #[resilient(cache(max = 7))]
    async fn read_resource(&self, request: ReadResourceRequestParams, _: RequestContext<RoleServer>) -> Read {
        Err(ErrorData::resource_not_found(request.uri, None))
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
