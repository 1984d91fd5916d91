//! One client of a bridge.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use resilient_client::{Failure, Message, MessageKind, RunningCall};
use resilient_runtime::{Classify, ErrorKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::Shared;
use super::ids::{Ids, SessionNumber};
use crate::service::{Boxed, Output, Session};

/// The maximum number of requests of one client that are under way.
const REQUESTS: usize = 1_000;

/// The methods that answer soon. Others wait without limit, such as the stream of subscriptions and the result of a task.
const SHORT: [&str; 17] = [
    "completion/complete",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/update",
    "tools/list",
    "roots/list",
];

pub(super) struct BridgeSession {
    shared: Arc<Shared>,
    output: Arc<dyn Output>,
    number: SessionNumber,
    ids: Ids,
    /// The requests under way, by the ids of the client as JSON.
    running: Mutex<HashMap<String, Running>>,
}

#[derive(Clone)]
enum Running {
    Call(Arc<RunningCall>),
    /// Any other request, with its id for the server.
    Passed(String, tokio_util::sync::CancellationToken),
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
            for running in self.take_running() {
                self.cancel(&running, None).await;
            }
            let supervisor = self.shared.caller.supervisor();
            for (id, connection) in self.shared.sessions.remove(self.number) {
                let response = Message::error_of(&id, -32_000, "the client is gone", None);
                supervisor.respond(&response, connection).await;
            }
        })
    }
}

impl BridgeSession {
    pub(super) fn new(shared: Arc<Shared>, output: Arc<dyn Output>, number: SessionNumber, ids: Ids) -> Self {
        Self { shared, output, number, ids, running: Mutex::default() }
    }

    async fn request(&self, request: Message) {
        let response = match request.method() {
            Some("initialize") => Some(self.shared.initialize(&request).await),
            Some("tools/call") => self.call(&request).await,
            _ => self.pass(&request).await,
        };
        if let Some(response) = response {
            self.output.send(response).await;
        }
    }

    /// Calls a tool. Returns `None`, if the client has cancelled the call.
    async fn call(&self, request: &Message) -> Option<Message> {
        let id = request.id().unwrap_or("0");
        let running = Arc::new(RunningCall::default());
        let _entry = match self.enter(id, Running::Call(Arc::clone(&running))) {
            Ok(entry) => entry,
            Err(refused) => return Some(refused),
        };
        let sent = self.to_server(request);
        match self.shared.caller.call(&sent, &running).await {
            Ok(response) => Some(response.with_id(id)),
            Err(error) if error.kind() == ErrorKind::Cancelled => None,
            Err(error) => Some(match error.response() {
                Some(response) => response.with_id(id),
                None => Message::result_of(id, &error.result(&self.shared.settings.name).to_string()),
            }),
        }
    }

    /// Passes a request to the server.
    async fn pass(&self, request: &Message) -> Option<Message> {
        let id = request.id().unwrap_or("0");
        let sent = self.to_server(request);
        let cancelled = tokio_util::sync::CancellationToken::new();
        let running = Running::Passed(sent.id().unwrap_or("0").to_owned(), cancelled.clone());
        let _entry = match self.enter(id, running) {
            Ok(entry) => entry,
            Err(refused) => return Some(refused),
        };
        if self.keeps_subscription(request) {
            return Some(Message::result_of(id, "{}"));
        }
        let response = tokio::select! {
            biased;
            () = cancelled.cancelled() => return None,
            response = self.answer(&sent) => response,
        };
        Some(match response {
            Ok(response) => {
                self.read(request, &response);
                response.with_id(id)
            }
            // The client of a server that is down can be told that the proxy lives.
            Err(_) if request.method() == Some("ping") => Message::result_of(id, "{}"),
            Err(failure) => {
                let (message, data) = failure.error(&self.shared.settings.name);
                Message::error_of(id, -32_000, &message, Some(&data))
            }
        })
    }

    /// Waits for the response to a request: not longer than for a call, if the method is one that answers soon.
    async fn answer(&self, sent: &Message) -> Result<Message, Failure> {
        let supervisor = self.shared.caller.supervisor();
        let request = supervisor.request(sent);
        if !sent.method().is_some_and(|method| SHORT.contains(&method)) {
            return request.await;
        }
        let limit = self.shared.settings.calls.timeout;
        timeout(limit, request).await.unwrap_or_else(|_| {
            supervisor.suspect();
            let message = format!("no answer within {} s", limit.as_secs_f64());
            Err(Failure::new(ErrorKind::Timeout, message, true))
        })
    }

    /// Takes from responses what the bridge needs.
    fn read(&self, request: &Message, response: &Message) {
        let Some(result) = response.result() else { return };
        let params = request.read_params::<RequestParams<'_>>();
        let uri = || params.as_ref().and_then(|params| params.uri.as_deref());
        match request.method() {
            Some("tools/list") => {
                self.shared.caller.learn(result);
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
                let params: Option<Cancelled<'_>> = notification.read_params();
                let running = params.and_then(|params| {
                    self.running().get(params.request_id.get()).cloned().map(|running| (params, running))
                });
                if let Some((params, running)) = running {
                    self.cancel(&running, Some((&notification, params.request_id.get()))).await;
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
        if let Some(connection) = self.shared.sessions.answered(self.number, response) {
            self.shared.caller.supervisor().respond(response, connection).await;
        }
    }

    /// Cancels a request at the server, with the notification of the client if there is one.
    async fn cancel(&self, running: &Running, notification: Option<(&Message, &str)>) {
        let id = match running {
            Running::Call(call) => call.id(),
            Running::Passed(id, _) => id.clone(),
        };
        let supervisor = self.shared.caller.supervisor();
        if !id.is_empty() {
            let cancelled = match notification {
                Some((message, part)) => message.with_part(part, &id),
                None => {
                    let id: Box<RawValue> = serde_json::from_str(&id).unwrap_or_default();
                    let params = json!({ "requestId": id, "reason": "the client is gone" });
                    Message::notification("notifications/cancelled", &params)
                }
            };
            let _ = supervisor.notify(&cancelled).await;
            supervisor.forget(&id);
        }
        match running {
            Running::Call(call) => call.cancel(),
            Running::Passed(_, token) => token.cancel(),
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

    /// Adds a running request, which is removed when the entry is dropped. Returns the response that refuses it, if there are
    /// too many, or one with the same id.
    fn enter(&self, id: &str, request: Running) -> Result<Entry<'_>, Message> {
        let mut running = self.running();
        if running.len() >= REQUESTS {
            return Err(Message::error_of(id, -32_000, "too many requests are under way", None));
        }
        if running.contains_key(id) {
            return Err(Message::error_of(id, -32_600, "a request with the same id is under way", None));
        }
        running.insert(id.to_owned(), request);
        Ok(Entry { session: self, id: id.to_owned() })
    }

    fn take_running(&self) -> Vec<Running> {
        self.running().drain().map(|(_, running)| running).collect()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a request from those under way.
struct Entry<'s> {
    session: &'s BridgeSession,
    id: String,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.session.running().remove(&self.id);
    }
}
