//! A server for each session: a session of its own at a server over HTTP, or a process of its own.

use std::sync::{Arc, OnceLock};

use resilient_client::{Message, Target};
use tokio::sync::OnceCell;

use crate::bridge::{Bridge, BridgeSettings};
use crate::service::{Boxed, Output, Service, Session};

/// Opens a connection to the server for each session.
pub(crate) struct PerSession(Arc<Servers>);

struct Servers {
    target: Target,
    settings: BridgeSettings,
    /// The connection for requests without a session, which any connection can serve.
    without_session: OnceLock<Bridge>,
}

impl PerSession {
    pub(crate) fn new(target: Target, settings: BridgeSettings) -> Self {
        Self(Arc::new(Servers { target, settings, without_session: OnceLock::new() }))
    }

    /// Ends the connection for requests without a session. Those of sessions end with them.
    pub(crate) async fn stop(&self) {
        if let Some(bridge) = self.0.without_session.get() {
            bridge.stop().await;
        }
    }
}

impl Service for PerSession {
    fn open(&self, output: Arc<dyn Output>) -> Arc<dyn Session> {
        Arc::new(OwnSession { servers: Arc::clone(&self.0), output, opened: OnceCell::new() })
    }
}

/// A session whose connection begins with its first message.
struct OwnSession {
    servers: Arc<Servers>,
    output: Arc<dyn Output>,
    opened: OnceCell<Opened>,
}

struct Opened {
    session: Arc<dyn Session>,
    /// The connection, if it is that of this session alone.
    own: Option<Bridge>,
}

impl Session for OwnSession {
    fn handle(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            let has_session = message.method() == Some("initialize");
            let opened = self.opened.get_or_init(|| async { self.servers.open(has_session, &self.output) }).await;
            opened.session.handle(message).await;
        })
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            let Some(opened) = self.opened.get() else { return };
            opened.session.close().await;
            if let Some(own) = &opened.own {
                own.stop().await;
            }
        })
    }
}

impl Servers {
    fn open(&self, has_session: bool, output: &Arc<dyn Output>) -> Opened {
        let start =
            |is_shared| Bridge::start(self.target.clone(), BridgeSettings { is_shared, ..self.settings.clone() });
        if has_session {
            let own = start(false);
            return Opened { session: own.open(Arc::clone(output)), own: Some(own) };
        }
        let bridge = self.without_session.get_or_init(|| start(true));
        Opened { session: bridge.open(Arc::clone(output)), own: None }
    }
}
