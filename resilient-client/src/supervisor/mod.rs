//! Supervised connections: a server process that is started again, a session that is opened again.

mod attempt;
mod backoff;
mod cancel;
mod driver;
mod pending;
mod replay;
mod state;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_runtime::connections::Connection;
use resilient_runtime::{ErrorKind, Registry};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::link::any::{Link, Target};
use crate::link::{Reason, Receive, Received, SendError};
use crate::message::{Message, MessageKind};
use cancel::Outstanding;
use pending::{Answered, Pending};
use replay::Replay;
pub use state::ConnectionState;
use state::{Phase, State};

/// A future of a trait's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a connection is supervised.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SupervisorSettings {
    /// How long a server may take to answer `initialize`. Default 60 s, because `npx` and `uvx` may install the server.
    pub handshake: Duration,
    /// How long a server process may stay silent after a call has timed out, before it is replaced. Default 10 s.
    pub silence: Duration,
}

impl Default for SupervisorSettings {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(60), silence: Duration::from_secs(10) }
    }
}

/// Receives what a server sends by itself, and the changes of its connection.
pub trait Events: Send + Sync + 'static {
    /// Takes a notification or a request of the server. `connection` is the number of the connection that it came on, which
    /// [`Supervisor::respond`] needs. The connection waits for the future.
    fn message(&self, message: Message, connection: u64) -> BoxFuture<'_, ()>;

    /// Is called when a connection has replaced another one, or answers after its client was answered without it. The
    /// lists of tools, prompts and resources may have changed.
    fn reconnected(&self) {}
}

/// A connection to a server that comes back.
///
/// It starts at once. A process that exits is started again, a session that ends is opened again: after 1 s at first, 30 s
/// at most, and at once when a request comes. The handshake, the log level and the subscriptions of the client are repeated
/// then. A breaker named `NAME.connection` rejects requests after five connections in a row that answered nothing.
///
/// Dropping all clones kills the process. [`stop`](Self::stop) ends it in order.
pub struct Supervisor<E: Events>(Arc<Handle<E>>);

impl<E: Events> Clone for Supervisor<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Stops the driver when the last clone is dropped.
struct Handle<E: Events>(Arc<Inner<E>>);

impl<E: Events> Drop for Handle<E> {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}

/// What the driver, the links and the callers share.
pub(crate) struct Inner<E: Events> {
    name: Arc<str>,
    target: Target,
    settings: SupervisorSettings,
    events: E,
    pending: Pending,
    replay: Mutex<Replay>,
    state: Mutex<State<E>>,
    /// Counts the changes of the state.
    changed: watch::Sender<u64>,
    /// Wakes the driver: a request needs a connection.
    wanted: Notify,
    stop: CancellationToken,
    /// The number of the last own request.
    ids: AtomicU64,
    /// Whether the current connection has answered a request.
    is_proven: AtomicBool,
    /// Whether the server has sent anything since this was last cleared.
    was_heard: AtomicBool,
    is_probing: AtomicBool,
    /// What operators see.
    shown: Connection,
}

/// Receives what one link receives.
pub(crate) struct Receiver<E: Events> {
    inner: std::sync::Weak<Inner<E>>,
    generation: u64,
}

impl<E: Events> Receive for Receiver<E> {
    fn receive(&self, event: Received) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(inner) = self.inner.upgrade() else { return };
            match event {
                Received::Message(message) => inner.received(message, self.generation).await,
                Received::Junk { start, bytes } => inner.skip(&start, bytes),
                Received::Lost(reason) => inner.lose(self.generation, &Failure::sent(ErrorKind::Connection, reason)),
            }
        })
    }
}

impl<E: Events> Supervisor<E> {
    /// Starts to connect. Has to be called in a Tokio runtime.
    pub fn start(name: &str, target: impl Into<Target>, settings: SupervisorSettings, events: E) -> Self {
        let inner = Arc::new(Inner {
            name: name.into(),
            target: target.into(),
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
        });
        driver::spawn(&inner);
        Self(Arc::new(Handle(inner)))
    }

    /// Returns the name of the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner().name
    }

    /// Returns what was passed to [`start`](Self::start) to receive events.
    #[must_use]
    pub fn events(&self) -> &E {
        &self.inner().events
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.inner().state().shown()
    }

    /// Waits until the state of the connection changes.
    pub async fn changed(&self) {
        let mut changed = self.inner().changed.subscribe();
        // The sender is in `self`.
        let _ = changed.changed().await;
    }

    /// Returns the response to the last handshake, if there was one.
    #[must_use]
    pub fn initialized(&self) -> Option<Message> {
        self.inner().replay().initialized().cloned()
    }

    /// Sends a request and waits for its response. Without a connection, it waits for one attempt to connect, which it
    /// starts at once. It has no timeout. Dropping the future tells the server that the request is cancelled.
    ///
    /// The id has to differ from those of all requests that wait. It must not begin with `"resilient-`.
    ///
    /// # Errors
    /// [`Failure`], which says whether the server may have acted on the request. An error of the server is a response.
    pub async fn request(&self, request: &Message) -> Result<Message, Failure> {
        let inner = self.inner();
        let mut sessions = 0;
        loop {
            let (generation, link) = inner.link().await?;
            let error = match inner.exchange(&link, generation, request).await {
                Ok(Ok(response)) => {
                    if response.result().is_some() {
                        inner.replay().answered(request, &response, generation);
                    }
                    return Ok(response);
                }
                Ok(Err(failure)) => return Err(failure),
                Err(error) => error,
            };
            let reason = error.reason;
            let failure = Failure::from(error);
            if matches!(reason, Reason::SessionEnded | Reason::Lost) {
                inner.lose(generation, &failure);
            }
            // The server has not processed the request, so that a new session may get it.
            if reason != Reason::SessionEnded || sessions == 1 {
                return Err(failure);
            }
            sessions += 1;
        }
    }

    /// Sends `initialize` and waits for the response, also that of a connection that a later attempt makes. The handshake
    /// is repeated on every new connection. Dropping the future does not end the handshake.
    ///
    /// # Errors
    /// [`Failure`], if the server cannot be reached or does not answer within [`SupervisorSettings::handshake`]. The
    /// supervisor goes on trying.
    pub async fn initialize(&self, initialize: &Message) -> Result<Message, Failure> {
        let inner = Arc::clone(self.inner());
        inner.replay().begin(initialize);
        let initialize = initialize.clone();
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let response = inner.handshake_of_client(&initialize).await;
            let is_success = response.is_ok();
            // A client that was answered without the server.
            if answer.send(response).is_err() && is_success {
                inner.events.reconnected();
            }
        });
        answered.await.unwrap_or_else(|_| Err(Failure::not_sent(ErrorKind::Internal, "the handshake ended early")))
    }

    /// Sends a notification, if there is a connection. `notifications/initialized` is also repeated on new connections.
    ///
    /// # Errors
    /// [`Failure`], if it was not sent.
    pub async fn notify(&self, notification: &Message) -> Result<(), Failure> {
        let inner = self.inner();
        let up = inner.state().up();
        if notification.method() == Some("notifications/initialized") {
            let generation = up.as_ref().map(|(generation, _)| *generation);
            if !inner.replay().client_is_ready(generation) {
                return Ok(());
            }
        }
        let (_, link) = up.ok_or_else(|| inner.state().failure())?;
        link.send(notification).await.map_err(Failure::from)
    }

    /// Sends the response to a request of the server, if the connection that the request came on is still there.
    pub async fn respond(&self, response: &Message, connection: u64) {
        let up = self.inner().state().up();
        if let Some((_, link)) = up.filter(|(generation, _)| *generation == connection) {
            // If the connection is lost, so is the request.
            let _ = link.send(response).await;
        }
    }

    /// Drops the request with this id: its caller cancels it with a notification that [`notify`](Self::notify) sends.
    /// [`request`](Self::request) fails.
    pub fn forget(&self, id: &str) {
        self.inner().pending.remove(id);
    }

    /// Returns an id, as JSON, that no other request has: for a request that is sent again.
    #[must_use]
    pub fn new_id(&self) -> String {
        format!("\"resilient-again-{}\"", self.inner().ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Checks whether the server still responds, after a call has timed out. A server process that sends nothing for
    /// [`SupervisorSettings::silence`] while it has no other request is replaced.
    pub fn suspect(&self) {
        attempt::probe(self.inner());
    }

    /// Ends the connection: requests that wait fail, and the process ends within about two seconds, or is killed.
    pub async fn stop(&self) {
        let inner = self.inner();
        inner.stop.cancel();
        let failure = Failure::sent(ErrorKind::Unavailable, "the connection is being closed");
        let link = inner.state().stop();
        inner.change();
        if let Some((generation, link)) = link {
            inner.pending.fail(generation, &failure);
            link.close().await;
        }
    }

    fn inner(&self) -> &Arc<Inner<E>> {
        &self.0.0
    }
}

impl<E: Events> Inner<E> {
    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replay(&self) -> MutexGuard<'_, Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those that wait for a change of the state.
    fn change(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Returns the connection. Without one, waits for the end of one attempt to connect.
    async fn link(&self) -> Result<(u64, Arc<Link<Receiver<E>>>), Failure> {
        let mut changed = self.changed.subscribe();
        let first = self.state().attempts();
        loop {
            {
                let state = self.state();
                if let Some(up) = state.up() {
                    return Ok(up);
                }
                if state.attempts() > first || state.rejects() {
                    return Err(state.failure());
                }
            }
            self.wanted.notify_one();
            if changed.changed().await.is_err() {
                return Err(Failure::not_sent(ErrorKind::Unavailable, "the connection is closed"));
            }
        }
    }

    /// Sends a request on a link and waits for its response.
    async fn exchange(
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
        let outstanding = Outstanding::new(self, link, request);
        let mut sent = std::pin::pin!(link.send(request));
        let response = tokio::select! {
            biased;
            response = &mut answered => response,
            result = &mut sent => match result {
                Ok(()) => answered.await,
                // A response that has arrived all the same is the better answer.
                Err(error) => match answered.try_recv() {
                    Ok(response) => Ok(response),
                    Err(_) => {
                        outstanding.end();
                        return Err(error);
                    }
                },
            },
        };
        outstanding.end();
        Ok(response.unwrap_or_else(|_| Err(Failure::sent(ErrorKind::Cancelled, "the request was cancelled"))))
    }

    /// Runs the handshake of a client, on the connection that is there or with the next one.
    async fn handshake_of_client(self: &Arc<Self>, initialize: &Message) -> Result<Message, Failure> {
        let (generation, link) = self.link().await?;
        // The driver has done it, because the client came before the connection.
        let done = self.replay().initialized_on(generation).cloned();
        if let Some(response) = done {
            return Ok(response.with_id(initialize.id().unwrap_or("0")));
        }
        let holding = self.state().hold(generation);
        let exchange = self.exchange(&link, generation, initialize);
        let failure = match timeout(self.settings.handshake, exchange).await {
            Ok(Ok(Ok(response))) => {
                if response.result().is_some() {
                    self.replay().answered(initialize, &response, generation);
                }
                if holding {
                    self.state().release(generation);
                    self.change();
                }
                self.announce(&link, generation).await;
                return Ok(response);
            }
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(error)) => error.into(),
            Err(_) => attempt::no_handshake(self.settings.handshake),
        };
        self.lose(generation, &failure);
        Err(failure)
    }

    /// Sends `notifications/initialized`, if the client has, and it was not sent on this connection.
    async fn announce(&self, link: &Link<Receiver<E>>, generation: u64) {
        if self.replay().announces(generation) {
            let _ = link.send(&replay::initialized_notification()).await;
        }
    }

    /// Passes on a message of the server.
    async fn received(self: &Arc<Self>, message: Message, generation: u64) {
        self.was_heard.store(true, Ordering::Relaxed);
        if message.kind() == MessageKind::Response {
            let is_own = message.id().is_some_and(|id| id.starts_with(OWN_ID));
            if self.pending.answer(message) && !is_own && !self.is_proven.swap(true, Ordering::Relaxed) {
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
        tracing::warn!(
            event = "server.junk",
            server = &*self.name,
            bytes,
            start,
            "skipped output that is not a message"
        );
    }

    /// Ends a connection that is lost. Its requests fail, because nothing will answer them.
    fn lose(&self, generation: u64, failure: &Failure) {
        let was_current = self.state().lose(generation, failure);
        let sent = Failure { may_have_run: true, ..failure.clone() };
        self.pending.fail(generation, &sent);
        if was_current {
            let reason = failure.message.as_str();
            self.shown.down(reason);
            tracing::warn!(event = "server.lost", server = &*self.name, reason, "the connection to the server is lost");
            self.change();
        }
    }

    /// Returns the id of an own request.
    fn own_id(&self) -> String {
        format!("{OWN_ID}{}\"", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn phase_is(&self, generation: u64, phase: Phase) -> bool {
        self.state().is(generation, phase)
    }

    fn is_stopped(&self) -> bool {
        self.state().shown() == ConnectionState::Stopped
    }
}

/// What the ids of own requests begin with.
const OWN_ID: &str = "\"resilient-own-";
