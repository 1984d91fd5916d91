//! Guarded calls of a server's tools: deadlines, breakers, and retries where they are safe.

mod answer;
mod error;
mod tool;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use resilient_runtime::{ErrorKind, ResilienceError, ToolError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use error::CallError;
use error::{Answered, Cause};
use tool::Tool;
pub use tool::base_policies;

use crate::failure::Failure;
use crate::message::Message;
use crate::supervisor::{Events, Supervisor};

/// How the tools of a server are called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallSettings {
    /// Whether the annotations of the tools are trusted. Without trust, each tool may write, and is never repeated.
    pub trust_annotations: bool,
    /// The timeout of a call, with its retries. Default 60 s.
    pub timeout: Duration,
    /// What is put in front of the name of a tool in settings, metrics and breakers.
    pub prefix: String,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { trust_annotations: false, timeout: Duration::from_secs(60), prefix: String::new() }
    }
}

/// The maximum number of tools of one server with their own guard.
const TOOLS: usize = 2_000;

/// Calls the tools of one server.
pub struct Caller<E: Events> {
    supervisor: Supervisor<E>,
    settings: CallSettings,
    tools: Mutex<HashMap<Box<str>, Arc<Tool>>>,
    /// What tools have in common that have no entry, because there are too many.
    other: OnceLock<Arc<Tool>>,
    /// One reads the list of tools at a time.
    listing: tokio::sync::Mutex<()>,
}

/// A running call, for the one who may cancel it.
#[derive(Debug, Default)]
pub struct RunningCall {
    cancelled: CancellationToken,
    /// The id of the current attempt, as JSON.
    id: Mutex<String>,
}

impl RunningCall {
    /// Ends the call: it fails with [`ErrorKind::Cancelled`], and the server receives a cancellation.
    pub fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Returns whether the call was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Returns the id of the current attempt, as JSON.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn attempt(&self, id: &str) {
        id.clone_into(&mut self.id.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What has been sent of one call.
#[derive(Default)]
struct Sent {
    /// Whether the current attempt, or one that was dropped, was sent.
    now: AtomicBool,
    /// Whether the server may have acted on an attempt that has ended.
    before: AtomicBool,
}

impl Sent {
    /// Ends an attempt.
    fn end(&self, may_have_run: bool) {
        self.before.fetch_or(may_have_run, Ordering::Relaxed);
        self.now.store(false, Ordering::Relaxed);
    }

    /// Returns whether the server may have acted on any attempt.
    fn may_have_run(&self) -> bool {
        self.before.load(Ordering::Relaxed) || self.now.load(Ordering::Relaxed)
    }
}

#[derive(Deserialize)]
struct Called<'m> {
    #[serde(borrow)]
    name: std::borrow::Cow<'m, str>,
}

#[derive(Deserialize)]
struct CalledWith {
    #[serde(default, rename = "_meta")]
    meta: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    next_cursor: Option<String>,
}

/// How long the list of tools may take after a reconnect.
const LIST_AGAIN: Duration = Duration::from_secs(30);

/// How long the list of tools may take that decides about a repetition, and how many pages of it are read.
const LIST: Duration = Duration::from_secs(15);
const PAGES: usize = 20;

impl<E: Events> Caller<E> {
    /// Creates a caller. It knows no tool before [`learn`](Self::learn).
    #[must_use]
    pub fn new(supervisor: Supervisor<E>, settings: CallSettings) -> Self {
        Self {
            supervisor,
            settings,
            tools: Mutex::default(),
            other: OnceLock::new(),
            listing: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the connection.
    #[must_use]
    pub const fn supervisor(&self) -> &Supervisor<E> {
        &self.supervisor
    }

    /// Returns the timeout of a call without settings.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Reads the annotations of tools from the result of `tools/list`, which is JSON.
    pub fn learn(&self, result: &str) {
        let Some(found) = tool::read(result) else { return };
        let mut tools = self.tools();
        for (name, facts) in found {
            let known = tools.get(&*name);
            let is_known = known.is_some_and(|tool| tool.has(facts));
            if !is_known && (known.is_some() || tools.len() < TOOLS) {
                let tool = Tool::new(self.supervisor.name(), &self.settings, &name, facts);
                tools.insert(name.into(), Arc::new(tool));
            }
        }
    }

    /// Reads the first page of the list of tools of a server that came back, within 30 s. Returns the response. Returns
    /// `None` if there is none, and without a handshake: then each request carries what only a client knows.
    pub async fn list_again(&self) -> Option<Message> {
        self.supervisor.initialized()?;
        let request = Message::request(&self.supervisor.new_id(), "tools/list", &json!({}));
        let response = timeout(LIST_AGAIN, self.supervisor.request(&request)).await;
        let response = response.inspect_err(|_| self.supervisor.suspect()).ok()?.ok()?;
        if let Some(result) = response.result() {
            self.learn(result);
        }
        Some(response)
    }

    /// Calls a tool: `request` is `tools/call`. The response has the id of the request. Errors of the server are responses
    /// within [`CallError`], unchanged.
    ///
    /// A call that was certainly not processed is repeated. Others are repeated only if the tool is known to read or to be
    /// idempotent. Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`CallError`], if the server did not answer with a result, or with one that has `isError`.
    pub async fn call(&self, request: &Message, running: &RunningCall) -> Result<Message, CallError> {
        let id = request.id().unwrap_or("0");
        // The server says what is wrong with a call that names no tool.
        let name = request.read_params::<Called<'_>>().map_or(OTHER.into(), |params| params.name);
        let tool = self.tool(&name);
        let mut attempts = 0_u32;
        let sent = Sent::default();
        let attempt = || {
            attempts += 1;
            let again = (attempts > 1).then(|| request.with_id(&self.supervisor.new_id()));
            let (sent, name) = (&sent, &name);
            async move {
                // No policy can cause a second write.
                if sent.may_have_run() && !self.tool(name).facts().effect.is_repeatable() {
                    let failure = Failure::sent(ErrorKind::Timeout, "the server did not answer in time");
                    return Err(CallError::of(Cause::Failed(failure), self.tool(name).facts()));
                }
                let request = again.as_ref().unwrap_or(request);
                running.attempt(request.id().unwrap_or("0"));
                let cause = match self.supervisor.request_with(request, &sent.now).await {
                    Ok(response) => match Answered::read(response) {
                        Ok(response) => return Ok(response),
                        Err(cause) => cause,
                    },
                    Err(failure) => Cause::Failed(failure),
                };
                if cause.depends_on_effect() {
                    self.list_unless_known(name, request).await;
                }
                let error = CallError::of(cause, self.tool(name).facts());
                sent.end(error.may_have_run());
                Err(error)
            }
        };
        let answer = tool.guard().with().cancelled_by(running.cancelled.clone()).call(attempt).await;
        match answer {
            Ok(response) if response.id() == Some(id) => Ok(response),
            Ok(response) => Ok(response.with_id(id)),
            Err(error) => {
                if matches!(error.as_resilience(), Some(ResilienceError::Timeout { .. })) {
                    self.supervisor.suspect();
                }
                let error = error.about(id, self.tool(&name).facts(), attempts, sent.may_have_run());
                Err(error.of_server(self.supervisor.name()))
            }
        }
    }

    /// Reads the list of tools, if it decides whether this call may be repeated, and no client has read it before.
    async fn list_unless_known(&self, name: &str, call: &Message) {
        if !self.settings.trust_annotations || self.tool(name).facts().is_listed {
            return;
        }
        let list = async {
            let _one = self.listing.lock().await;
            if !self.tool(name).facts().is_listed {
                self.list(call).await;
            }
        };
        // Without the list, the tool may write.
        let _ = timeout(LIST.min(self.settings.timeout / 4), list).await;
    }

    /// Reads the list of tools, with what a request of the protocol without sessions says of its client.
    async fn list(&self, call: &Message) {
        let mut params = json!({});
        if let Some(mut meta) = call.read_params::<CalledWith>().and_then(|params| params.meta) {
            meta.remove("progressToken");
            params["_meta"] = Value::Object(meta);
        }
        for _ in 0..PAGES {
            let request = Message::request(&self.supervisor.new_id(), "tools/list", &params);
            let Ok(response) = self.supervisor.request(&request).await else { return };
            let Some(result) = response.result() else { return };
            self.learn(result);
            let Some(next) = response.read_result::<Page>().and_then(|page| page.next_cursor) else { return };
            params["cursor"] = json!(next);
        }
    }

    fn tool(&self, name: &str) -> Arc<Tool> {
        let mut tools = self.tools();
        if let Some(tool) = tools.get(name) {
            return Arc::clone(tool);
        }
        let fresh = |name| Arc::new(Tool::new(self.supervisor.name(), &self.settings, name, tool::Facts::default()));
        if tools.len() >= TOOLS {
            return Arc::clone(self.other.get_or_init(|| fresh(OTHER)));
        }
        Arc::clone(tools.entry(name.into()).or_insert_with(|| fresh(name)))
    }

    fn tools(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Tool>>> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name under which tools are counted that are not in the list of a server with very many of them.
const OTHER: &str = "other";
