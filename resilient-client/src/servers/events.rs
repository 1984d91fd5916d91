//! What a server sends by itself.

use std::sync::{Arc, OnceLock, Weak};

use super::record::Record;
use super::server::Server;
use super::tools::ToolList;
use crate::message::{Message, MessageKind};
use crate::supervisor::{BoxFuture, ConnectionState, Events};

/// Answers the requests of a server, and records what happens to its connection.
pub(super) struct ServerEvents {
    record: Arc<Record>,
    tools: Arc<ToolList>,
    server: OnceLock<Weak<Server>>,
}

impl ServerEvents {
    pub(super) fn new(record: &Arc<Record>, tools: &Arc<ToolList>) -> Self {
        Self { record: Arc::clone(record), tools: Arc::clone(tools), server: OnceLock::new() }
    }

    /// Sets the server, which needs the connection, which needs the events.
    pub(super) fn attach(&self, server: &Arc<Server>) {
        let _ = self.server.set(Arc::downgrade(server));
    }
}

impl Events for ServerEvents {
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match message.kind() {
                MessageKind::Request => {
                    let server = self.server.get().and_then(Weak::upgrade);
                    let supervisor = server.as_ref().and_then(|server| server.supervisor());
                    if let Some(supervisor) = supervisor {
                        supervisor.respond(&answer(&message), connection).await;
                    }
                }
                MessageKind::Notification if message.method() == Some("notifications/tools/list_changed") => {
                    self.tools.outdate();
                }
                _ => tracing::trace!(event = "server.message", method = message.method()),
            }
        })
    }

    fn reconnected(&self) {
        self.tools.outdate();
    }

    fn state_changed(&self, state: ConnectionState) {
        self.record.change(state.into());
    }
}

/// Answers a request of the server. A client without capabilities offers only `ping`.
fn answer(request: &Message) -> Message {
    let id = request.id().unwrap_or("0");
    if request.method() == Some("ping") {
        return Message::result_of(id, "{}");
    }
    Message::error_of(id, -32_601, "this client does not offer this method", None)
}
