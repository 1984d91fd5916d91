//! What the driver, the links and the callers of a connection share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_runtime::connections::Connection;
use resilient_runtime::{ErrorKind, Registry};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cancel::Outstanding;
use super::pending::{Answered, Pending};
use super::replay::{self, Replay};
use super::state::{Phase, State};
use super::{BoxFuture, ConnectionState, Events, SupervisorSettings};
use crate::failure::Failure;
use crate::link::any::{Link, Target};
use crate::link::{Reason, Receive, Received, SendError};
use crate::message::{Message, MessageKind};

/// What the driver, the links and the callers share.
pub(crate) struct Inner<E: Events> {
    pub(super) name: Arc<str>,
    pub(super) target: Target,
    pub(super) settings: SupervisorSettings,
    pub(super) events: E,
    pub(super) pending: Pending,
    replay: Mutex<Replay>,
    state: Mutex<State<Link<Receiver<E>>>>,
    /// Counts the changes of the state.
    pub(super) changed: watch::Sender<u64>,
    /// Wakes the driver: a request needs a connection.
    pub(super) wanted: Notify,
    pub(super) stop: CancellationToken,
    /// The number of the last own request.
    pub(super) ids: AtomicU64,
    /// Whether the current connection has answered a request.
    pub(super) is_proven: AtomicBool,
    /// Whether the server has sent anything since this was last cleared.
    pub(super) was_heard: AtomicBool,
    pub(super) is_probing: AtomicBool,
    /// What operators see.
    pub(super) shown: Connection,
}

/// Receives what one link receives.
pub(crate) struct Receiver<E: Events> {
    pub(super) inner: std::sync::Weak<Inner<E>>,
    pub(super) generation: u64,
}

impl<E: Events> Receive for Receiver<E> {
    fn receive(&self, event: Received) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(inner) = self.inner.upgrade() else { return };
            match event {
                Received::Message(message) => inner.received(message, self.generation).await,
                Received::Junk { start, bytes } => inner.skip(&start, bytes),
                Received::TooLong { start, end, bytes } => {
                    inner.skip(&start, bytes);
                    inner.pending.fail_too_long(&start, &end, bytes, self.generation);
                }
                Received::Lost(reason) => inner.report_loss(self.generation, reason),
            }
        })
    }
}

impl<E: Events> Inner<E> {
    pub(super) fn new(name: &str, target: Target, settings: SupervisorSettings, events: E) -> Self {
        Self {
            name: name.into(),
            target,
            settings,
            events,
            pending: Pending::default(),
            replay: Mutex::default(),
            state: Mutex::new(State::new()),
            changed: watch::Sender::new(0),
            wanted: Notify::new(),
            stop: CancellationToken::new(),
            ids: AtomicU64::new(0),
            is_proven: AtomicBool::new(false),
            was_heard: AtomicBool::new(false),
            is_probing: AtomicBool::new(false),
            shown: Registry::global().add_connection(name),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<Link<Receiver<E>>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replay(&self) -> MutexGuard<'_, Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those that wait for a change of the state.
    pub(super) fn change(&self) {
        let state = self.state().shown();
        self.events.state_changed(state);
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Returns the connection. Without one, waits for the end of one attempt to connect.
    pub(super) async fn link(&self) -> Result<(u64, Arc<Link<Receiver<E>>>), Failure> {
        let mut changed = self.changed.subscribe();
        let first = self.state().next_attempt();
        loop {
            {
                let mut state = self.state();
                state.wake();
                if let Some(up) = state.up() {
                    return Ok(up);
                }
                if state.has_failed(first) || state.rejects() {
                    return Err(state.failure());
                }
                state.want(first);
            }
            self.wanted.notify_one();
            if changed.changed().await.is_err() {
                return Err(Failure::not_sent(ErrorKind::Unavailable, "the connection is closed"));
            }
        }
    }

    /// Sends a request on a link and waits for its response.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        link: &Arc<Link<Receiver<E>>>,
        generation: u64,
        request: &Message,
    ) -> Result<Answered, SendError> {
        let id = request.id().unwrap_or("null");
        let Some(mut answered) = self.pending.add(id, generation, request.method()) else {
            let message = "a request with the same id is under way";
            return Ok(Err(Failure::not_sent(ErrorKind::InvalidInput, message)));
        };
        let outstanding = Outstanding::new(&self.pending, link, request);
        let mut sent = std::pin::pin!(link.send(request));
        let response = tokio::select! {
            biased;
            response = &mut answered => response,
            result = &mut sent => match result {
                Ok(()) => answered.await,
                // A response that has arrived all the same is the better answer.
                Err(error) => {
                    if let Ok(response) = answered.try_recv() {
                        Ok(response)
                    } else {
                        outstanding.end();
                        return Err(error);
                    }
                }
            },
        };
        outstanding.end();
        Ok(response.unwrap_or_else(|_| Err(Failure::sent(ErrorKind::Cancelled, "the request was cancelled"))))
    }

    /// Runs the handshake of a client, on the connection that is there or with the next one.
    pub(super) async fn handshake_of_client(
        self: &Arc<Self>,
        initialize: &Message,
        held: Option<(u64, Arc<Link<Receiver<E>>>)>,
    ) -> Result<Message, Failure> {
        let (generation, link) = match held {
            Some(held) => held,
            None => self.link().await?,
        };
        // The driver has done it, because the client came before the connection.
        let done = self.replay().initialized_on(generation).cloned();
        if let Some(response) = done {
            self.state().release(generation);
            return Ok(response.with_id(initialize.id().unwrap_or("0")));
        }
        let exchange = self.exchange(&link, generation, initialize);
        let failure = match timeout(self.settings.handshake, exchange).await {
            Ok(Ok(Ok(response))) => {
                if response.result().is_some() {
                    self.replay().answered(initialize, &response, generation);
                } else {
                    self.replay().refused();
                }
                self.state().release(generation);
                self.change();
                self.announce(&link, generation).await;
                return Ok(response);
            }
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(error)) => self.not_delivered(generation, error).await,
            Err(_) => Failure::no_handshake(self.settings.handshake),
        };
        self.lose(generation, &failure);
        Err(failure)
    }

    /// Sends `notifications/initialized`, if the client has, and it was not sent on this connection.
    pub(super) async fn announce(&self, link: &Link<Receiver<E>>, generation: u64) {
        if self.replay().announces(generation) {
            let _ = link.send(&replay::initialized_notification()).await;
        }
    }

    /// Passes on a message of the server.
    async fn received(self: &Arc<Self>, message: Message, generation: u64) {
        self.was_heard.store(true, Ordering::Relaxed);
        if message.kind() == MessageKind::Response {
            if self.pending.answer(message, generation) && !self.is_proven.swap(true, Ordering::Relaxed) {
                self.change();
            }
        } else {
            self.events.message(message, generation).await;
        }
    }

    /// Counts what is not a message.
    fn skip(&self, start: &[u8], bytes: usize) {
        let start = String::from_utf8_lossy(&start[..start.len().min(80)]).into_owned();
        let start = resilient_runtime::redact::text(&start);
        self.shown.junk();
        tracing::warn!(
            event = "server.junk",
            server = &*self.name,
            bytes,
            start,
            "skipped output that is not a message"
        );
    }

    /// Ends a connection that its link reports as lost. Over HTTP, each request has its own exchange, which goes on.
    fn report_loss(&self, generation: u64, reason: String) {
        let failure = Failure::sent(ErrorKind::Connection, reason);
        if self.target.is_remote() {
            self.lose_link(generation, &failure);
        } else {
            self.lose(generation, &failure);
        }
    }

    /// Ends a connection that is lost. Its requests fail, because nothing will answer them.
    pub(super) fn lose(&self, generation: u64, failure: &Failure) {
        let sent = Failure { may_have_run: true, ..failure.clone() };
        self.lose_link(generation, failure);
        self.pending.fail(generation, &sent);
    }

    /// Ends a connection and its process, and reports it. Its requests go on.
    fn lose_link(&self, generation: u64, failure: &Failure) {
        let link = self.state().lose(generation, failure);
        if let Some(link) = link {
            // A send that is under way may hold the link for long.
            link.kill();
            let reason = failure.message.as_str();
            self.shown.down(reason);
            tracing::warn!(event = "server.lost", server = &*self.name, reason, "the connection to the server is lost");
            self.change();
        }
    }

    /// Decides what it means that a request was not delivered.
    pub(super) async fn not_delivered(&self, generation: u64, error: SendError) -> Failure {
        let (reason, is_unprocessed) = (error.reason, error.is_unprocessed);
        let failure = Failure::from(error);
        if reason == Reason::Lost && !self.target.is_remote() {
            // The process exits, and soon says why.
            self.lost_soon(generation).await;
            self.lose(generation, &failure);
            let message = self.state().failure().message;
            return Failure { message, ..failure };
        }
        if reason == Reason::SessionEnded || (reason == Reason::Lost && is_unprocessed) {
            // Each request has its own exchange, so the others go on.
            self.lose_link(generation, &failure);
        }
        failure
    }

    /// Waits until a process that has closed its input is known to be gone.
    async fn lost_soon(&self, generation: u64) {
        let mut changed = self.changed.subscribe();
        let lost = async {
            while self.state().has_link(generation) {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = timeout(EXIT, lost).await;
    }

    /// Returns the id of an own request.
    pub(super) fn own_id(&self) -> String {
        format!("{OWN_ID}{}\"", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns whether this connection is there, for requests or for the handshake of a client.
    pub(super) fn is_open(&self, generation: u64) -> bool {
        let state = self.state();
        state.is(generation, Phase::Up) || state.is(generation, Phase::Held)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().shown() == ConnectionState::Stopped
    }
}

/// How long a process that has closed its input may take to exit.
const EXIT: Duration = Duration::from_millis(500);

/// What the ids of own requests begin with.
const OWN_ID: &str = "\"resilient-own-";
