//! A bridge: the messages of clients, passed to one server and back. Only the handshake, calls of tools, cancellation and the
//! loss of the server are interpreted; everything else passes unchanged.

mod events;
mod handshake;
mod ids;
mod session;
mod sessions;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use resilient_client::{
    CallSettings, Caller, ConnectionState, Failure, KnownTools, Message, Supervisor, SupervisorSettings, Target,
};
use resilient_runtime::ErrorKind;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::service::{Output, Service, Session};
pub(crate) use events::KeptLists;
use events::ServerEvents;
use ids::Ids;
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
    caller: Arc<Caller<ServerEvents>>,
    sessions: Arc<Sessions>,
    lists: KnownTools,
    /// Whether a client has sent `initialize`.
    has_begun: AtomicBool,
}

impl Bridge {
    /// Starts the server and connects.
    pub(crate) fn start(target: impl Into<Target>, settings: BridgeSettings) -> Self {
        let sessions = Arc::new(Sessions::new(settings.is_shared));
        let events = ServerEvents::new(&sessions);
        let supervisor = Supervisor::start(&settings.name, target, SupervisorSettings::default(), events);
        let caller = Arc::new(Caller::new(supervisor, settings.calls.clone()));
        let (lists, has_begun) = (KnownTools::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { settings, caller, sessions, lists, has_begun });
        shared.caller.supervisor().events().attach(&shared);
        Self(shared)
    }

    /// Sets the lists that the proxy keeps of this server.
    pub(crate) fn keep(&self, lists: Arc<dyn KeptLists>) {
        self.0.caller.supervisor().events().keep(lists);
    }

    /// Opens the session of a client that is the proxy itself, with these parameters of `initialize`.
    pub(crate) fn connect(&self, params: &Value) {
        let shared = Arc::clone(&self.0);
        let initialize = Message::request(&shared.caller.supervisor().new_id(), "initialize", params);
        tokio::spawn(async move {
            let supervisor = shared.caller.supervisor();
            // A server that cannot be reached gets both with a later connection.
            let initialized = supervisor.initialize(&initialize).await;
            let _ = supervisor.notify(&Message::notification("notifications/initialized", &json!({}))).await;
            if initialized.is_ok() {
                // Clients may have listed without this server.
                shared.outdate_lists();
            }
        });
    }

    /// Waits until the server has answered `initialize` or cannot be reached, but not longer than the patience.
    pub(crate) async fn settled(&self) {
        let supervisor = self.0.caller.supervisor();
        let settled = async {
            while supervisor.initialized().is_none() && supervisor.state() == ConnectionState::Connecting {
                supervisor.changed().await;
            }
        };
        let _ = timeout(self.0.settings.patience, settled).await;
    }

    /// Returns the instructions of the server, if it has some.
    ///
    /// # Errors
    /// If the server has not answered.
    pub(crate) fn instructions(&self) -> Result<Option<String>, Failure> {
        let supervisor = self.0.caller.supervisor();
        let Some(response) = supervisor.initialized() else {
            return Err(match supervisor.state() {
                ConnectionState::Down(failure) | ConnectionState::Rejecting(failure) => failure,
                _ => Failure::new(ErrorKind::Unavailable, "it still starts", false),
            });
        };
        Ok(response.read_result::<Initialized>().and_then(|result| result.instructions))
    }

    /// Returns whether the server has declared a capability.
    pub(crate) fn has_capability(&self, name: &str) -> bool {
        let response = self.0.caller.supervisor().initialized();
        let result = response.as_ref().and_then(Message::read_result::<Initialized>);
        result.is_some_and(|result| result.capabilities.contains_key(name))
    }

    /// Sends a request of the proxy. Returns `None`, if the server does not answer in this time, or in that of a call.
    pub(crate) async fn request(&self, method: &str, params: &Value, limit: Duration) -> Option<Message> {
        let supervisor = self.0.caller.supervisor();
        let request = Message::request(&supervisor.new_id(), method, params);
        let limit = limit.min(self.0.settings.calls.timeout);
        let response = timeout(limit, supervisor.request(&request)).await;
        let response = response.inspect_err(|_| supervisor.suspect()).ok()?.ok()?;
        if let (Some(result), "tools/list") = (response.result(), method) {
            self.0.caller.learn(result);
        }
        Some(response)
    }

    /// Ends the server until a request needs it.
    pub(crate) async fn rest(&self) {
        self.0.caller.supervisor().rest().await;
    }

    /// Ends the server.
    pub(crate) async fn stop(&self) {
        self.0.caller.supervisor().stop().await;
    }
}

#[derive(Deserialize)]
struct Initialized {
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    capabilities: Map<String, Value>,
}

impl Service for Bridge {
    fn open(&self, output: Arc<dyn Output>) -> Arc<dyn Session> {
        let number = self.0.sessions.add(Arc::clone(&output));
        let ids = if self.0.settings.is_shared { Ids::Of(number) } else { Ids::Unchanged };
        Arc::new(BridgeSession::new(Arc::clone(&self.0), output, number, ids))
    }
}
