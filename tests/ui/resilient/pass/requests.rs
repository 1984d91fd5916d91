//! `#[resilient]` above `impl ServerHandler`: written methods, those of `#[tool_handler]`, and a type parameter.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use std::fmt::Display;

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{
    JsonObject, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents, ServerConfig,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};

/// A server with a type parameter.
#[derive(Debug, Clone)]
pub struct Server<T> {
    router: ToolRouter<Self>,
    value: T,
}

impl<T: Sync> Server<T> {
    #[allow(clippy::unused_async, reason = "it has to be")]
    async fn may_read(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), ResilienceError> {
        Ok(())
    }
}

#[resilient]
#[tool_router]
#[allow(clippy::missing_const_for_fn)]
impl<T: Clone + Send + Sync + Display + 'static> Server<T> {
    /// Returns the value.
    #[tool]
    async fn value(&self) -> String {
        self.value.to_string()
    }
}

#[resilient(timeout = "10s", bulkhead = 8, rate_limit = "100/1s", authorize = Self::may_read)]
#[tool_handler(router = self.router)]
impl<T: Clone + Send + Sync + Display + 'static> ServerHandler for Server<T> {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::default()
    }

    #[resilient(
        timeout = "5s",
        retry = 2,
        breaker = "library",
        cache(fresh = "30s"),
        rate_limit(rate = "10/1s", key = request.uri)
    )]
    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = ResourceContents::text(self.value.to_string(), request.uri);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn on_initialized(&self, _: NotificationContext<RoleServer>) {}
}

fn main() {
    let server = Server { router: Server::tool_router(), value: 1 };
    assert_eq!(server.router.map.len(), 1);
}
