//! One client of a bridge.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use resilient_client::{ClientSession, ConnectionState, Message, MessageKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::Shared;
use super::events::ServerEvents;
use super::ids::{Ids, SessionNumber};
use crate::service::{Boxed, Output, Session};

pub(super) struct BridgeSession {
    shared: Arc<Shared>,
    output: Arc<dyn Output>,
    number: SessionNumber,
    ids: Ids,
    client: Arc<ClientSession<ServerEvents>>,
}

#[derive(Deserialize)]
struct RequestParams<'m> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<RequestMeta<'m>>,
    #[serde(borrow, default)]
    cursor: Option<&'m RawValue>,
    #[serde(borrow, default)]
    uri: Option<Cow<'m, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestMeta<'m> {
    #[serde(borrow, default)]
    progress_token: Option<&'m RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'m> {
    #[serde(borrow)]
    request_id: &'m RawValue,
}

impl Session for BridgeSession {
    fn handle(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            match message.kind() {
                MessageKind::Request => self.request(message).await,
                MessageKind::Notification => self.notification(message).await,
                MessageKind::Response => self.response(&message).await,
            }
        })
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            self.client.cancel_all();
            let supervisor = self.shared.caller.supervisor();
            let left = self.shared.sessions.remove(self.number);
            for (id, connection) in left.requests {
                let response = Message::error_of(&id, -32_000, "the client is gone", None);
                let supervisor = supervisor.clone();
                // A server that does not read must not delay the end.
                tokio::spawn(async move { supervisor.respond(&response, connection).await });
            }
            // The server of a single session ends with it.
            if self.ids != Ids::Unchanged && !left.subscriptions.is_empty() {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { shared.unsubscribe(left.subscriptions).await });
            }
        })
    }
}

impl Shared {
    /// Gives up subscriptions that no session has any more.
    async fn unsubscribe(&self, uris: Vec<String>) {
        let supervisor = self.caller.supervisor();
        for uri in uris {
            // A server is not started for this.
            if supervisor.state() != ConnectionState::Up || self.sessions.has_subscribers(&uri) {
                continue;
            }
            let request = Message::request(&supervisor.new_id(), "resources/unsubscribe", &json!({ "uri": uri }));
            let _ = timeout(UNSUBSCRIBE, supervisor.request(&request)).await;
        }
    }
}

/// How long a server may take to end a subscription.
const UNSUBSCRIBE: Duration = Duration::from_secs(10);

impl BridgeSession {
    pub(super) fn new(shared: Arc<Shared>, output: Arc<dyn Output>, number: SessionNumber, ids: Ids) -> Self {
        let client = Arc::new(ClientSession::new(Arc::clone(&shared.caller)));
        Self { shared, output, number, ids, client }
    }

    async fn request(&self, request: Message) {
        let response = match request.method() {
            Some("initialize") => Some(self.shared.initialize(&request).await),
            _ => self.pass(&request).await,
        };
        if let Some(response) = response {
            self.output.send(response).await;
        }
    }

    /// Passes a request to the server. Returns `None`, if the client has cancelled it.
    async fn pass(&self, request: &Message) -> Option<Message> {
        let id = request.id().unwrap_or("0");
        if self.keeps_subscription(request) {
            return Some(Message::result_of(id, "{}"));
        }
        let response = self.client.request(self.to_server(request)).await?;
        self.read(request, &response);
        // The client of a server that is down may know that the proxy lives.
        if request.method() == Some("ping") && response.error().is_some() {
            return Some(Message::result_of(id, "{}"));
        }
        Some(response.with_id(id))
    }

    /// Takes from responses what the bridge needs.
    fn read(&self, request: &Message, response: &Message) {
        let Some(result) = response.result() else { return };
        let params = request.read_params::<RequestParams<'_>>();
        let uri = || params.as_ref().and_then(|params| params.uri.as_deref());
        match request.method() {
            Some("tools/list") => {
                let is_first = params.as_ref().is_none_or(|params| params.cursor.is_none());
                self.shared.lists.passed(result, is_first);
            }
            Some("resources/subscribe") => uri().into_iter().for_each(|uri| {
                self.shared.sessions.subscribe(self.number, uri);
            }),
            _ => {}
        }
    }

    /// Ends the subscription of this client. Returns whether another one still has it, so that the server must keep it.
    fn keeps_subscription(&self, request: &Message) -> bool {
        request.method() == Some("resources/unsubscribe")
            && request
                .read_params::<RequestParams<'_>>()
                .and_then(|params| params.uri)
                .is_some_and(|uri| self.shared.sessions.unsubscribe(self.number, &uri))
    }

    async fn notification(&self, notification: Message) {
        let supervisor = self.shared.caller.supervisor();
        match notification.method() {
            Some("notifications/cancelled") => {
                let id = notification.read_params().map(|params: Cancelled<'_>| params.request_id.get());
                if let Some(id) = id {
                    // A notification about no request of this client ends here.
                    let _ = self.client.notify(&notification.with_part(id, &self.ids.to_server(id))).await;
                }
            }
            Some("notifications/initialized") => {
                // While the server is down, it is sent with the next handshake.
                let _ = supervisor.notify(&notification).await;
                self.shared.client_is_ready();
            }
            _ => {
                if let Err(failure) = supervisor.notify(&notification).await {
                    tracing::debug!(event = "notification.dropped", method = notification.method(), %failure);
                }
            }
        }
    }

    async fn response(&self, response: &Message) {
        if let Some((response, connection)) = self.shared.sessions.answered(self.number, response) {
            self.shared.caller.supervisor().respond(&response, connection).await;
        }
    }

    /// Converts the id and the progress token of a request for the server.
    fn to_server(&self, request: &Message) -> Message {
        if self.ids == Ids::Unchanged {
            return request.clone();
        }
        let params: Option<RequestParams<'_>> = request.read_params();
        let token = params.and_then(|params| params.meta).and_then(|meta| meta.progress_token);
        let converted = token.map(|token| request.with_part(token.get(), &self.ids.to_server(token.get())));
        let request = converted.as_ref().unwrap_or(request);
        request.with_id(&self.ids.to_server(request.id().unwrap_or("0")))
    }
}
