//! The requests of a server that wait for clients.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::message::Message;

/// The requests of a server that wait for clients, each with a value that says which client. At most 1,000.
///
/// A server that was started again uses its ids again, so clients get ids that also name the connection.
#[derive(Debug)]
pub struct ServerRequests<C> {
    /// By the ids that the clients have for them.
    waiting: HashMap<String, Waiting<C>>,
}

#[derive(Debug)]
struct Waiting<C> {
    client: C,
    /// The id at the server, as JSON.
    id: String,
    /// The connection that the request came on.
    connection: u64,
}

/// The maximum number of requests.
const REQUESTS: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'m> {
    #[serde(borrow)]
    request_id: &'m RawValue,
}

impl<C> Default for ServerRequests<C> {
    fn default() -> Self {
        Self { waiting: HashMap::new() }
    }
}

impl<C> ServerRequests<C> {
    /// Keeps a request. Returns it with the id for the client, or `None` if there is no room.
    pub fn keep(&mut self, request: &Message, connection: u64, client: C) -> Option<Message> {
        if self.waiting.len() >= REQUESTS {
            return None;
        }
        let id = request.id().unwrap_or("0").to_owned();
        let for_client = id_for_client(&id, connection);
        let converted = request.with_id(&json!(for_client).to_string());
        self.waiting.insert(for_client, Waiting { client, id, connection });
        Some(converted)
    }

    /// Takes the request that the server cancels with this notification. Returns the notification for the client.
    pub fn cancelled(&mut self, notification: &Message, connection: u64) -> Option<(C, Message)> {
        let id = notification.read_params::<Cancelled<'_>>()?.request_id.get();
        let for_client = id_for_client(id, connection);
        let request = self.waiting.remove(&for_client)?;
        Some((request.client, notification.with_part(id, &json!(for_client).to_string())))
    }

    /// Takes the request that a response of this client answers. Returns the response with the id that the server knows,
    /// and the connection that waits for it.
    pub fn answered(&mut self, response: &Message, client: &C) -> Option<(Message, u64)>
    where
        C: PartialEq,
    {
        let id: String = serde_json::from_str(response.id()?).ok()?;
        self.waiting.get(&id).filter(|request| request.client == *client)?;
        let Waiting { id, connection, .. } = self.waiting.remove(&id)?;
        Some((response.with_id(&id), connection))
    }

    /// Takes the requests that wait for a client that is gone. Returns their ids at the server, as JSON, and their
    /// connections.
    pub fn abandoned(&mut self, client: &C) -> Vec<(String, u64)>
    where
        C: PartialEq,
    {
        let abandoned = self.waiting.extract_if(|_, request| request.client == *client);
        abandoned.map(|(_, request)| (request.id, request.connection)).collect()
    }

    /// Takes all requests, because the connection to the server is lost and nothing waits for their responses. Returns the
    /// notifications that cancel them.
    pub fn lost(&mut self) -> Vec<(C, Message)> {
        let cancelled = |(id, request): (String, Waiting<C>)| {
            (request.client, Message::cancelled(&json!(id).to_string(), "the connection to the server is lost"))
        };
        self.waiting.drain().map(cancelled).collect()
    }
}

fn id_for_client(id: &str, connection: u64) -> String {
    format!("{connection}:{id}")
}
