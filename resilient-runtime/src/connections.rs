//! Connections to other servers, as an operator sees them: what a client or a proxy reports of each.
//!
//! ```
//! use std::sync::Arc;
//! use resilient_runtime::Registry;
//! use resilient_runtime::connections::ConnectionState;
//!
//! let registry = Arc::new(Registry::new());
//! let files = registry.add_connection("files");
//! files.up();
//! files.down("the process has ended");
//! files.connecting();
//! let read = &registry.connections()[0];
//! assert_eq!((read.state, read.restarts), (ConnectionState::Connecting, 1));
//! assert_eq!(read.errors[0].text, "the process has ended");
//! drop(files);
//! assert!(registry.connections().is_empty());
//! ```
//!
//! Metrics, `/readyz`, the health check `connections` and `/status` show each connection while its [`Connection`]
//! exists. Without one, they are as if this module did not exist.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::clock::unix_millis;
use crate::redact;

/// The number of errors that are kept for each connection.
const MOST_ERRORS: usize = 10;
/// The maximum number of characters of an error.
const LONGEST_ERROR: usize = 300;

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ConnectionState {
    /// An attempt to connect is in progress, as at the start.
    Connecting,
    /// The server answers.
    Up,
    /// The connection is lost, or could not be made.
    Down,
}

impl ConnectionState {
    /// Returns the word used on the status page and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A connection to another server. Its owner reports what happens to it; dropping it removes the connection from
/// everything that shows it. Created by [`Registry::add_connection`](crate::Registry::add_connection).
#[must_use = "the connection is removed when this is dropped"]
pub struct Connection {
    all: Connections,
    known: Arc<Known>,
}

impl Connection {
    /// Returns the name of the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.known.name
    }

    /// Reports that the server answers.
    pub fn up(&self) {
        self.known.lock().change(ConnectionState::Up);
    }

    /// Reports that an attempt to connect begins. Each one after the first is a restart.
    pub fn connecting(&self) {
        let mut history = self.known.lock();
        history.change(ConnectionState::Connecting);
        if history.has_tried || history.was_up {
            self.known.restarts.fetch_add(1, Ordering::Relaxed);
        }
        history.has_tried = true;
    }

    /// Reports that the connection is lost or could not be made, and why. The text is shown to operators with its
    /// secrets masked, and cut after 300 characters. The last 10 are kept.
    pub fn down(&self, reason: &str) {
        let text = shortened(redact::fit(reason));
        let mut history = self.known.lock();
        history.change(ConnectionState::Down);
        history.errors.truncate(MOST_ERRORS - 1);
        history.errors.push_front(ConnectionError { at: SystemTime::now(), text });
    }

    /// Counts a line or a message of the server that is none of the protocol.
    pub fn junk(&self) {
        self.known.junk_lines.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("name", &self.known.name).finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        // A later connection of the same name may have taken its place.
        if all.get(&self.known.name).is_some_and(|known| Arc::ptr_eq(known, &self.known)) {
            all.remove(&self.known.name);
        }
    }
}

/// A connection, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionSnapshot {
    /// The name of the server.
    pub server: String,
    /// The state.
    pub state: ConnectionState,
    /// Since when it has this state, by the wall clock.
    #[serde(rename = "since_unix_ms", serialize_with = "moment")]
    pub since: SystemTime,
    /// The number of attempts to connect after the first one.
    pub restarts: u64,
    /// The number of lines or messages that were none of the protocol.
    pub junk_lines: u64,
    /// The last errors, newest first, at most 10.
    pub errors: Vec<ConnectionError>,
}

/// Why a connection was lost or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionError {
    /// When it happened, by the wall clock.
    #[serde(rename = "at_unix_ms", serialize_with = "moment")]
    pub at: SystemTime,
    /// The reason, with its secrets masked, at most 300 characters.
    pub text: String,
}

/// The connections of a registry, by the names of their servers.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<BTreeMap<Arc<str>, Arc<Known>>>>);

impl Connections {
    /// Adds a connection, in place of one of the same name.
    pub(crate) fn add(&self, name: &str) -> Connection {
        let history = History {
            state: ConnectionState::Connecting,
            since: SystemTime::now(),
            has_tried: false,
            was_up: false,
            errors: VecDeque::new(),
        };
        let known = Arc::new(Known {
            name: name.into(),
            restarts: AtomicU64::new(0),
            junk_lines: AtomicU64::new(0),
            history: Mutex::new(history),
        });
        self.lock().insert(Arc::clone(&known.name), Arc::clone(&known));
        Connection { all: self.clone(), known }
    }

    pub(crate) fn read(&self) -> Vec<ConnectionSnapshot> {
        let all: Vec<_> = self.lock().values().cloned().collect();
        all.iter().map(|known| known.read()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a connection.
struct Known {
    name: Arc<str>,
    restarts: AtomicU64,
    junk_lines: AtomicU64,
    history: Mutex<History>,
}

struct History {
    state: ConnectionState,
    since: SystemTime,
    has_tried: bool,
    was_up: bool,
    /// Newest first.
    errors: VecDeque<ConnectionError>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> ConnectionSnapshot {
        let history = self.lock();
        ConnectionSnapshot {
            server: self.name.as_ref().into(),
            state: history.state,
            since: history.since,
            restarts: self.restarts.load(Ordering::Relaxed),
            junk_lines: self.junk_lines.load(Ordering::Relaxed),
            errors: history.errors.iter().cloned().collect(),
        }
    }
}

impl History {
    fn change(&mut self, state: ConnectionState) {
        if self.state != state {
            self.state = state;
            self.since = SystemTime::now();
        }
        self.was_up |= state == ConnectionState::Up;
    }
}

/// Cuts a text that has more than 300 characters.
fn shortened(mut text: String) -> String {
    if text.chars().count() > LONGEST_ERROR
        && let Some((end, _)) = text.char_indices().nth(LONGEST_ERROR - 1)
    {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn moment<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(unix_millis(*moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_after_the_first_is_a_restart() {
        let all = Connections::default();
        let files = all.add("files");
        let restarts = || all.read()[0].restarts;
        files.connecting();
        assert_eq!(restarts(), 0);
        files.down("refused");
        files.connecting();
        files.connecting();
        assert_eq!((restarts(), all.read()[0].state), (2, ConnectionState::Connecting));
        let other = all.add("a");
        other.up();
        other.connecting();
        assert_eq!(restarts(), 1);
    }

    #[test]
    fn the_last_ten_errors_are_kept_masked_and_short() {
        let all = Connections::default();
        let files = all.add("files");
        for n in 0..12 {
            files.down(&format!("password=hunter2 {n}"));
        }
        files.down(&"é".repeat(301));
        let errors = &all.read()[0].errors;
        assert_eq!(errors.len(), 10);
        assert_eq!(errors[0].text, format!("{}…", "é".repeat(299)));
        assert!(errors[1].text.ends_with("11") && !errors.iter().any(|error| error.text.contains("hunter2")));
    }

    #[test]
    fn a_dropped_connection_is_gone_unless_another_one_has_its_name() {
        let all = Connections::default();
        let first = all.add("files");
        let second = all.add("files");
        second.junk();
        drop(first);
        assert_eq!(all.read().iter().map(|read| read.junk_lines).collect::<Vec<_>>(), [1]);
        drop(second);
        assert_eq!(all.read(), []);
    }
}
