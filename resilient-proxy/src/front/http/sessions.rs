//! The sessions of clients, and when they end.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::front::http::outbox::Outbox;
use crate::service::{Service, Session};

/// The number of sessions.
pub(super) const MOST_SESSIONS: usize = 1_000;
/// The time without a request and without a stream after which a session ends.
pub(super) const LONGEST_IDLE: Duration = Duration::from_secs(30 * 60);
/// The time without a request after which a session ends if a new one needs its place.
pub(super) const EVICTABLE_IDLE: Duration = Duration::from_secs(5 * 60);
/// The time that the servers have to end all sessions.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// The id of a session: 128 random bits, so that no client can guess that of another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId(u128);

impl SessionId {
    fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(u128::from_le_bytes(bytes)))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for SessionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_id { u128::from_str_radix(text, 16).map(Self).map_err(drop) } else { Err(()) }
    }
}

/// The session of one client.
pub(super) struct ClientSession {
    pub(super) id: SessionId,
    pub(super) session: Arc<dyn Session>,
    pub(super) outbox: Arc<Outbox>,
    /// Cancelled when the session ends. Then its requests are cancelled.
    pub(super) ended: CancellationToken,
}

/// Why there is no new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSession {
    /// There are too many, and all are in use.
    Full,
    /// The system has no random numbers.
    NoRandomness,
}

/// All sessions.
pub(super) struct Sessions {
    by_id: Mutex<HashMap<SessionId, Arc<ClientSession>>>,
    /// Cancelled when the front ends.
    ending: CancellationToken,
}

impl Sessions {
    pub(super) fn new(ending: CancellationToken) -> Self {
        Self { by_id: Mutex::default(), ending }
    }

    /// Opens a session. If there are too many, the one that was idle for the longest time ends, one without a stream
    /// first, if it has no request in flight and was idle for [`EVICTABLE_IDLE`].
    pub(super) fn open(&self, service: &dyn Service) -> Result<Arc<ClientSession>, NoSession> {
        let id = SessionId::random().ok_or(NoSession::NoRandomness)?;
        let mut by_id = self.lock();
        if by_id.len() >= MOST_SESSIONS {
            let now = Instant::now();
            let evictable = by_id.values().filter_map(|session| {
                let usage = session.outbox.usage();
                let is_evictable = !usage.has_requests && now.duration_since(usage.since) >= EVICTABLE_IDLE;
                is_evictable.then_some(((usage.has_listener, usage.since), session.id))
            });
            let (_, longest_idle) = evictable.min_by_key(|(order, _)| *order).ok_or(NoSession::Full)?;
            if let Some(session) = by_id.remove(&longest_idle) {
                tracing::warn!(event = "http.session_evicted", sessions = MOST_SESSIONS);
                drop(session.end());
            }
        }
        let outbox = Outbox::new();
        let session = service.open(Arc::clone(&outbox) as _);
        let session = Arc::new(ClientSession { id, session, outbox, ended: self.ending.child_token() });
        by_id.insert(id, Arc::clone(&session));
        Ok(session)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Arc<ClientSession>> {
        self.lock().get(&id).cloned()
    }

    /// Ends a session, and returns the task that does it.
    pub(super) fn end(&self, id: SessionId) -> Option<JoinHandle<()>> {
        let session = self.lock().remove(&id)?;
        Some(session.end())
    }

    /// Ends the sessions that were idle for too long.
    pub(super) fn end_idle(&self) {
        let now = Instant::now();
        self.lock().retain(|_, session| {
            let usage = session.outbox.usage();
            let is_used = usage.has_requests || usage.has_listener || now.duration_since(usage.since) < LONGEST_IDLE;
            if !is_used {
                drop(session.end());
            }
            is_used
        });
    }

    /// Ends all sessions.
    pub(super) async fn end_all(&self) {
        let sessions: Vec<_> = self.lock().drain().map(|(_, session)| session.end()).collect();
        if timeout(LONGEST_CLOSE, join_all(sessions)).await.is_err() {
            tracing::warn!(event = "http.sessions_not_closed", "sessions did not end in time");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<ClientSession>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSession {
    /// Ends the session in a task, so that it also ends if the caller does not wait.
    fn end(&self) -> JoinHandle<()> {
        self.outbox.close();
        self.ended.cancel();
        let session = Arc::clone(&self.session);
        tokio::spawn(async move { session.close().await })
    }
}
