//! One client of one server: guarded calls, limits for other requests, and cancellation.

mod known_tools;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_runtime::ErrorKind;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::call::{Caller, RunningCall};
use crate::failure::Failure;
use crate::message::Message;
use crate::supervisor::{Events, LONG};
pub use known_tools::KnownTools;

/// The maximum number of requests of one client that are under way.
const REQUESTS: usize = 1_000;

/// How long a notification of a cancelled request may take.
const NOTIFY: Duration = Duration::from_secs(1);

/// The requests of one client, each of which is answered: with what the server says, or with why it does not.
///
/// Calls of tools are [guarded](Caller::call). Other requests have the timeout of a call, except
/// `subscriptions/listen` and `tasks/result`, which may wait without limit.
pub struct ClientSession<E: Events> {
    caller: Arc<Caller<E>>,
    /// The requests under way, by their ids as JSON.
    running: Mutex<HashMap<String, Running>>,
}

#[derive(Clone)]
enum Running {
    Call(Arc<RunningCall>),
    Other(CancellationToken),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'m> {
    #[serde(borrow)]
    request_id: &'m RawValue,
}

impl<E: Events> ClientSession<E> {
    /// Creates the session of a client. Several sessions may share a caller, if their ids differ.
    #[must_use]
    pub fn new(caller: Arc<Caller<E>>) -> Self {
        Self { caller, running: Mutex::default() }
    }

    /// Returns the caller.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller<E>> {
        &self.caller
    }

    /// Sends a request. The future returns the response with the id of the request, or `None` if the request was
    /// cancelled. The request can be cancelled as soon as this function has returned.
    pub fn request(self: &Arc<Self>, request: Message) -> impl Future<Output = Option<Message>> + Send + 'static {
        let running = match request.method() {
            Some("tools/call") => Running::Call(Arc::default()),
            _ => Running::Other(CancellationToken::new()),
        };
        let entered = self.enter(&request, running.clone());
        async move {
            let entry = match entered {
                Ok(entry) => entry,
                Err(refused) => return Some(refused),
            };
            match running {
                Running::Call(running) => entry.session.call(&request, &running).await,
                Running::Other(cancelled) => {
                    tokio::select! {
                        biased;
                        () = cancelled.cancelled() => None,
                        response = entry.session.other(&request) => Some(response),
                    }
                }
            }
        }
    }

    /// Sends a notification. `notifications/cancelled` ends the request that it names.
    ///
    /// # Errors
    /// [`Failure`], if it was not sent. A new connection gets `notifications/initialized` all the same.
    pub async fn notify(&self, notification: &Message) -> Result<(), Failure> {
        if notification.method() != Some("notifications/cancelled") {
            return self.caller.supervisor().notify(notification).await;
        }
        let id = notification.read_params().map(|params: Cancelled<'_>| params.request_id);
        let running = id.and_then(|id| self.running().get(id.get()).cloned().map(|running| (id.get(), running)));
        if let Some((id, running)) = running {
            self.cancel(id, &running, Some(notification));
        }
        Ok(())
    }

    /// Cancels all requests, because the client is gone.
    pub fn cancel_all(&self) {
        let all: Vec<_> = self.running().drain().collect();
        for (id, running) in all {
            self.cancel(&id, &running, None);
        }
    }

    async fn call(&self, request: &Message, running: &RunningCall) -> Option<Message> {
        match self.caller.call(request, running).await {
            Ok(response) => Some(response),
            Err(_) if running.is_cancelled() => None,
            Err(error) => Some(error.response().cloned().unwrap_or_else(|| {
                let mut result = error.result(self.caller.supervisor().name());
                if is_modern(request) {
                    result["resultType"] = json!("complete");
                }
                Message::result_of(request.id().unwrap_or("0"), &result.to_string())
            })),
        }
    }

    async fn other(&self, request: &Message) -> Message {
        let id = request.id().unwrap_or("0");
        match self.answer(request).await {
            Ok(response) => {
                if let (Some("tools/list"), Some(result)) = (request.method(), response.result()) {
                    self.caller.learn(result);
                }
                response.with_id(id)
            }
            Err(failure) => {
                let (message, data) = failure.error(self.caller.supervisor().name());
                Message::error_of(id, -32_000, &message, Some(&data))
            }
        }
    }

    /// Waits for the response to a request: not longer than for a call, unless the method may wait without limit.
    async fn answer(&self, request: &Message) -> Result<Message, Failure> {
        let supervisor = self.caller.supervisor();
        let method = request.method().unwrap_or_default();
        if method == "initialize" {
            // It has its own limit.
            return supervisor.initialize(request).await;
        }
        let answer = supervisor.request(request);
        if LONG.contains(&method) {
            return answer.await;
        }
        let limit = self.caller.timeout();
        timeout(limit, answer).await.unwrap_or_else(|_| {
            supervisor.suspect();
            let message = format!("no answer within {} s", limit.as_secs_f64());
            Err(Failure::new(ErrorKind::Timeout, message, true))
        })
    }

    /// Cancels a request: it ends at once, and the server gets the notification of the client, or one of ours.
    fn cancel(&self, id: &str, running: &Running, notification: Option<&Message>) {
        let sent = match running {
            Running::Call(call) => call.id(),
            Running::Other(_) => id.to_owned(),
        };
        match running {
            Running::Call(call) => call.cancel(),
            Running::Other(token) => token.cancel(),
        }
        // Without an id, the first attempt has not begun.
        if sent.is_empty() {
            return;
        }
        let supervisor = self.caller.supervisor();
        supervisor.forget(&sent);
        let part = notification.and_then(|it| Some((it, it.read_params::<Cancelled<'_>>()?.request_id)));
        let cancelled = if let Some((message, part)) = part {
            message.with_part(part.get(), &sent)
        } else {
            Message::cancelled(&sent, "the client is gone")
        };
        // A server that does not read must not keep the client waiting.
        let supervisor = supervisor.clone();
        tokio::spawn(async move {
            // A server that is not connected has forgotten the request.
            let _ = timeout(NOTIFY, supervisor.notify(&cancelled)).await;
        });
    }

    /// Adds a running request, which is removed when the entry is dropped. Returns the response that refuses it, if
    /// there are too many, or one with the same id.
    fn enter(self: &Arc<Self>, request: &Message, running: Running) -> Result<Entry<E>, Message> {
        let id = request.id().unwrap_or("0");
        let mut all = self.running();
        if all.len() >= REQUESTS {
            return Err(Message::error_of(id, -32_000, "too many requests are under way", None));
        }
        if all.contains_key(id) {
            return Err(Message::error_of(id, -32_600, "a request with the same id is under way", None));
        }
        all.insert(id.to_owned(), running);
        Ok(Entry { session: Arc::clone(self), id: id.to_owned() })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a request from those under way.
struct Entry<E: Events> {
    session: Arc<ClientSession<E>>,
    id: String,
}

impl<E: Events> Drop for Entry<E> {
    fn drop(&mut self) {
        self.session.running().remove(&self.id);
    }
}

#[derive(Deserialize)]
struct ModernParams<'m> {
    #[serde(borrow, rename = "_meta")]
    meta: ModernMeta<'m>,
}

#[derive(Deserialize)]
struct ModernMeta<'m> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: &'m RawValue,
}

/// Returns whether a request is of the protocol without sessions, whose results say what type they are.
fn is_modern(request: &Message) -> bool {
    request.read_params::<ModernParams<'_>>().is_some_and(|params| !params.meta.version.get().is_empty())
}

#[cfg(test)]
mod tests;
