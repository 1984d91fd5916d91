//! A connection for each session: a separate session at a server over HTTP, or a separate process.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use resilient_client::{Message, Target};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::bridge::{Bridge, BridgeSettings};
use crate::service::{Boxed, Output, Service, Session};

/// How long the process of a session is kept without a request. The next request starts it again.
const LONGEST_IDLE: Duration = Duration::from_secs(5 * 60);

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
    own: Option<Own>,
}

struct Own {
    bridge: Bridge,
    usage: Arc<Mutex<Usage>>,
    /// Ends the process while it is not used. A session with a remote server has state there that would be lost.
    _resting: Option<AbortOnDropHandle<()>>,
}

struct Usage {
    in_flight: usize,
    last: Instant,
}

/// A message that is being handled.
struct InFlight(Arc<Mutex<Usage>>);

impl InFlight {
    fn new(usage: &Arc<Mutex<Usage>>) -> Self {
        usage.lock().unwrap_or_else(PoisonError::into_inner).in_flight += 1;
        Self(Arc::clone(usage))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut usage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        usage.in_flight = usage.in_flight.saturating_sub(1);
        usage.last = Instant::now();
    }
}

impl Session for OwnSession {
    fn handle(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            let has_session = message.method() == Some("initialize");
            let opened = self.opened.get_or_init(|| async { self.servers.open(has_session, &self.output) }).await;
            let _in_flight = opened.own.as_ref().map(|own| InFlight::new(&own.usage));
            opened.session.handle(message).await;
        })
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            let Some(opened) = self.opened.get() else { return };
            opened.session.close().await;
            if let Some(own) = &opened.own {
                own.bridge.stop().await;
            }
        })
    }
}

impl Servers {
    const fn is_process(&self) -> bool {
        matches!(self.target, Target::Command(_))
    }

    fn open(&self, has_session: bool, output: &Arc<dyn Output>) -> Opened {
        let start =
            |is_shared| Bridge::start(self.target.clone(), BridgeSettings { is_shared, ..self.settings.clone() });
        if has_session {
            let bridge = start(false);
            let session = bridge.open(Arc::clone(output));
            return Opened { session, own: Some(Own::new(bridge, self.is_process())) };
        }
        let bridge = self.without_session.get_or_init(|| start(true));
        Opened { session: bridge.open(Arc::clone(output)), own: None }
    }
}

impl Own {
    fn new(bridge: Bridge, is_process: bool) -> Self {
        let usage = Arc::new(Mutex::new(Usage { in_flight: 0, last: Instant::now() }));
        let resting = is_process.then(|| tokio::spawn(rest_while_idle(bridge.clone(), Arc::clone(&usage))));
        Self { bridge, usage, _resting: resting.map(AbortOnDropHandle::new) }
    }
}

async fn rest_while_idle(bridge: Bridge, usage: Arc<Mutex<Usage>>) {
    loop {
        let (in_flight, last) = {
            let usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
            (usage.in_flight, usage.last)
        };
        let idle_at = if in_flight == 0 { last + LONGEST_IDLE } else { Instant::now() + LONGEST_IDLE };
        if idle_at <= Instant::now() {
            bridge.rest().await;
            // It rests until the next request, whose end is looked at again.
            sleep_until(Instant::now() + LONGEST_IDLE).await;
        } else {
            sleep_until(idle_at).await;
        }
    }
}
