//! What a new connection needs to know of the client: its handshake, log level and subscriptions.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::message::Message;

/// The state of a session that a new connection needs: the handshake, the log level, the subscriptions.
#[derive(Debug, Clone, Default)]
pub(super) struct Replay {
    initialize: Option<Message>,
    /// The response to it, and the number of the connection that it came on.
    initialized: Option<(Message, u64)>,
    /// Whether the client has sent `notifications/initialized`.
    client_is_ready: bool,
    /// The connection on which `notifications/initialized` was sent last.
    announced: Option<u64>,
    level: Option<Message>,
    subscriptions: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Subscription {
    uri: String,
}

impl Replay {
    /// Records a request that has been answered with a result.
    pub(super) fn answered(&mut self, request: &Message, response: &Message, generation: u64) {
        let uri = || request.read_params::<Subscription>().map(|params| params.uri);
        match request.method() {
            Some("initialize") => {
                self.initialize = Some(request.clone());
                self.initialized = Some((response.clone(), generation));
            }
            Some("logging/setLevel") => self.level = Some(request.clone()),
            Some("resources/subscribe") => self.subscriptions.extend(uri()),
            Some("resources/unsubscribe") => {
                if let Some(uri) = uri() {
                    self.subscriptions.remove(&uri);
                }
            }
            _ => {}
        }
    }

    /// Begins the session of a client: the next connection repeats its handshake.
    pub(super) fn begin(&mut self, initialize: &Message) {
        *self = Self { initialize: Some(initialize.clone()), ..Self::default() };
    }

    /// The server has refused the handshake: the next connection does without, unless the client begins again.
    pub(super) fn refused(&mut self) {
        *self = Self::default();
    }

    /// Returns the request `initialize`, if there was one.
    pub(super) const fn initialize(&self) -> Option<&Message> {
        self.initialize.as_ref()
    }

    /// Returns the last response to `initialize`.
    pub(super) fn initialized(&self) -> Option<&Message> {
        self.initialized.as_ref().map(|(response, _)| response)
    }

    /// Returns the response to `initialize`, if it came on this connection.
    pub(super) fn initialized_on(&self, generation: u64) -> Option<&Message> {
        self.initialized.as_ref().filter(|(_, on)| *on == generation).map(|(response, _)| response)
    }

    /// Keeps the response of a new connection to the same handshake.
    pub(super) fn initialized_again(&mut self, response: Message, generation: u64) {
        self.initialized = Some((response, generation));
    }

    /// The client has sent `notifications/initialized`. Returns whether it has to be sent on this connection now: if the
    /// handshake is not over, it follows later.
    pub(super) fn client_is_ready(&mut self, generation: Option<u64>) -> bool {
        self.client_is_ready = true;
        generation.is_some_and(|generation| self.announces(generation))
    }

    /// Returns whether a client uses the session: it has ended its handshake, with this connection or another one.
    pub(super) const fn has_waiting_client(&self) -> bool {
        self.client_is_ready && self.initialize.is_some()
    }

    /// Returns whether `notifications/initialized` has to be sent on this connection, and records that it is.
    pub(super) fn announces(&mut self, generation: u64) -> bool {
        let announces = self.client_is_ready
            && self.announced != Some(generation)
            && (self.initialize.is_none() || self.initialized_on(generation).is_some());
        if announces {
            self.announced = Some(generation);
        }
        announces
    }

    /// Returns the requests that follow the handshake, without their ids.
    pub(super) fn rest(&self) -> Vec<(&'static str, Value)> {
        let level = self.level.as_ref().and_then(Message::read_params).map(|params| ("logging/setLevel", params));
        let subscribe = |uri| ("resources/subscribe", json!({ "uri": uri }));
        level.into_iter().chain(self.subscriptions.iter().map(subscribe)).collect()
    }
}

/// Returns `notifications/initialized`.
pub(super) fn initialized_notification() -> Message {
    Message::notification("notifications/initialized", &json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_connection_gets_the_last_level_and_the_open_subscriptions() {
        let mut replay = Replay::default();
        let result = Message::result_of("1", "{}");
        let mut answered = |method: &str, params: Value| {
            replay.answered(&Message::request("1", method, &params), &result, 1);
        };
        answered("initialize", json!({ "protocolVersion": "2025-11-25" }));
        answered("logging/setLevel", json!({ "level": "debug" }));
        answered("logging/setLevel", json!({ "level": "error" }));
        answered("resources/subscribe", json!({ "uri": "a" }));
        answered("resources/subscribe", json!({ "uri": "b" }));
        answered("resources/unsubscribe", json!({ "uri": "a" }));
        answered("tools/call", json!({ "name": "a" }));
        let rest = replay.rest();
        assert_eq!(rest[0], ("logging/setLevel", json!({ "level": "error" })));
        assert_eq!(rest[1..], [("resources/subscribe", json!({ "uri": "b" }))]);
        assert!(replay.initialize().is_some());
    }
}
