//! The link to a server over streamable HTTP, in both eras of the protocol.
//!
//! In the legacy era, up to version 2025-11-25, the response to `initialize` may begin a session, whose id every later
//! request carries, and the server can send messages in a stream that the link opens with a GET. In the modern era,
//! from version 2026-07-28 on, each request names its version and there is no session.

mod body;
mod client;
mod endpoint;
mod events;
mod exchange;
mod failure;
mod headers;
mod listen;
mod parameters;
mod session;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::select;
use tokio_util::sync::DropGuard;

use crate::link::http::exchange::exchange;
use crate::link::http::listen::listen;
use crate::link::http::wire::Wire;
use crate::link::{Receive, SendError};
use crate::message::Message;

pub use endpoint::{Endpoint, InvalidEndpoint};
pub use parameters::Parameters;

/// A session with a server over streamable HTTP. Dropping it stops its tasks.
pub(crate) struct HttpLink<R: Receive> {
    wire: Arc<Wire<R>>,
    is_listening: AtomicBool,
    _stop: DropGuard,
}

impl<R: Receive> HttpLink<R> {
    /// Prepares the link. It connects with the first message.
    ///
    /// # Errors
    /// A [`SendError`], if the TLS library cannot be set up.
    pub(crate) fn open(endpoint: &Endpoint, receiver: Arc<R>) -> Result<Self, SendError> {
        let client = client::build(endpoint).map_err(|why| failure::unusable(&why))?;
        let wire = Arc::new(Wire::new(client, endpoint.clone(), receiver));
        let stop = wire.stop().clone().drop_guard();
        Ok(Self { wire, is_listening: AtomicBool::new(false), _stop: stop })
    }

    /// Sends a message, and waits until its exchange has ended.
    ///
    /// For a request, that is when its response was passed to the receiver, or will certainly not come. For any other
    /// message, it is when the server has accepted the message. Dropping the future ends the exchange: the link
    /// disconnects.
    ///
    /// # Errors
    /// A [`SendError`], if there will be no response, or if the server did not accept the message.
    pub(crate) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let stop = self.wire.stop();
        if stop.is_cancelled() {
            return Err(failure::closed(true));
        }
        select! {
            sent = exchange(&self.wire, message) => sent?,
            () = stop.cancelled() => return Err(failure::closed(false)),
        }
        if message.method() == Some("notifications/initialized") {
            self.start_listening();
        }
        Ok(())
    }

    /// Ends the session, and every exchange that is under way.
    pub(crate) async fn close(&self) {
        self.wire.stop().cancel();
        self.wire.delete().await;
    }

    fn start_listening(&self) {
        if !self.wire.session().has_stream() || self.is_listening.swap(true, Ordering::Relaxed) {
            return;
        }
        let wire = Arc::clone(&self.wire);
        tokio::spawn(async move {
            select! {
                () = listen(&wire) => {}
                () = wire.stop().cancelled() => {}
            }
        });
    }
}

#[cfg(test)]
mod tests;
