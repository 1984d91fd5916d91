//! Deferred writes at start: what is wrong with their set-up, and the worker that delivers them.

use std::sync::Arc;

use resilient_policy::Source;
use tokio::runtime::Handle as Runtime;

use super::Handle;
#[cfg(feature = "testing")]
use super::Resilience;
use crate::deferred::{Deferral, DeferredStore, WallClock};
use crate::mcp::{Server, ServerFactory, Worker};
use crate::registry::Registry;
use crate::settings::DeclaredNames;
use crate::site::Site;

/// The name of a server that sets none.
const UNNAMED: &str = "rmcp";

/// Where writes are deferred to, and the server that delivers them.
pub(super) struct Deferring {
    pub(super) store: Arc<dyn DeferredStore>,
    pub(super) server: ServerFactory,
    pub(super) clock: Option<WallClock>,
}

#[cfg(feature = "testing")]
impl Resilience {
    /// Sets the wall clock of deferred writes. Call it after [`deferred`](Self::deferred).
    pub fn deferred_clock(mut self, clock: WallClock) -> Self {
        if let Some(deferring) = &mut self.deferring {
            deferring.clock = Some(clock);
        }
        self
    }
}

/// A worker that can start.
pub(super) struct Ready {
    deferring: Deferring,
    server: Server,
    tools: Vec<&'static Site>,
}

impl Deferring {
    /// Creates the server and reports what is wrong with it. Returns `None` if no worker can start.
    fn check(
        self,
        tools: Vec<&'static Site>,
        own: Option<&Arc<Registry>>,
        problems: &mut Vec<String>,
    ) -> Option<Ready> {
        if tools.is_empty() {
            tracing::warn!(
                event = "config.warning",
                "there is a store for deferred writes, and no known tool has `fallback = deferred`; add the router of \
                 such tools with `Resilience::tools`"
            );
        }
        if registry(own).deferral().is_some() {
            problems.push("the tools already defer their writes to a store; call `Resilience::start` once".into());
            return None;
        }
        if Runtime::try_current().is_err() {
            problems
                .push("deferred writes are delivered in a Tokio runtime; call `Resilience::start` within one".into());
            return None;
        }
        let Some(server) = self.server.start(own) else {
            problems.push("the function that `Resilience::deferred` received for the server panicked".into());
            return None;
        };
        if server.name.is_empty() || server.name == UNNAMED {
            problems.push(format!(
                "the server is called `{}`, as any server without a name, and a store keeps the writes of each server \
                 by its name; name it, as in `#[tool_handler(name = \"orders\")] impl ServerHandler for Orders {{}}`, \
                 which you write instead of `server_handler` in `#[tool_router(server_handler)]`",
                server.name
            ));
            return None;
        }
        Some(Ready { deferring: self, server, tools })
    }
}

/// Reports what is wrong with the set-up of deferred writes. Returns the worker, if there is a store and a worker can
/// start.
pub(super) fn check(
    deferring: Option<Deferring>,
    own: Option<&Arc<Registry>>,
    known: &DeclaredNames,
    problems: &mut Vec<String>,
) -> Option<Ready> {
    let is_served = |site: &&Site| site.tool().is_some_and(|tool| known.tools.iter().any(|known| known == tool));
    let defers = |site: &&Site| site.policy().fallback.contains(&Source::Deferred);
    let tools: Vec<_> = known.sites.iter().copied().filter(|site| defers(site) && is_served(site)).collect();
    let Some(deferring) = deferring else {
        problems.extend(tools.iter().map(|site| {
            format!(
                "{}: the tool `{}` has `fallback = deferred`, and there is no store; set one with \
                 `Resilience::deferred(store, || server.clone())`",
                site.location(),
                site.name()
            )
        }));
        return None;
    };
    deferring.check(tools, own, problems)
}

impl Ready {
    /// Starts the worker, which stops with the handle.
    pub(super) fn start(self, own: Option<&Arc<Registry>>, handle: &Handle) {
        let Self { deferring: Deferring { store, server: factory, clock }, server, tools } = self;
        let clock = clock.unwrap_or_else(WallClock::new);
        let deferral = Deferral::new(store, server.name.clone(), clock);
        let known = tools.iter().filter_map(|site| site.tool()).collect();
        let deferral = Arc::new(deferral.delivering(known));
        if !registry(own).set_deferral(Arc::clone(&deferral)) {
            return;
        }
        let worker = Worker::new(deferral, (factory, server), own, &tools, handle.tasks.clone());
        handle.tasks.spawn(Arc::new(worker).run(handle.stop.clone()));
    }
}

fn registry(own: Option<&Arc<Registry>>) -> &Registry {
    match own {
        Some(own) => own,
        None => Registry::global(),
    }
}
