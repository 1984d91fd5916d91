//! What happened to one server: its state, its calls, its last errors.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use resilient_runtime::redact;
use tokio::sync::watch;

use crate::supervisor::ConnectionState;

/// The number of errors that are kept for each server.
const ERRORS: usize = 10;
/// The maximum number of characters of an error.
const LONGEST: usize = 500;

/// The state of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerState {
    /// An attempt to connect is running.
    Connecting,
    /// The server is connected.
    Up,
    /// The server is not connected. The next attempt follows after a delay, or with the next call.
    Down,
    /// Calls are rejected at once, because several connections in a row answered nothing.
    Rejecting,
    /// The servers were stopped.
    Stopped,
    /// The settings of the server are wrong, so that it was not started.
    Unusable,
}

impl ServerState {
    /// Returns the state in one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
            Self::Rejecting => "rejecting",
            Self::Stopped => "stopped",
            Self::Unusable => "unusable",
        }
    }
}

/// An error of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// When it happened, by the wall clock.
    pub at: SystemTime,
    /// The tool whose call has failed. `None` for an error of the connection or of the settings.
    pub tool: Option<String>,
    /// What happened, with its secrets masked.
    pub text: String,
}

/// The health of one server, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerHealth {
    /// The name of the server.
    pub server: String,
    /// The state.
    pub state: ServerState,
    /// Since when it has this state, by the wall clock.
    pub since: SystemTime,
    /// Why the server cannot be used now, with secrets masked.
    pub reason: Option<String>,
    /// The number of tools that it has listed.
    pub tools: usize,
    /// The number of calls.
    pub calls: u64,
    /// The number of calls without a result. A result with `isError` is none of them.
    pub failures: u64,
    /// The last errors, newest first, at most 10.
    pub errors: Vec<ServerError>,
}

/// A state, and why it is not [`ServerState::Up`].
pub(super) struct Change {
    state: ServerState,
    reason: Option<String>,
}

impl Change {
    pub(super) fn unusable(reason: &str) -> Self {
        Self { state: ServerState::Unusable, reason: Some(reason.to_owned()) }
    }
}

impl From<ConnectionState> for Change {
    fn from(state: ConnectionState) -> Self {
        let (state, reason) = match state {
            ConnectionState::Connecting => (ServerState::Connecting, None),
            ConnectionState::Up => (ServerState::Up, None),
            ConnectionState::Down(failure) => (ServerState::Down, Some(failure.message)),
            ConnectionState::Rejecting(failure) => (ServerState::Rejecting, Some(failure.message)),
            ConnectionState::Stopped => (ServerState::Stopped, None),
        };
        Self { state, reason }
    }
}

pub(super) struct Record {
    history: Mutex<History>,
    /// Counts the changes of the state and of the list of tools.
    changed: watch::Sender<u64>,
}

struct History {
    state: ServerState,
    since: SystemTime,
    reason: Option<String>,
    calls: u64,
    failures: u64,
    errors: VecDeque<ServerError>,
}

impl Record {
    pub(super) fn new() -> Self {
        let history = History {
            state: ServerState::Connecting,
            since: SystemTime::now(),
            reason: None,
            calls: 0,
            failures: 0,
            errors: VecDeque::new(),
        };
        Self { history: Mutex::new(history), changed: watch::Sender::new(0) }
    }

    pub(super) fn state(&self) -> ServerState {
        self.lock().state
    }

    /// Takes a state over. A loss of the connection is an error.
    pub(super) fn change(&self, to: Change) {
        let mut history = self.lock();
        if history.state != to.state {
            history.state = to.state;
            history.since = SystemTime::now();
            if let Some(reason) = &to.reason {
                history.add(None, reason);
            }
        }
        history.reason = to.reason.map(|reason| fitted(&reason));
        drop(history);
        self.notify();
    }

    /// Counts a call.
    pub(super) fn call(&self) {
        self.lock().calls += 1;
    }

    /// Counts a call that has failed.
    pub(super) fn failure(&self, tool: &str, text: &str) {
        let mut history = self.lock();
        history.failures += 1;
        history.add(Some(tool.to_owned()), text);
    }

    /// Adds an error that is none of a call.
    pub(super) fn error(&self, text: &str) {
        self.lock().add(None, text);
    }

    /// Wakes those that wait for a change.
    pub(super) fn notify(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn health(&self, server: &str, tools: usize) -> ServerHealth {
        let history = self.lock();
        ServerHealth {
            server: server.to_owned(),
            state: history.state,
            since: history.since,
            reason: history.reason.clone(),
            tools,
            calls: history.calls,
            failures: history.failures,
            errors: history.errors.iter().cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    fn add(&mut self, tool: Option<String>, text: &str) {
        self.errors.truncate(ERRORS - 1);
        self.errors.push_front(ServerError { at: SystemTime::now(), tool, text: fitted(text) });
    }
}

/// Masks secrets, and cuts what is too long.
fn fitted(text: &str) -> String {
    let masked = redact::text(text);
    match masked.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked,
    }
}
