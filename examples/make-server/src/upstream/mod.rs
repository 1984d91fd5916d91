//! A simulation of Make's API on a loopback port: the same routes, and the faults of a real upstream.
//!
//! Its behaviour is a sequence of [phases](phase::Phase). `POST /demo/phase/{name}` begins one, `GET /demo/stats`
//! returns the counters ([`stats::Stats`]). A seed decides which request of a phase fails and how, so that two runs
//! have the same faults.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use self::{
    phase::Phase,
    stats::Ledger,
    wire::{Cut, CuttableListener},
};

pub mod data;
mod misbehave;
pub mod phase;
mod routes;
pub mod stats;
mod wire;

/// The only token that the demo's upstream accepts. It must never appear in a response, and is easy to recognise.
pub const DEMO_TOKEN: &str = "demo-token-5f1d-must-never-be-seen";

/// The panic message in the phase of panics. It contains a secret, as real panic messages may.
pub const PANIC_TEXT: &str = "index out of range while password=hunter2-must-never-be-seen";

/// A text in every error body of the upstream that must only be logged.
pub const PRIVATE_TEXT: &str = "node eu1-worker-07 must-never-be-seen";

/// A response header on which the demo's client panics, with the header's value as message.
pub const PANIC_HEADER: &str = "x-demo-panic";

/// The seed of the demo's script.
pub const DEMO_SEED: u64 = 42;

/// A running upstream. Dropping it stops it.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// The state of its handlers.
struct Shared {
    ledger: Ledger,
    token: String,
    seed: u64,
}

impl Upstream {
    /// Starts on a free loopback port, in [`Phase::Healthy`].
    ///
    /// # Errors
    ///
    /// If there is no free port.
    pub async fn start(token: impl Into<String>, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared { ledger: Ledger::new(Phase::Healthy), token: token.into(), seed };
        let service = routes::router(Arc::new(shared)).into_make_service_with_connect_info::<Cut>();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(CuttableListener(listener), service).await {
                tracing::error!(%error, "the upstream stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// The base URL of the controls: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL that replaces `https://eu1.make.com/api/v2`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}/api/v2", self.origin())
    }
}

/// Sets `TCP_NODELAY`. Without it the second of two small writes waits up to 40 ms for an acknowledgement.
pub(crate) fn no_delay(stream: &mut TcpStream) {
    // A connection that refuses the option is slower, but works.
    let _ = stream.set_nodelay(true);
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
