//! What a front serves: the bridge to one server, or the merge of several. A front knows transports, a service knows
//! messages.

use std::pin::Pin;
use std::sync::Arc;

use resilient_client::Message;

/// A future of a trait's method.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to one client.
pub(crate) trait Output: Send + Sync + 'static {
    /// Sends a message to the client: a response, a notification, or a request of the server. A front that cannot deliver
    /// it drops it. Waits while the client reads slowly, where the transport serves one client; otherwise never waits.
    fn send(&self, message: Message) -> Boxed<'_, ()>;
}

/// What a front serves.
pub(crate) trait Service: Send + Sync + 'static {
    /// Opens a session. Messages for its client go to `output`.
    fn open(&self, output: Arc<dyn Output>) -> Arc<dyn Session>;
}

/// One client: a connection over stdio, a session over HTTP, or one request of the protocol without sessions.
pub(crate) trait Session: Send + Sync + 'static {
    /// Handles a message of the client. If it is a request, its response has been passed to the output when the future
    /// ends. Concurrent calls are allowed; messages are passed on in the order in which the futures are first polled.
    /// Dropping the future cancels the request.
    fn handle(&self, message: Message) -> Boxed<'_, ()>;

    /// Ends the session. The server receives a cancellation for each request of the client.
    fn close(&self) -> Boxed<'_, ()>;
}
