//! The front for clients over streamable HTTP: of the protocol versions with sessions, and of those without.
//!
//! The path is `/mcp`. With sessions,
//!
//! - `POST` of `initialize` opens a session. The response has its id as `Mcp-Session-Id`; all other requests need it.
//! - `GET` is the stream of messages that belong to no request. A session has one at a time. With `Last-Event-ID`, a
//!   stream continues after this event, as far as the last 64 messages (1 MiB) of the session go.
//! - `DELETE` ends the session.
//!
//! Without sessions (2026-07-28 and later), each `POST` is served by itself, and a request is cancelled if the client
//! disconnects. `GET` and `DELETE` get status 405.
//!
//! A request whose response is its first message within 5 s is answered with JSON, any other with an event stream. A
//! client that accepts only `application/json` gets only responses. Messages that belong to no request wait for the
//! client in a queue of 64 messages (1 MiB); then the oldest are dropped.
//!
//! There are at most 1,000 sessions. A session ends after 30 minutes without a request and without a stream. If there
//! are too many sessions, the one that was idle longest ends, already after 5 minutes without a request; if none was
//! idle for so long, the status is 503. A session has at most 256 requests in flight; another one gets status 429. At
//! most 1,000 requests without a session are in flight; another one gets status 503.

mod access;
mod era;
mod events;
mod exchange;
mod outbox;
mod parameters;
mod queue;
mod refusal;
mod request;
mod routes;
mod sessions;
mod settings;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::select;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::service::Service;
use access::Access;
use routes::Shared;
pub(crate) use settings::{HttpSettings, StartError, TOKEN_VARIABLE, Token};

/// The time that requests in flight have when the front stops.
const LONGEST_REQUEST: Duration = Duration::from_secs(5);
/// The time for writing the last responses.
const LONGEST_WRITE: Duration = Duration::from_secs(1);
/// The time between two searches for idle sessions.
const IDLE_CHECK: Duration = Duration::from_secs(60);

/// An HTTP server that is bound to its address.
pub(crate) struct HttpFront {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
}

impl HttpFront {
    /// Binds the address.
    ///
    /// # Errors
    /// [`StartError`] if the address needs a token and there is none, if a host is malformed, or if the address cannot
    /// be bound.
    pub(crate) async fn bind(settings: HttpSettings) -> Result<Self, StartError> {
        let HttpSettings { address, token, allowed_hosts } = settings;
        if !address.ip().to_canonical().is_loopback() && token.is_none() {
            return Err(StartError::NeedsToken { address, variable: TOKEN_VARIABLE });
        }
        let failed = |error| StartError::Bind { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, access: Access::new(address, &allowed_hosts, token)? })
    }

    /// Returns the address, with the port that the system chose.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients until `stop`. Then the streams of `GET` end, requests in flight have 5 s, and the sessions end.
    pub(crate) async fn serve(self, service: Arc<dyn Service>, stop: CancellationToken) {
        let shared = Arc::new(Shared::new(self.access, service, stop.clone()));
        let _idle_check = AbortOnDropHandle::new(tokio::spawn(end_idle_sessions(Arc::clone(&shared))));
        let router = Router::new().fallback(routes::serve).with_state(Arc::clone(&shared));
        // Without `TCP_NODELAY`, the second of two small writes waits up to 40 ms for an acknowledgement.
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let mut serving = pin!(serving.into_future());
        let too_late = async {
            stop.cancelled().await;
            sleep(LONGEST_REQUEST).await;
        };
        select! {
            _ = &mut serving => {}
            () = too_late => {
                shared.ending.cancel();
                // What is not written by then is lost with the process.
                let _ = timeout(LONGEST_WRITE, serving).await;
            }
        }
        shared.ending.cancel();
        shared.sessions.end_all().await;
    }
}

async fn end_idle_sessions(shared: Arc<Shared>) {
    let mut ticks = interval(IDLE_CHECK);
    loop {
        ticks.tick().await;
        shared.sessions.end_idle();
    }
}
