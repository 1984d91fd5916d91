//! HTTP on loopback: a client, and an upstream in the test's process.

use std::{io, net::SocketAddr};

use axum::{Router, serve::ListenerExt};
use reqwest::{Client, ClientBuilder};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A client for plain HTTP on loopback. It bypasses the proxy of the environment and does not load the system's
/// certificates.
pub fn client() -> ClientBuilder {
    // Built together with the examples, reqwest has no TLS provider. An error means that one is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([])
}

/// Sets `TCP_NODELAY`. Without it the second of two small writes waits up to 40 ms for an acknowledgement.
pub fn no_delay(stream: &mut TcpStream) {
    let _ = stream.set_nodelay(true);
}

/// A running upstream on a free loopback port. Dropping it stops it.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts to serve the routes.
    ///
    /// # Errors
    /// If there is no free port.
    ///
    /// # Panics
    /// In its task, if the server stops by itself.
    pub async fn start(routes: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            axum::serve(listener.tap_io(no_delay), routes).await.expect("the upstream runs");
        });
        Ok(Self { address, task })
    }

    /// The base URL: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
