//! The server whose tools the worker calls.

use std::any::Any;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{CallToolRequest, ClientCapabilities, ClientConfig, ErrorData, Implementation, ProtocolVersion};
use rmcp::service::{NotificationContext, RequestContext, Service, ServiceRole, serve_directly};

use super::in_memory::{PendingCall, Requester, in_memory};
use crate::panics::catch_panic;
use crate::registry::Registry;

/// Creates the server whose tools the worker calls.
pub(crate) struct ServerFactory(Box<dyn Fn(Option<Arc<Registry>>) -> Server + Send + Sync>);

impl ServerFactory {
    pub(crate) fn new<S: Service<RoleServer>>(create: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self(Box::new(move |registry| {
            let served = Scoped { service: create(), registry };
            let name = served.get_info().server_info.name;
            let (requester, transport) = in_memory();
            let running = serve_directly(served, transport, Some(client()));
            Server { name, requester, _running: Box::new(running) }
        }))
    }

    /// Creates a server and serves it in this runtime. Its calls use this registry, if there is one. Returns `None` if
    /// creating the server panics, which is logged.
    pub(crate) fn start(&self, registry: Option<&Arc<Registry>>) -> Option<Server> {
        catch_panic(|| (self.0)(registry.cloned()))
    }
}

/// A server on an in-memory transport. Dropping it ends the server.
pub(crate) struct Server {
    pub(crate) name: String,
    requester: Requester,
    _running: Box<dyn Any + Send + Sync>,
}

impl Server {
    /// Returns whether the server has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.requester.is_closed()
    }

    /// Calls a tool. Returns `None` if the server has ended.
    pub(super) fn call_tool(&self, request: CallToolRequest) -> Option<PendingCall> {
        self.requester.call_tool(request)
    }
}

/// Returns what the server knows of its client: the newest protocol, and nothing that it could request. With an older
/// protocol, rmcp would cut the results for old clients.
fn client() -> ClientConfig {
    let name = Implementation::new("deferred-writes", env!("CARGO_PKG_VERSION"));
    ClientConfig::new(ClientCapabilities::default(), name).with_protocol_version(ProtocolVersion::LATEST)
}

/// A server whose requests run in a registry. rmcp serves each request in a separate task, outside of any scope.
struct Scoped<S> {
    service: S,
    registry: Option<Arc<Registry>>,
}

impl<S: Service<RoleServer>> Service<RoleServer> for Scoped<S> {
    async fn handle_request(
        &self,
        request: <RoleServer as ServiceRole>::PeerReq,
        context: RequestContext<RoleServer>,
    ) -> Result<<RoleServer as ServiceRole>::Resp, ErrorData> {
        let handling = self.service.handle_request(request, context);
        match &self.registry {
            Some(registry) => Arc::clone(registry).scope(handling).await,
            None => handling.await,
        }
    }

    async fn handle_notification(
        &self,
        notification: <RoleServer as ServiceRole>::PeerNot,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.service.handle_notification(notification, context).await
    }

    fn get_info(&self) -> <RoleServer as ServiceRole>::Info {
        self.service.get_info()
    }
}
