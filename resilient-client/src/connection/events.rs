//! What a server sends by itself, for rmcp's client.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::message::{Message, MessageKind};
use crate::server_requests::ServerRequests;
use crate::session::{ClientSession, KnownTools};
use crate::supervisor::{BoxFuture, ConnectionState, Events};

/// The maximum number of refusals that wait for a server to read them. Further requests get none.
const REFUSALS: usize = 100;

/// Passes what a server sends to the client.
pub(super) struct ConnectionEvents {
    incoming: mpsc::Sender<Message>,
    /// The requests of the server that wait for the client.
    requests: Mutex<ServerRequests<()>>,
    /// The refusals that are being sent.
    refusals: TaskTracker,
    known_tools: KnownTools,
    session: OnceLock<Weak<ClientSession<Self>>>,
}

impl ConnectionEvents {
    pub(super) fn new(incoming: mpsc::Sender<Message>) -> Self {
        Self {
            incoming,
            requests: Mutex::default(),
            refusals: TaskTracker::new(),
            known_tools: KnownTools::default(),
            session: OnceLock::new(),
        }
    }

    /// Sets the session, which needs the connection, which needs the events.
    pub(super) fn attach(&self, session: &Arc<ClientSession<Self>>) {
        let _ = self.session.set(Arc::downgrade(session));
    }

    /// Passes a message to the client. It is dropped if the client is gone.
    pub(super) async fn pass(&self, message: Message) {
        let _ = self.incoming.send(message).await;
    }

    /// Takes the request that a response of the client answers. Returns the response with the id that the server knows,
    /// and the connection that waits for it.
    pub(super) fn answered(&self, response: &Message) -> Option<(Message, u64)> {
        self.requests().answered(response, &())
    }

    pub(super) const fn known_tools(&self) -> &KnownTools {
        &self.known_tools
    }

    /// Refuses a request, in a task: a server that writes a long message may read only after it.
    fn refuse(&self, request: &Message, connection: u64) {
        let Some(session) = self.session.get().and_then(Weak::upgrade) else { return };
        if self.refusals.len() < REFUSALS {
            let id = request.id().unwrap_or("0");
            let refused = Message::error_of(id, -32_000, "too many requests wait for the client", None);
            self.refusals.spawn(async move { session.caller().supervisor().respond(&refused, connection).await });
        }
    }

    fn requests(&self) -> MutexGuard<'_, ServerRequests<()>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events for ConnectionEvents {
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match (message.kind(), message.method()) {
                (MessageKind::Request, _) => {
                    let converted = self.requests().keep(&message, connection, ());
                    match converted {
                        Some(converted) => self.pass(converted).await,
                        None => self.refuse(&message, connection),
                    }
                }
                (MessageKind::Notification, Some("notifications/cancelled")) => {
                    let converted = self.requests().cancelled(&message, connection);
                    if let Some(((), converted)) = converted {
                        self.pass(converted).await;
                    }
                }
                _ => self.pass(message).await,
            }
        })
    }

    /// Cancels the requests of a connection that is lost: nothing waits for their responses.
    fn state_changed(&self, state: ConnectionState) {
        if matches!(state, ConnectionState::Connecting | ConnectionState::Up) {
            return;
        }
        let lost = self.requests().lost();
        for ((), cancelled) in lost {
            let incoming = self.incoming.clone();
            tokio::spawn(async move { incoming.send(cancelled).await });
        }
    }

    /// The client learns whether the server has other tools now.
    fn reconnected(&self) {
        let Some(session) = self.session.get().and_then(Weak::upgrade) else { return };
        tokio::spawn(async move {
            let response = session.caller().list_again().await;
            let list = response.as_ref().and_then(Message::result);
            let events = session.caller().supervisor().events();
            if list.is_some() && events.known_tools.differs(list) {
                events.known_tools.unclear();
                events.pass(Message::notification("notifications/tools/list_changed", &json!({}))).await;
            }
        });
    }
}
