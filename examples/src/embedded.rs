//! An upstream inside the process, for servers that are shown without an account.

use std::{io, net::SocketAddr};

use axum::{Router, serve::ListenerExt};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A running upstream on a free loopback port; it stops when this is dropped.
#[derive(Debug)]
pub struct Embedded {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Starts to serve these routes.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub async fn start(routes: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener.tap_io(no_delay), routes).await {
                tracing::error!(%error, "the embedded upstream stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// The port that it has, on loopback.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Sets `TCP_NODELAY` on a connection. Without it the second of two small writes of one answer waits until the client
/// acknowledges the first, which takes 40 ms on a connection that is kept open.
pub fn no_delay(stream: &mut TcpStream) {
    // A connection that refuses the option is slower, and works.
    let _ = stream.set_nodelay(true);
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.task.abort();
    }
}
