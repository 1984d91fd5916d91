//! Deferred writes at start: what is wrong with their set-up, and the worker that delivers them.

use std::sync::Arc;

use resilient_policy::Source;
use tokio::runtime::Handle as Runtime;

use super::{Handle, Resilience};
use crate::deferred::{Deferral, DeferredStore, StoreClock, WallClock};
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

impl Resilience {
    /// Sets the store of deferred writes, which tools with `fallback = deferred` need, and the server that delivers them.
    ///
    /// [`start`](Self::start) calls `server` once and serves its value in memory, without a client: a delivery passes
    /// `authorize`, the switches, the limits and the breaker like any call, but no fallback. The server must have a name,
    /// because the store keeps the writes of each server by its name: write `#[tool_handler(name = "orders")]` instead of
    /// `#[tool_router(server_handler)]`, which cannot set one. The routers of all tools that defer writes have to be
    /// added with [`tools`](Self::tools): the calls of other tools are not accepted, because nothing would deliver them.
    /// Call [`start`](Self::start) in a Tokio runtime.
    ///
    /// The worker runs until the runtime ends, or until [`Handle::shutdown`], which also waits for the deliveries that
    /// run. It delivers at most 4 writes at a time for each breaker, and one while the breaker is half-open.
    ///
    /// ```
    /// use resilient_runtime::deferred::DeferredStore;
    /// use resilient_runtime::startup::{Handle, InvalidSettings};
    /// use resilient_runtime::{Resilience, ResilienceError, resilient};
    /// use rmcp::handler::server::wrapper::Parameters;
    /// use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Cancel {
    ///     order_id: u64,
    /// }
    ///
    /// #[derive(Clone)]
    /// struct Orders;
    ///
    /// #[resilient]
    /// #[tool_router]
    /// impl Orders {
    ///     /// Cancels an order.
    ///     #[resilient(fallback = deferred)]
    ///     #[tool(annotations(idempotent_hint = true))]
    ///     async fn cancel(&self, Parameters(cancel): Parameters<Cancel>) -> Result<String, ResilienceError> {
    ///         Ok(format!("cancelled {}", cancel.order_id))
    ///     }
    /// }
    ///
    /// #[resilient]
    /// #[tool_handler(name = "orders")]
    /// impl ServerHandler for Orders {}
    ///
    /// fn start(store: impl DeferredStore, server: Orders) -> Result<Handle, InvalidSettings> {
    ///     Resilience::from_env().tools(Orders::tool_router).deferred(store, move || server.clone()).start()
    /// }
    /// ```
    pub fn deferred<S>(mut self, store: impl DeferredStore, server: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: rmcp::Service<rmcp::RoleServer>,
    {
        let server = ServerFactory::new(server);
        self.deferring = Some(Deferring { store: Arc::new(store), server, clock: None });
        self
    }
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
        let clock = clock.map_or_else(StoreClock::of_this_machine, StoreClock::of);
        let deferral = Deferral::new(store, server.name.clone(), clock);
        let deferral = Arc::new(deferral.delivering(tools.iter().map(|site| site.address()).collect()));
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
