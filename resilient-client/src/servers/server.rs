//! One server: its connection, its handshake, its list of tools, its calls.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{Classify, ErrorKind, ToolError};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::ServersSettings;
use super::events::ServerEvents;
use super::record::{Change, Record, ServerHealth, ServerState};
use super::tools::{ListedTool, ToolList};
use crate::call::{CallError, CallSettings, Caller, RunningCall};
use crate::config::{ServerEntry, ServerSettings};
use crate::failure::Failure;
use crate::link::any::Target;
use crate::message::Message;
use crate::supervisor::Supervisor;

/// How long a page of the list of tools may take.
const LIST: Duration = Duration::from_secs(30);
/// The time until a list that could not be read is read again.
const AGAIN: Duration = Duration::from_secs(30);
/// The maximum number of pages and of items of a list.
const PAGES: usize = 100;
const ITEMS: usize = 10_000;

pub(super) struct Server {
    name: Arc<str>,
    record: Arc<Record>,
    tools: Arc<ToolList>,
    /// `Err` if the settings are wrong.
    caller: Result<Caller<ServerEvents>, Failure>,
}

impl Server {
    /// Starts a server, if its settings are right.
    pub(super) fn start(entry: ServerEntry, settings: &ServersSettings, stop: &CancellationToken) -> Arc<Self> {
        let with_target = |server: ServerSettings| Ok((Target::try_from(&server.transport)?, server));
        // Each problem has its own line.
        let wrong = |error: String| Failure::not_sent(ErrorKind::Disabled, error.replace('\n', "; "));
        let target = entry.server.map_err(|error| wrong(error.to_string())).and_then(with_target);
        let prefix = format!("{}__", entry.name);
        let started = target.map(|(target, server)| {
            let timeout = server.timeout.unwrap_or(settings.timeout);
            (target, CallSettings { prefix, timeout, trust_annotations: server.trust_annotations })
        });
        Self::run(&entry.name, started, settings, stop)
    }

    /// Starts a server with these settings of its calls, and the task that keeps its list of tools.
    pub(super) fn run(
        name: &str,
        target: Result<(Target, CallSettings), Failure>,
        settings: &ServersSettings,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let (record, tools) = (Arc::new(Record::new()), Arc::new(ToolList::default()));
        let caller =
            target.map_err(|failure| Failure { kind: ErrorKind::Disabled, ..failure }).map(|(target, calls)| {
                let events = ServerEvents::new(&record, &tools);
                Caller::new(Supervisor::start(name, target, settings.supervisor.clone(), events), calls)
            });
        if let Err(failure) = &caller {
            tracing::error!(event = "config.error", server = name, error = failure.message.as_str());
            record.change(Change::unusable(&failure.message));
        }
        let server = Arc::new(Self { name: name.into(), record, tools, caller });
        if let Ok(caller) = &server.caller {
            caller.supervisor().events().attach(&server);
            let (kept, stop) = (Arc::clone(&server), stop.clone());
            let client = json!({ "name": settings.client_name, "version": settings.client_version });
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = kept.keep_listed(client) => {}
                }
            });
        }
        server
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn supervisor(&self) -> Option<&Supervisor<ServerEvents>> {
        self.caller.as_ref().ok().map(Caller::supervisor)
    }

    pub(super) fn tools(&self) -> Arc<[ListedTool]> {
        self.tools.tools()
    }

    pub(super) fn has_tool(&self, name: &str) -> bool {
        self.tools.tools().iter().any(|tool| tool.name() == name)
    }

    /// Returns whether the server has listed its tools at least once.
    pub(super) fn is_listed(&self) -> bool {
        self.tools.is_known()
    }

    pub(super) fn health(&self) -> ServerHealth {
        self.record.health(&self.name, self.tools.tools().len())
    }

    /// Waits until the server has listed its tools or cannot be reached.
    pub(super) async fn settled(&self) {
        let mut changed = self.record.subscribe();
        while !self.tools.is_settled() && matches!(self.record.state(), ServerState::Connecting | ServerState::Up) {
            // The sender is in `self`.
            let _ = changed.changed().await;
        }
    }

    /// Calls a tool.
    pub(super) async fn call(&self, tool: &str, arguments: &Map<String, Value>) -> Result<Message, CallError> {
        self.record.call();
        let called = match &self.caller {
            Ok(caller) => {
                let params = json!({ "name": tool, "arguments": arguments });
                let request = Message::request(&caller.supervisor().new_id(), "tools/call", &params);
                caller.call(&request, &RunningCall::default()).await
            }
            Err(failure) => Err(CallError::not_sent(failure.clone()).of_server(&self.name)),
        };
        called.inspect_err(|error| {
            let is_own = error.response().is_some_and(|response| response.result().is_some());
            if !is_own && error.kind() != ErrorKind::Cancelled {
                self.record.failure(tool, &error.public_message());
            }
        })
    }

    /// Connects, and reads the list of tools whenever it may have changed.
    async fn keep_listed(&self, client: Value) {
        let Ok(caller) = &self.caller else { return };
        let supervisor = caller.supervisor();
        let params = json!({ "protocolVersion": VERSION, "capabilities": {}, "clientInfo": client });
        let initialize = Message::request(&supervisor.new_id(), "initialize", &params);
        let answer = supervisor.initialize(&initialize).await;
        if let Some(error) = answer.as_ref().ok().and_then(Message::error) {
            self.record.error(&format!("the server refused the handshake: {error}"));
        }
        // A server that cannot be reached gets both with a later connection, which outdates the list.
        let _ = supervisor.notify(&Message::notification("notifications/initialized", &json!({}))).await;
        if answer.is_err() && self.record.state() != ServerState::Up {
            self.tools.outdated().await;
        }
        loop {
            let read = self.read_tools(caller).await;
            let has_failed = read.is_err();
            if let Err(why) = &read {
                self.record.error(&format!("the tools could not be listed: {why}"));
            }
            self.tools.set(read.ok());
            self.record.notify();
            tokio::select! {
                () = self.tools.outdated() => {}
                () = tokio::time::sleep(AGAIN), if has_failed => {}
            }
        }
    }

    /// Reads all pages of the list of tools.
    async fn read_tools(&self, caller: &Caller<ServerEvents>) -> Result<Vec<ListedTool>, String> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..PAGES {
            let request = Message::request(&caller.supervisor().new_id(), "tools/list", &params);
            let answer = timeout(LIST, caller.supervisor().request(&request)).await;
            let answer = answer.map_err(|_| format!("no answer within {} s", LIST.as_secs()))?;
            let response = answer.map_err(|failure| failure.message)?;
            let Some(result) = response.result() else {
                let error: Value = response.error().and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
                // A server without tools need not know the method.
                if error["code"] == -32_601 {
                    break;
                }
                return Err(error["message"].as_str().unwrap_or("an error without a message").to_owned());
            };
            caller.learn(result);
            let mut result: Value = serde_json::from_str(result).map_err(|_| "the list cannot be read")?;
            let Value::Array(page) = result["tools"].take() else { return Err("the list has no tools".into()) };
            tools.extend(page.into_iter().filter_map(|tool| ListedTool::read(&self.name, tool)));
            match result["nextCursor"].take() {
                Value::String(cursor) if tools.len() < ITEMS => params = json!({ "cursor": cursor }),
                _ => break,
            }
        }
        tools.truncate(ITEMS);
        Ok(tools)
    }
}

/// The protocol version of the handshake.
const VERSION: &str = "2025-11-25";
