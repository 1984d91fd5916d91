//! Guarded calls of a server's tools: deadlines, breakers, and retries where they are safe.

mod answer;
mod error;
mod tool;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_policy::Effect;
use resilient_runtime::{ErrorKind, ResilienceError, ToolError};
use serde::Deserialize;
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
}

/// A running call, for the one who may cancel it.
#[derive(Debug, Default)]
pub struct RunningCall {
    cancelled: CancellationToken,
    /// The id of the current attempt, as JSON.
    id: Mutex<String>,
}

impl RunningCall {
    /// Ends the call: it fails with [`ErrorKind::Cancelled`], and the server is told.
    pub fn cancel(&self) {
        self.cancelled.cancel();
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

#[derive(Deserialize)]
struct Called<'m> {
    #[serde(borrow)]
    name: std::borrow::Cow<'m, str>,
}

impl<E: Events> Caller<E> {
    /// Creates a caller. It knows no tool before [`learn`](Self::learn).
    #[must_use]
    pub fn new(supervisor: Supervisor<E>, settings: CallSettings) -> Self {
        Self { supervisor, settings, tools: Mutex::default() }
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
        let Some(Called { name }) = request.read_params() else {
            let failure = Failure::not_sent(ErrorKind::InvalidInput, "the call names no tool");
            return Err(CallError::new(Cause::Failed(failure), Effect::ReadOnly));
        };
        let tool = self.tool(&name);
        let mut attempts = 0_u32;
        let was_sent = AtomicBool::new(false);
        let attempt = || {
            attempts += 1;
            let again = (attempts > 1).then(|| request.with_id(&self.supervisor.new_id()));
            let (tool, was_sent) = (&tool, &was_sent);
            async move {
                let request = again.as_ref().unwrap_or(request);
                running.attempt(request.id().unwrap_or("0"));
                match self.supervisor.request_with(request, was_sent).await {
                    Ok(response) => Answered::read(response).map_err(|cause| CallError::of(cause, tool.facts())),
                    Err(failure) => Err(CallError::of(Cause::Failed(failure), tool.facts())),
                }
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
                let error = error.about(id, tool.facts(), attempts, was_sent.load(Ordering::Relaxed));
                Err(error.of_server(self.supervisor.name()))
            }
        }
    }

    fn tool(&self, name: &str) -> Arc<Tool> {
        let mut tools = self.tools();
        if let Some(tool) = tools.get(name) {
            return Arc::clone(tool);
        }
        let is_full = tools.len() >= TOOLS;
        let name = if is_full { OTHER } else { name };
        let fresh = || Arc::new(Tool::new(self.supervisor.name(), &self.settings, name, tool::Facts::default()));
        Arc::clone(tools.entry(name.into()).or_insert_with(fresh))
    }

    fn tools(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Tool>>> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name under which tools are counted that are not in the list of a server with very many of them.
const OTHER: &str = "other";
