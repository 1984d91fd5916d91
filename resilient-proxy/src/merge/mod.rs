//! Several servers as one: tools and prompts as `server__name`, resources by the server that listed them.
//!
//! Each server has its bridge, which does everything for one server. The merge chooses the bridge, changes names, and joins
//! lists. Sampling, elicitation, roots, subscriptions and completions are not offered.

mod lists;
mod names;
mod output;
mod session;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::bridge::{Bridge, KeptLists};
use crate::service::{Output, Service, Session};
use lists::Lists;
use session::MergeSession;

/// Several servers.
#[derive(Clone)]
pub(crate) struct Merge(Arc<[Server]>);

/// One of them.
pub(crate) struct Server {
    name: String,
    bridge: Bridge,
    lists: Arc<Lists>,
}

impl Merge {
    /// Opens a session with each server. One that cannot start does not stop the others.
    pub(crate) fn start(bridges: impl IntoIterator<Item = (String, Bridge)>) -> Self {
        let servers = bridges.into_iter().map(|(name, bridge)| Server { name, bridge, lists: Arc::default() });
        let servers: Arc<[Server]> = servers.collect();
        for server in &*servers {
            server.bridge.keep(Arc::clone(&server.lists) as Arc<dyn KeptLists>);
            server.bridge.connect(&client());
        }
        Self(servers)
    }

    /// Ends all servers.
    pub(crate) async fn stop(&self) {
        futures_util::future::join_all(self.0.iter().map(|server| server.bridge.stop())).await;
    }
}

impl Service for Merge {
    fn open(&self, output: Arc<dyn Output>) -> Arc<dyn Session> {
        Arc::new(MergeSession::new(Arc::clone(&self.0), &output))
    }
}

/// Returns what the proxy says of itself to the servers. It offers nothing that a server could ask of it.
fn client() -> Value {
    json!({
        "protocolVersion": LATEST,
        "capabilities": {},
        "clientInfo": { "name": "resilient-proxy", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// The versions of the protocol with a handshake, of which the last one is offered.
const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LATEST];
const LATEST: &str = "2025-11-25";
