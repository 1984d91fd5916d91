//! The clients of a bridge: who gets what a server sends by itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use resilient_client::{Message, MessageKind, ServerRequests};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ids::{SessionNumber, from_server};
use crate::service::Output;

/// The clients of one server.
pub(super) struct Sessions {
    /// Whether ids and progress tokens contain the number of the session.
    is_shared: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    last: SessionNumber,
    outputs: BTreeMap<SessionNumber, Arc<dyn Output>>,
    /// The requests of the server that wait for a client.
    requests: ServerRequests<SessionNumber>,
    /// The sessions that have subscribed to a resource.
    subscribers: HashMap<String, BTreeSet<SessionNumber>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationParams<'m> {
    #[serde(borrow, default)]
    progress_token: Option<&'m RawValue>,
    #[serde(borrow, default)]
    uri: Option<Cow<'m, str>>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<NotificationMeta<'m>>,
}

#[derive(Deserialize)]
struct NotificationMeta<'m> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/subscriptionId")]
    subscription: Option<&'m RawValue>,
}

/// What a session leaves at the server.
pub(super) struct Left {
    /// The ids of the server's requests without an answer, with their connections.
    pub(super) requests: Vec<(String, u64)>,
    /// The resources to which no other session has subscribed.
    pub(super) subscriptions: Vec<String>,
}

impl Sessions {
    pub(super) fn new(is_shared: bool) -> Self {
        Self { is_shared, inner: Mutex::default() }
    }

    /// Adds a session and returns its number.
    pub(super) fn add(&self, output: Arc<dyn Output>) -> SessionNumber {
        let mut inner = self.lock();
        inner.last = inner.last.wrapping_add(1);
        let number = inner.last;
        inner.outputs.insert(number, output);
        number
    }

    /// Removes a session.
    pub(super) fn remove(&self, session: SessionNumber) -> Left {
        let mut inner = self.lock();
        inner.outputs.remove(&session);
        let mut subscriptions = Vec::new();
        inner.subscribers.retain(|uri, sessions| {
            if sessions.remove(&session) && sessions.is_empty() {
                subscriptions.push(uri.clone());
            }
            !sessions.is_empty()
        });
        Left { requests: inner.requests.abandoned(&session), subscriptions }
    }

    /// Drops the requests of a server that is lost, whose responses nothing waits for. Returns the notifications that cancel
    /// them, and the clients that get these.
    pub(super) fn lost(&self) -> Vec<(Arc<dyn Output>, Message)> {
        let mut inner = self.lock();
        let lost = inner.requests.lost().into_iter();
        lost.filter_map(|(session, cancelled)| Some((Arc::clone(inner.outputs.get(&session)?), cancelled))).collect()
    }

    /// Finds the clients that get a message of the server. Ids of the server's side are converted.
    pub(super) fn route(&self, message: Message, connection: u64) -> Routed {
        if message.kind() == MessageKind::Request {
            return self.route_request(message, connection);
        }
        let params: Option<NotificationParams<'_>> = message.read_params();
        let Some(params) = params else { return Routed::To(self.all(), message) };
        let shared = [params.progress_token, params.meta.and_then(|meta| meta.subscription)];
        for id in shared.into_iter().flatten().filter(|_| self.is_shared) {
            if let Some((session, own)) = from_server(id.get()) {
                let converted = message.with_part(id.get(), &own);
                return Routed::To(self.one(session), converted);
            }
        }
        match (message.method(), &params.uri) {
            // The server cancels one of its requests.
            (Some("notifications/cancelled"), _) => {
                let cancelled = self.lock().requests.cancelled(&message, connection);
                match cancelled {
                    Some((session, cancelled)) => Routed::To(self.one(session), cancelled),
                    None => Routed::To(Vec::new(), message),
                }
            }
            (Some("notifications/resources/updated"), Some(uri)) => Routed::To(self.subscribers(uri), message),
            _ => Routed::To(self.all(), message),
        }
    }

    /// A request of the server goes to the one session there is, or to none: nothing says which client it concerns.
    fn route_request(&self, message: Message, connection: u64) -> Routed {
        let mut inner = self.lock();
        let mut outputs = inner.outputs.iter();
        let (Some((session, output)), None) = (outputs.next(), outputs.next()) else { return Routed::Nowhere(message) };
        let (session, output) = (*session, Arc::clone(output));
        match inner.requests.keep(&message, connection, session) {
            Some(converted) => Routed::To(vec![output], converted),
            None => Routed::Nowhere(message),
        }
    }

    /// Takes the response of a client to a request of the server. Returns it with the id that the server knows, and the
    /// connection that waits for it, if there is one.
    pub(super) fn answered(&self, session: SessionNumber, response: &Message) -> Option<(Message, u64)> {
        self.lock().requests.answered(response, &session)
    }

    /// Adds a subscription.
    pub(super) fn subscribe(&self, session: SessionNumber, uri: &str) {
        let mut inner = self.lock();
        if inner.outputs.contains_key(&session) {
            inner.subscribers.entry(uri.to_owned()).or_default().insert(session);
        }
    }

    /// Removes a subscription. Returns whether another session still has it.
    pub(super) fn unsubscribe(&self, session: SessionNumber, uri: &str) -> bool {
        let mut inner = self.lock();
        let Some(sessions) = inner.subscribers.get_mut(uri) else { return false };
        sessions.remove(&session);
        let is_used = !sessions.is_empty();
        if !is_used {
            inner.subscribers.remove(uri);
        }
        is_used
    }

    /// Returns whether a session has subscribed to a resource.
    pub(super) fn has_subscribers(&self, uri: &str) -> bool {
        self.lock().subscribers.contains_key(uri)
    }

    /// Returns the ways to all clients.
    pub(super) fn all(&self) -> Vec<Arc<dyn Output>> {
        self.lock().outputs.values().cloned().collect()
    }

    fn one(&self, session: SessionNumber) -> Vec<Arc<dyn Output>> {
        self.lock().outputs.get(&session).cloned().into_iter().collect()
    }

    fn subscribers(&self, uri: &str) -> Vec<Arc<dyn Output>> {
        let inner = self.lock();
        // A server may name a part of what was subscribed to.
        let Some(sessions) = inner.subscribers.get(uri) else { return inner.outputs.values().cloned().collect() };
        sessions.iter().filter_map(|session| inner.outputs.get(session)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a message of the server goes.
pub(super) enum Routed {
    /// To these clients.
    To(Vec<Arc<dyn Output>>, Message),
    /// The server has to be answered that no client takes it.
    Nowhere(Message),
}

#[cfg(test)]
mod tests;
