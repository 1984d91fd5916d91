//! A stand-in for Make's API on a loopback port: the same routes, and every way in which an upstream can let you down.
//!
//! It behaves by [phases](phase::Phase). `POST /demo/phase/{name}` begins one, `GET /demo/stats` tells what the upstream saw
//! ([`stats::Stats`]). Which request of a phase goes wrong, and how, is fixed by a seed, so two runs meet the same faults.

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

/// The only token that the demo's upstream accepts. Easy to recognise: it must never be seen in an answer.
pub const DEMO_TOKEN: &str = "demo-token-5f1d-must-never-be-seen";

/// What the tool panics with in the phase of panics. It looks like a secret because panic texts do hold them.
pub const PANIC_TEXT: &str = "index out of range while password=hunter2-must-never-be-seen";

/// A text in every error body of the upstream that belongs into the log and nowhere else.
pub const PRIVATE_TEXT: &str = "node eu1-worker-07 must-never-be-seen";

/// Marks an answer on which the demo build of the client panics with the header's value.
pub const PANIC_HEADER: &str = "x-demo-panic";

/// The seed of the demo's script.
pub const DEMO_SEED: u64 = 42;

/// A running upstream; it stops when this is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// What its handlers share.
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
    /// If no port can be had.
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

    /// Where the controls are: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What takes the place of `https://eu1.make.com/api/v2`.
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
