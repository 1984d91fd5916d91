//! The connections to other servers.

use super::Registry;
use crate::breaker::BreakerState;
use crate::connections::{Connection, ConnectionSnapshot, ConnectionState};

impl Registry {
    /// Adds a connection to the server of this name, which is shown until the result is dropped: see
    /// [`connections`](crate::connections). It replaces one of the same name. The name becomes a label of metrics, so
    /// take it from the configuration and not from a client.
    pub fn add_connection(&self, server: &str) -> Connection {
        self.connections.add(server)
    }

    /// Returns the connections, sorted by the names of the servers.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionSnapshot> {
        self.connections.read()
    }

    /// Returns the servers of these connections that cannot be reached now: the connection is down, or the breaker
    /// `NAME.connection` rejects calls.
    pub(crate) fn failing_connections(&self, all: &[ConnectionSnapshot]) -> Vec<String> {
        if all.is_empty() {
            return Vec::new();
        }
        let mut rejecting = self.breakers();
        rejecting.retain(|it| matches!(it.state, BreakerState::Open | BreakerState::Isolated) && !it.is_over());
        let rejects = |server: &str| rejecting.iter().any(|it| it.name.strip_suffix(".connection") == Some(server));
        let failing = all.iter().filter(|it| it.state == ConnectionState::Down || rejects(&it.server));
        failing.map(|it| it.server.clone()).collect()
    }
}
