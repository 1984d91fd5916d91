//! A bridge: the messages of clients, passed to one server and back. Only the handshake, calls of tools, cancellation and the
//! loss of the server are interpreted; everything else passes unchanged.

mod events;
mod handshake;
mod ids;
mod lists;
mod session;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use resilient_client::{CallSettings, Caller, Supervisor, SupervisorSettings, Target};

use crate::service::{Output, Service, Session};
use events::ServerEvents;
use ids::Ids;
use lists::Lists;
use session::BridgeSession;
use sessions::Sessions;

/// How a bridge treats its server.
#[derive(Debug, Clone)]
pub(crate) struct BridgeSettings {
    /// The name of the server, for texts, logs and metrics.
    pub(crate) name: String,
    pub(crate) calls: CallSettings,
    /// Whether several clients may use the bridge at a time, so that their ids have to be told apart.
    pub(crate) is_shared: bool,
    /// How long `initialize` waits for the server, before the bridge answers it.
    pub(crate) patience: Duration,
}

/// The bridge to one server.
#[derive(Clone)]
pub(crate) struct Bridge(Arc<Shared>);

/// What all sessions of a bridge share.
struct Shared {
    settings: BridgeSettings,
    caller: Caller<ServerEvents>,
    sessions: Arc<Sessions>,
    lists: Lists,
}

impl Bridge {
    /// Starts the server and connects.
    pub(crate) fn start(target: impl Into<Target>, settings: BridgeSettings) -> Self {
        let sessions = Arc::new(Sessions::default());
        let events = ServerEvents::new(&sessions);
        let supervisor = Supervisor::start(&settings.name, target, SupervisorSettings::default(), events);
        let caller = Caller::new(supervisor, settings.calls.clone());
        let shared = Arc::new(Shared { settings, caller, sessions, lists: Lists::default() });
        shared.caller.supervisor().events().attach(&shared);
        Self(shared)
    }

    /// Ends the server.
    pub(crate) async fn stop(&self) {
        self.0.caller.supervisor().stop().await;
    }
}

impl Service for Bridge {
    fn open(&self, output: Arc<dyn Output>) -> Arc<dyn Session> {
        let number = self.0.sessions.add(Arc::clone(&output));
        let ids = if self.0.settings.is_shared { Ids::Of(number) } else { Ids::Unchanged };
        Arc::new(BridgeSession::new(Arc::clone(&self.0), output, number, ids))
    }
}
