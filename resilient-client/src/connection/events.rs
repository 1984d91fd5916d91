//! What a server sends by itself, for rmcp's client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::message::{Message, MessageKind};
use crate::session::{ClientSession, KnownTools};
use crate::supervisor::{BoxFuture, Events};

/// The maximum number of requests of a server that wait for the client.
const REQUESTS: usize = 1_000;

/// Passes what a server sends to the client.
pub(super) struct ConnectionEvents {
    incoming: mpsc::Sender<Message>,
    /// The connections on which requests of the server came, by their ids as JSON.
    requests: Mutex<HashMap<String, u64>>,
    known_tools: KnownTools,
    session: OnceLock<Weak<ClientSession<Self>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'m> {
    #[serde(borrow)]
    request_id: &'m RawValue,
}

impl ConnectionEvents {
    pub(super) fn new(incoming: mpsc::Sender<Message>) -> Self {
        Self { incoming, requests: Mutex::default(), known_tools: KnownTools::default(), session: OnceLock::new() }
    }

    /// Sets the session, which needs the connection, which needs the events.
    pub(super) fn attach(&self, session: &Arc<ClientSession<Self>>) {
        let _ = self.session.set(Arc::downgrade(session));
    }

    /// Passes a message to the client. It is dropped if the client is gone.
    pub(super) async fn pass(&self, message: Message) {
        let _ = self.incoming.send(message).await;
    }

    /// Returns the connection on which the request with this id came.
    pub(super) fn take_request(&self, id: &str) -> Option<u64> {
        self.requests().remove(id)
    }

    pub(super) const fn known_tools(&self) -> &KnownTools {
        &self.known_tools
    }

    /// Keeps the connection of a request. Returns whether there was room.
    fn keep(&self, request: &Message, connection: u64) -> bool {
        let mut requests = self.requests();
        let has_room = requests.len() < REQUESTS;
        if has_room {
            requests.insert(request.id().unwrap_or("0").to_owned(), connection);
        }
        has_room
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events for ConnectionEvents {
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match (message.kind(), message.method()) {
                (MessageKind::Request, _) if !self.keep(&message, connection) => {
                    let Some(session) = self.session.get().and_then(Weak::upgrade) else { return };
                    let id = message.id().unwrap_or("0");
                    let refused = Message::error_of(id, -32_000, "too many requests wait for the client", None);
                    session.caller().supervisor().respond(&refused, connection).await;
                    return;
                }
                (MessageKind::Notification, Some("notifications/cancelled")) => {
                    let id = message.read_params().map(|params: Cancelled<'_>| params.request_id);
                    if let Some(id) = id {
                        self.requests().remove(id.get());
                    }
                }
                _ => {}
            }
            self.pass(message).await;
        })
    }

    /// The client learns whether the server has other tools now.
    fn reconnected(&self) {
        let Some(session) = self.session.get().and_then(Weak::upgrade) else { return };
        tokio::spawn(async move {
            let list = session.list_again().await;
            let events = session.caller().supervisor().events();
            if list.is_some() && events.known_tools.differs(list.as_deref()) {
                events.known_tools.unclear();
                events.pass(Message::notification("notifications/tools/list_changed", &json!({}))).await;
            }
        });
    }
}
