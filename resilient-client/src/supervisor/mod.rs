//! Supervised connections: a server process that is started again, a session that is opened again.

mod attempt;
mod backoff;
mod cancel;
mod driver;
mod inner;
mod pending;
mod replay;
mod state;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use resilient_runtime::ErrorKind;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::link::Reason;
use crate::link::any::Target;
use crate::message::Message;
use inner::Inner;
pub(crate) use pending::LONG;
pub use state::ConnectionState;

/// A future of a trait's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long a server may take to receive a notification or a response.
const DELIVERY: Duration = Duration::from_secs(10);

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

    /// Is called when the state of the connection may have changed. Must not block.
    fn state_changed(&self, state: ConnectionState) {
        let _ = state;
    }
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

impl<E: Events> Supervisor<E> {
    /// Starts to connect. Has to be called in a Tokio runtime.
    pub fn start(name: &str, target: impl Into<Target>, settings: SupervisorSettings, events: E) -> Self {
        let inner = Arc::new(Inner::new(name, target.into(), settings, events));
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
        self.request_with(request, &AtomicBool::new(false)).await
    }

    /// Like [`request`](Self::request), and sets `was_sent` once there is a connection to send on.
    pub(crate) async fn request_with(&self, request: &Message, was_sent: &AtomicBool) -> Result<Message, Failure> {
        let inner = self.inner();
        let mut sessions = 0;
        loop {
            let (generation, link) = inner.link().await?;
            was_sent.store(true, Ordering::Relaxed);
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
            let failure = inner.not_delivered(generation, error).await;
            // The server has not processed the request, so that a new session may get it.
            if reason != Reason::SessionEnded || sessions == 1 || failure.may_have_run {
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
        // Messages that follow wait for the end of the handshake.
        let held = inner.state().hold();
        let initialize = initialize.clone();
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let response = inner.handshake_of_client(&initialize, held).await;
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
        let late = |_| Err(Failure::sent(ErrorKind::Timeout, "the server did not take a notification in time"));
        timeout(DELIVERY, link.send(notification)).await.map_or_else(late, |sent| sent.map_err(Failure::from))
    }

    /// Sends the response to a request of the server, if the connection that the request came on is still there.
    pub async fn respond(&self, response: &Message, connection: u64) {
        let up = self.inner().state().up();
        if let Some((_, link)) = up.filter(|(generation, _)| *generation == connection) {
            // If the connection is lost, so is the request.
            let _ = timeout(DELIVERY, link.send(response)).await;
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

    /// Ends the connection, if there is one, until a request needs it. Requests that wait fail: call it while there are
    /// none.
    pub async fn rest(&self) {
        let link = self.inner().state().rest();
        if let Some(link) = link {
            self.inner().change();
            link.close().await;
        }
    }

    /// Ends the connection: requests that wait fail, and the process ends within about two seconds, or is killed.
    pub async fn stop(&self) {
        let inner = self.inner();
        let failure = Failure::sent(ErrorKind::Unavailable, "the connection is being closed");
        // Before the driver can take it.
        let link = inner.state().stop();
        inner.stop.cancel();
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
