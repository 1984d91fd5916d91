//! The requests of a link, and the way of what they receive to the receiver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::link::http::endpoint::Endpoint;
use crate::link::http::events::{Event, SHOWN};
use crate::link::http::headers::LAST_EVENT_ID;
use crate::link::http::session::Session;
use crate::link::{Receive, Received};
use crate::message::{Message, MessageKind};

const DELETE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the exchanges and the stream of a link share.
pub(super) struct Wire<R> {
    client: Client,
    endpoint: Endpoint,
    receiver: Arc<R>,
    session: Mutex<Session>,
    stop: CancellationToken,
}

impl<R: Receive> Wire<R> {
    pub(super) fn new(client: Client, endpoint: Endpoint, receiver: Arc<R>) -> Self {
        Self { client, endpoint, receiver, session: Mutex::default(), stop: CancellationToken::new() }
    }

    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the token that is cancelled when the link ends.
    pub(super) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns the scheme, host and port of the server.
    pub(super) fn origin(&self) -> String {
        self.endpoint.origin()
    }

    pub(super) async fn post(&self, message: &Message, mut headers: HeaderMap) -> reqwest::Result<Response> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.request(Method::POST, headers).body(message.text().to_owned()).send().await
    }

    /// Opens a stream of the session, or resumes one after an event.
    pub(super) async fn get(&self, last_event_id: Option<&[u8]>) -> reqwest::Result<Response> {
        let (mut headers, _) = self.session().headers();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        self.request(Method::GET, headers).send().await
    }

    /// Ends the session, if there is one. Servers need not support that, so the result does not matter.
    pub(super) async fn delete(&self) {
        let (headers, has_session) = self.session().headers();
        if has_session {
            let _ = timeout(DELETE_TIMEOUT, self.request(Method::DELETE, headers).send()).await;
        }
    }

    fn request(&self, method: Method, headers: HeaderMap) -> reqwest::RequestBuilder {
        let url = self.endpoint.url().clone();
        self.client.request(method, url).headers(self.endpoint.headers().clone()).headers(headers)
    }

    /// Passes the messages in `data` to the receiver. Returns whether the response to `request` was one of them.
    pub(super) async fn pass(&self, data: Vec<u8>, request: Option<&Message>) -> bool {
        match read(data) {
            Ok(messages) => self.pass_messages(messages, request).await,
            Err(data) => {
                self.pass_junk(&data, data.len()).await;
                false
            }
        }
    }

    /// Passes an event of a stream to the receiver.
    pub(super) async fn pass_event(&self, event: Event) {
        match event {
            Event::Data(data) => {
                self.pass(data, None).await;
            }
            Event::TooLong { start, bytes } => self.pass_junk(&start, bytes).await,
        }
    }

    pub(super) async fn pass_messages(&self, messages: Vec<Message>, request: Option<&Message>) -> bool {
        let mut is_answered = false;
        for message in messages {
            if let Some(request) = request.filter(|request| is_response_to(&message, request)) {
                // The receiver may send the next message at once, and that needs what the response says.
                self.session().learn(request, &message);
                is_answered = true;
            }
            self.receiver.receive(Received::Message(message)).await;
        }
        is_answered
    }

    /// Passes something that is not a message, of which `data` is the beginning, to the receiver.
    pub(super) async fn pass_junk(&self, data: &[u8], bytes: usize) {
        let start = data[..data.len().min(SHOWN)].to_vec();
        self.receiver.receive(Received::Junk { start, bytes }).await;
    }

    /// Reports that the server has ended the session.
    pub(super) async fn pass_loss(&self, why: &str) {
        self.receiver.receive(Received::Lost(why.to_owned())).await;
    }
}

/// Reads a message or a batch. Returns the bytes, if they are neither.
pub(super) fn read(data: Vec<u8>) -> Result<Vec<Message>, Vec<u8>> {
    let mut text = String::from_utf8(data).map_err(std::string::FromUtf8Error::into_bytes)?;
    if text.contains(['\n', '\r']) {
        // Outside of strings, where they are escaped, these are spaces. Other transports end a message at them.
        text = text.replace(['\n', '\r'], " ");
    }
    let text = text.trim();
    Message::parse_batch(text).map_err(|_| text.as_bytes().to_vec())
}

/// Returns whether a message is the response to a request.
pub(super) fn is_response_to(message: &Message, request: &Message) -> bool {
    let (Some(id), Some(requested)) = (message.id(), request.id()) else { return false };
    message.kind() == MessageKind::Response && (id == requested || is_same(id, requested))
}

/// Compares two JSON values, which may be written in different ways.
fn is_same(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<Value>(text).ok();
    value(one).is_some_and(|one| value(other) == Some(one))
}
