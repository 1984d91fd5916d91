//! What a server sends by itself.

use std::sync::{Arc, OnceLock, Weak};

use resilient_client::{BoxFuture, ConnectionState, Events, Message, MessageKind};
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::sessions::{Routed, Sessions};

/// Passes what a server sends to its clients.
pub(super) struct ServerEvents {
    sessions: Arc<Sessions>,
    shared: OnceLock<Weak<Shared>>,
    lists: OnceLock<Arc<dyn KeptLists>>,
    /// The answers to requests of the server that are being sent.
    answers: TaskTracker,
}

/// The lists of a server that the proxy keeps.
pub(crate) trait KeptLists: Send + Sync + 'static {
    /// The server has sent a notification. If it says that a list has changed, the list is outdated.
    fn notified(&self, method: &str);

    /// The server may have other lists than those that are kept. Returns the notifications for clients that know lists.
    fn outdate(&self) -> Vec<&'static str>;
}

/// The maximum number of answers that wait for a server to read them. Further requests get none.
const ANSWERS: usize = 100;

impl ServerEvents {
    pub(super) fn new(sessions: &Arc<Sessions>) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            shared: OnceLock::new(),
            lists: OnceLock::new(),
            answers: TaskTracker::new(),
        }
    }

    /// Sets the lists that the proxy keeps.
    pub(super) fn keep(&self, lists: Arc<dyn KeptLists>) {
        let _ = self.lists.set(lists);
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
            if let (MessageKind::Notification, Some(method)) = (message.kind(), message.method())
                && let Some(lists) = self.lists.get()
            {
                lists.notified(method);
            }
            match self.sessions.route(message, connection) {
                Routed::To(outputs, message) => {
                    for output in outputs {
                        output.send(message.clone()).await;
                    }
                }
                Routed::Nowhere(request) => self.refuse(&request, connection),
            }
        })
    }

    fn reconnected(&self) {
        if let Some(shared) = self.shared() {
            shared.outdate_lists();
            tokio::spawn(async move { shared.list_again().await });
        }
    }

    fn state_changed(&self, state: ConnectionState) {
        if matches!(state, ConnectionState::Connecting | ConnectionState::Up) {
            return;
        }
        for (output, cancelled) in self.sessions.lost() {
            tokio::spawn(async move { output.send(cancelled).await });
        }
    }
}

impl ServerEvents {
    /// Answers a request of the server that no client takes, in a task: a server that writes a long message may read only
    /// after it.
    fn refuse(&self, request: &Message, connection: u64) {
        let (Some(shared), Some(id)) = (self.shared(), request.id()) else { return };
        let response = if request.method() == Some("ping") {
            Message::result_of(id, "{}")
        } else {
            let message = "no client takes this request: none is connected, or several share the server";
            Message::error_of(id, -32_601, message, None)
        };
        if self.answers.len() < ANSWERS {
            self.answers.spawn(async move { shared.caller.supervisor().respond(&response, connection).await });
        }
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

    /// The server may have other lists than those that the proxy keeps. Clients that know lists learn it.
    pub(super) fn outdate_lists(&self) {
        let lists = self.caller.supervisor().events().lists.get();
        for method in lists.map(|lists| lists.outdate()).unwrap_or_default() {
            let changed = Message::notification(method, &json!({}));
            for output in self.sessions.all() {
                let changed = changed.clone();
                tokio::spawn(async move { output.send(changed).await });
            }
        }
    }

    /// Reads the list of tools of a server that came back. Clients learn that it is another one.
    async fn list_again(&self) {
        let Some(response) = self.caller.list_again().await else { return };
        if self.lists.differs(response.result()) {
            self.lists.unclear();
            let changed = Message::notification("notifications/tools/list_changed", &json!({}));
            for output in self.sessions.all() {
                output.send(changed.clone()).await;
            }
        }
    }
}
