//! What a server sends by itself.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use resilient_client::{BoxFuture, Events, Message};
use serde_json::json;

use super::Shared;
use super::sessions::{Routed, Sessions};

/// Passes what a server sends to its clients.
pub(super) struct ServerEvents {
    sessions: Arc<Sessions>,
    shared: OnceLock<Weak<Shared>>,
}

/// How long the list of tools may take after a reconnect.
const LIST: Duration = Duration::from_secs(30);

impl ServerEvents {
    pub(super) fn new(sessions: &Arc<Sessions>) -> Self {
        Self { sessions: Arc::clone(sessions), shared: OnceLock::new() }
    }

    /// Sets the bridge, which needs the connection, which needs the events.
    pub(super) fn attach(&self, shared: &Arc<Shared>) {
        let _ = self.shared.set(Arc::downgrade(shared));
    }

    fn shared(&self) -> Option<Arc<Shared>> {
        self.shared.get().and_then(Weak::upgrade)
    }
}

impl Events for ServerEvents {
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.sessions.route(message, connection) {
                Routed::To(outputs, message) => {
                    for output in outputs {
                        output.send(message.clone()).await;
                    }
                }
                Routed::Nowhere(request) => self.refuse(&request, connection).await,
            }
        })
    }

    fn reconnected(&self) {
        if let Some(shared) = self.shared() {
            tokio::spawn(async move { shared.list_again().await });
        }
    }
}

impl ServerEvents {
    /// Answers a request of the server that no client takes.
    async fn refuse(&self, request: &Message, connection: u64) {
        let (Some(shared), Some(id)) = (self.shared(), request.id()) else { return };
        let response = if request.method() == Some("ping") {
            Message::result_of(id, "{}")
        } else {
            let message = "no client takes this request: none is connected, or several share the server";
            Message::error_of(id, -32_601, message, None)
        };
        shared.caller.supervisor().respond(&response, connection).await;
    }
}

impl Shared {
    /// A client has ended its handshake. It lists the tools again, if it was answered without the server, which is up by now.
    pub(super) fn client_is_ready(self: &Arc<Self>) {
        if self.lists.is_unclear() {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.list_again().await });
        }
    }

    /// Reads the list of tools of a server that came back. Clients learn that it is another one.
    async fn list_again(&self) {
        let supervisor = self.caller.supervisor();
        // Without a handshake, each request carries what only a client knows.
        if supervisor.initialized().is_none() {
            return;
        }
        let request = Message::request(&supervisor.new_id(), "tools/list", &json!({}));
        let response = tokio::time::timeout(LIST, supervisor.request(&request)).await;
        let Ok(Ok(response)) = response else { return };
        if let Some(result) = response.result() {
            self.caller.learn(result);
        }
        if self.lists.differs(response.result()) {
            self.lists.unclear();
            let changed = Message::notification("notifications/tools/list_changed", &json!({}));
            for output in self.sessions.all() {
                output.send(changed.clone()).await;
            }
        }
    }
}
