//! An upstream in the same process, so that the server runs without an account.

use std::{io, net::SocketAddr};

use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, task::JoinHandle};

/// A running upstream on a free loopback port. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Embedded {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Starts to serve the routes.
    pub(crate) async fn start(routes: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        // Without `TCP_NODELAY` the second of two small writes waits up to 40 ms for an acknowledgement.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the embedded upstream stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// The loopback address and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL: `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.task.abort();
    }
}
