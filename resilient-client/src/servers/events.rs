//! What a server sends by itself.

use std::sync::{Arc, OnceLock, Weak};

use tokio_util::task::TaskTracker;

use super::record::Record;
use super::tools::ToolList;
use crate::call::Caller;
use crate::message::{Message, MessageKind};
use crate::supervisor::{BoxFuture, ConnectionState, Events};

/// Answers the requests of a server, and records what happens to its connection.
pub(super) struct ServerEvents {
    record: Arc<Record>,
    tools: Arc<ToolList>,
    caller: OnceLock<Weak<Caller<Self>>>,
    /// The answers that are being sent.
    answers: TaskTracker,
}

/// The maximum number of answers that wait for a server to read them. Further requests get none.
const ANSWERS: usize = 100;

impl ServerEvents {
    pub(super) fn new(record: &Arc<Record>, tools: &Arc<ToolList>) -> Self {
        Self {
            record: Arc::clone(record),
            tools: Arc::clone(tools),
            caller: OnceLock::new(),
            answers: TaskTracker::new(),
        }
    }

    /// Sets the caller, which needs the connection, which needs the events.
    pub(super) fn attach(&self, caller: &Arc<Caller<Self>>) {
        let _ = self.caller.set(Arc::downgrade(caller));
    }
}

impl Events for ServerEvents {
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match message.kind() {
                MessageKind::Request => {
                    let caller = self.caller.get().and_then(Weak::upgrade);
                    if let Some(caller) = caller.filter(|_| self.answers.len() < ANSWERS) {
                        // Not here: a server that writes a long message may read only after it.
                        self.answers.spawn(async move {
                            caller.supervisor().respond(&answer(&message), connection).await;
                        });
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
