//! What a server sends by itself, for rmcp's client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::message::{Message, MessageKind};
use crate::session::{ClientSession, KnownTools};
use crate::supervisor::{BoxFuture, ConnectionState, Events};

/// The maximum number of requests of a server that wait for the client.
const REQUESTS: usize = 1_000;
/// The maximum number of refusals that wait for a server to read them. Further requests get none.
const REFUSALS: usize = 100;

/// Passes what a server sends to the client.
pub(super) struct ConnectionEvents {
    incoming: mpsc::Sender<Message>,
    /// The requests of the server that wait for the client, by the ids that the client has for them.
    requests: Mutex<HashMap<String, Requested>>,
    /// The refusals that are being sent.
    refusals: TaskTracker,
    known_tools: KnownTools,
    session: OnceLock<Weak<ClientSession<Self>>>,
}

/// A request of the server: its id there, as JSON, and the connection that it came on.
struct Requested {
    id: String,
    connection: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'m> {
    #[serde(borrow)]
    request_id: &'m RawValue,
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
        let id: String = serde_json::from_str(response.id()?).ok()?;
        let Requested { id, connection } = self.requests().remove(&id)?;
        Some((response.with_id(&id), connection))
    }

    pub(super) const fn known_tools(&self) -> &KnownTools {
        &self.known_tools
    }

    /// Keeps a request. Returns it with the id for the client, or `None` if there is no room.
    fn keep(&self, request: &Message, connection: u64) -> Option<Message> {
        let mut requests = self.requests();
        if requests.len() >= REQUESTS {
            return None;
        }
        let id = request.id().unwrap_or("0").to_owned();
        let for_client = id_for_client(&id, connection);
        let converted = request.with_id(&json!(for_client).to_string());
        requests.insert(for_client, Requested { id, connection });
        Some(converted)
    }

    /// Converts the notification by which the server cancels one of its requests.
    fn cancelled(&self, notification: &Message, connection: u64) -> Option<Message> {
        let id = notification.read_params::<Cancelled<'_>>()?.request_id.get();
        let for_client = id_for_client(id, connection);
        self.requests().remove(&for_client)?;
        Some(notification.with_part(id, &json!(for_client).to_string()))
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

    fn requests(&self) -> MutexGuard<'_, HashMap<String, Requested>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the id that the client gets for a request of the server. A server that was started again uses its ids again, so
/// that they do not name a request without the connection.
fn id_for_client(id: &str, connection: u64) -> String {
    format!("{connection}:{id}")
}

impl Events for ConnectionEvents {
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match (message.kind(), message.method()) {
                (MessageKind::Request, _) => match self.keep(&message, connection) {
                    Some(converted) => self.pass(converted).await,
                    None => self.refuse(&message, connection),
                },
                (MessageKind::Notification, Some("notifications/cancelled")) => {
                    if let Some(converted) = self.cancelled(&message, connection) {
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
        let lost: Vec<_> = self.requests().drain().map(|(id, _)| id).collect();
        for id in lost {
            let cancelled = Message::cancelled(&json!(id).to_string(), "the connection to the server is lost");
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
