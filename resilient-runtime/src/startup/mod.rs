//! Settings of an operator: what changes without a rebuild, at the start and while the server runs.

#[cfg(feature = "alerts")]
mod alerts;
#[cfg(feature = "deferred")]
mod deferred;
mod found_later;
mod handle;
mod level;
mod reload;
mod report;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
#[cfg(feature = "http")]
use std::sync::atomic::Ordering;

use resilient_policy::{File, FileProblem};

pub use handle::Handle;
pub use reload::{ReloadReport, SettingChange};
pub use report::InvalidSettings;

#[cfg(feature = "http")]
use crate::access_token::TokenSetting;
use crate::binding::BindingRef;
use crate::guard::Guard;
use crate::health::Health;
use crate::registry::Registry;
use crate::settings::{AlertVariables, Content, DeclaredNames, Names, Overrides, Source, Variables, parse, read};

/// The settings of a server at start-up, read from the environment.
///
/// | variable | |
/// |---|---|
/// | `RESILIENT__TOOL__NAME__KEY` | sets a key of one tool: `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT=5s`, `.._RETRY__BASE=250ms`, `.._BREAKER=none` |
/// | `RESILIENT__BREAKER__NAME__KEY` | sets a key of one breaker: `RESILIENT__BREAKER__MAKE__ENABLED=false`, `.._OPEN=10s` |
/// | `RESILIENT__PROFILE__NAME__KEY` | sets a key of everything that uses a profile |
/// | `RESILIENT__DEFAULT__KEY` | sets a key of everything |
/// | `RESILIENT__TOOL__NAME__ENABLED` | `false` switches a tool off, guarded or not: it is not listed |
/// | `RESILIENT__FEATURE__NAME__ENABLED` | `false` switches off every tool with this feature |
/// | `RESILIENT_READ_ONLY` | `true` switches off every tool that is not known to read |
/// | `RESILIENT__LEVEL` | sets the [`Level`](crate::gate::Level): `normal`, `degraded`, `minimal` or `emergency` |
/// | `RESILIENT__LEVEL__NAME__KEY` | sets what a level takes away: `RESILIENT__LEVEL__MINIMAL__CONCURRENCY=10`, `.._CACHE_ONLY`, `.._READ_ONLY`, `.._DISABLE=exports,search` |
/// | `RESILIENT__LEVEL__AUTOMATIC` | `true` makes the level follow the health of the server, which [`health`](Self::health) passes |
/// | `RESILIENT_ADMIN_TOKEN` | the token that the routes for operators require (feature `http`): at least 16 visible ASCII characters |
/// | `RESILIENT_ALERT_WEBHOOK` | the URL of a webhook that alerts are sent to (feature `alerts`), besides those of [`alerts`](Self::alerts) |
/// | `RESILIENT_ALERT_WEBHOOK_TOKEN`, `RESILIENT_ALERT_WEBHOOK_TOKEN_FILE` | the bearer token of this webhook, or the file that contains it |
/// | `RESILIENT_ALERTMANAGER_URL` | the URL of an Alertmanager that alerts are sent to, such as `http://127.0.0.1:9093` |
/// | `RESILIENT_CONFIG` | the path of a file in the format of `resilient.toml` |
/// | `RESILIENT_DISABLED` | `true` disables everything that rejects, retries or cuts off calls; context, statistics, panic barrier, cancellation and fallbacks stay |
///
/// A switch is `1` or `0`, `true` or `false`, `yes` or `no`, `on` or `off`, in any case. A variable is ignored if its
/// name has one of the forms above in lower case, or with a similar prefix such as `RESILIENCE`; a warning gives the right
/// name.
///
/// Names are written in capitals, with `_` for `-` and `.`. Variables take precedence over the file. In each of them,
/// the settings of a tool take precedence over those of its profiles, and those over the default. All of them take
/// precedence over the compiled settings: they change single parts of a key, or remove the key with `none`, but cannot
/// add a key that the code does not have. Every rule for the attribute holds here as well.
///
/// Switches are different: they add up. A tool, a feature or the right to write is off if any source says so, and
/// nothing at run time lifts that. They take effect when a router is built, so they are an error if one was built
/// before.
///
/// ```no_run
/// # #[cfg(feature = "rmcp")] mod example {
/// # use resilient_runtime::{ResilienceError, resilient};
/// # use rmcp::{tool, tool_router};
/// # pub struct MakeServer;
/// # #[resilient] #[tool_router(server_handler, vis = "pub")]
/// # impl MakeServer { #[tool] async fn ping(&self) -> Result<String, ResilienceError> { Ok("pong".into()) } }
/// # pub fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use resilient_runtime::Resilience;
///
/// // Before anything else, so that nothing runs with other settings.
/// Resilience::from_env().tools(MakeServer::tool_router).start()?;
/// # Ok(()) } }
/// ```
///
/// The environment is only read if you call [`from_env`](Self::from_env).
#[must_use = "nothing is set before `start`"]
pub struct Resilience {
    overrides: Overrides,
    /// The path of the file, and what was read there.
    file: Option<(String, Content)>,
    problems: Vec<FileProblem>,
    /// Variables that are ignored, each with the name that was probably meant.
    unread: Vec<(String, String)>,
    parts: Vec<Part>,
    health: Option<Arc<Health>>,
    /// The store of deferred writes, and the server that delivers them.
    #[cfg(feature = "deferred")]
    deferring: Option<deferred::Deferring>,
    /// The alerts that the process evaluates.
    #[cfg(feature = "alerts")]
    alerts: Option<crate::alerts::Alerts>,
    alert_variables: AlertVariables,
    /// The token that the routes for operators require.
    #[cfg(feature = "http")]
    admin_token: Option<TokenSetting>,
}

/// Finds guarded functions of one kind, once the settings are known.
type Part = Box<dyn FnOnce() -> DeclaredNames + Send>;

impl Resilience {
    /// Reads the settings from the environment of this process. Problems are reported by [`start`](Self::start).
    pub fn from_env() -> Self {
        Self::from_variables(std::env::vars_os())
    }

    /// Reads the settings from these variables.
    pub fn from_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut problems = Vec::new();
        let mut variables = Variables::read(variables, &mut problems);
        let unread = std::mem::take(&mut variables.unread);
        let alert_variables = std::mem::take(&mut variables.alerts);
        let file = variables.config.take().map(|path| {
            let content = read(&path);
            (path, content)
        });
        let (read, found) =
            file.as_ref().map_or_else(<(File, Vec<_>)>::default, |(path, content)| parse(path, content));
        problems.extend(found);
        Self {
            #[cfg(feature = "http")]
            admin_token: variables.admin_token.take(),
            overrides: Overrides::new(read, variables),
            file,
            problems,
            unread,
            parts: Vec::new(),
            health: None,
            #[cfg(feature = "deferred")]
            deferring: None,
            #[cfg(feature = "alerts")]
            alerts: None,
            alert_variables,
        }
    }

    /// Adds the tools of a router, so that settings can refer to them. The router is built once the settings are known.
    #[cfg(feature = "rmcp")]
    pub fn tools<S>(mut self, router: fn() -> rmcp::handler::server::router::tool::ToolRouter<S>) -> Self
    where
        S: Send + Sync + 'static,
    {
        self.parts.push(Box::new(move || crate::mcp::known(router)));
        self
    }

    /// Adds a guard, so that settings can refer to it.
    pub fn guard(mut self, guard: &'static Guard) -> Self {
        self.parts.push(Box::new(move || DeclaredNames { sites: vec![guard.site()], ..DeclaredNames::default() }));
        self
    }

    /// Adds a breaker that only functions outside of any router use. Such functions are not known before their first
    /// call.
    pub fn breaker(mut self, name: &'static str) -> Self {
        self.parts.push(Box::new(move || DeclaredNames { breakers: vec![name], ..DeclaredNames::default() }));
        self
    }

    /// Sets the health of the server, which the level follows if `automatic` is set in the table `[level]`. It needs at
    /// least one check that you added, and [`start`](Self::start) has to be called in a Tokio runtime then.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use resilient_runtime::Resilience;
    /// use resilient_runtime::health::{CheckResult, Health, HealthCheck};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let database = HealthCheck::new("database", || async { CheckResult::pass("answers") });
    /// let health = Arc::new(Health::new().check(database.critical()));
    /// let automatic = [("RESILIENT__LEVEL__AUTOMATIC".into(), "true".into())];
    /// Resilience::from_variables(automatic).health(&health).start().unwrap();
    /// # }
    /// ```
    pub fn health(mut self, health: &Arc<Health>) -> Self {
        self.health = Some(Arc::clone(health));
        self
    }

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
    #[cfg(feature = "deferred")]
    pub fn deferred<S>(
        mut self,
        store: impl crate::deferred::DeferredStore,
        server: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: rmcp::Service<rmcp::RoleServer>,
    {
        let server = crate::mcp::ServerFactory::new(server);
        self.deferring = Some(deferred::Deferring { store: Arc::new(store), server, clock: None });
        self
    }

    /// Checks all settings and applies them to this process. The handle that it returns applies them again, if the file
    /// has changed; a server that does not reload its settings drops it.
    ///
    /// # Errors
    /// [`InvalidSettings`], with every problem: in the variables and the file, unknown names, policies of tools that
    /// would break a rule, and breakers and limits that the code declares differently in two source locations. The
    /// server should not start then; if it does, functions that are guarded later use the compiled settings.
    pub fn start(self) -> Result<Handle, InvalidSettings> {
        self.start_in(None)
    }

    /// Like [`start`](Self::start), but applies the settings to this registry, for tests. Routers are also built for
    /// the registry of the process, with the compiled settings.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_with(self, registry: &Arc<Registry>) -> Result<Handle, InvalidSettings> {
        self.start_in(Some(registry))
    }

    fn start_in(self, own: Option<&Arc<Registry>>) -> Result<Handle, InvalidSettings> {
        let Self { overrides, file, mut problems, unread, parts, health, .. } = self;
        let handle = Handle::new(own);
        for (name, meant) in unread {
            tracing::warn!(
                event = "config.warning",
                variable = name,
                "this variable is not read; did you mean `{meant}`?"
            );
        }
        if cfg!(panic = "abort") {
            tracing::warn!(
                event = "config.warning",
                "this program is built with `panic = \"abort\"`: a panic ends the process, and no barrier can catch it"
            );
        }
        let registry: &Registry = if let Some(own) = own { own } else { Registry::global() };
        #[cfg(feature = "http")]
        if let Some(token) = self.admin_token {
            set_admin_token(registry, token);
        }
        #[cfg(feature = "alerts")]
        let mut alert_problems = Vec::new();
        #[cfg(feature = "alerts")]
        let alerts = alerts::check(self.alerts, self.alert_variables, own, &mut alert_problems);
        #[cfg(not(feature = "alerts"))]
        self.alert_variables.warn();
        let is_changed = overrides.are_there();
        let overrides = match registry.set_overrides(overrides) {
            Ok(holding) => holding,
            // What was bound before keeps other settings, so it cannot be checked against these.
            Err(why) => {
                #[cfg_attr(
                    not(any(feature = "alerts", feature = "deferred")),
                    expect(unused_mut, reason = "nothing else is checked")
                )]
                let mut others: Vec<_> = is_changed.then_some(why).into_iter().collect();
                #[cfg(feature = "deferred")]
                let ready = deferred::check(self.deferring, own, &declared(parts), &mut others);
                #[cfg(feature = "alerts")]
                others.extend(alert_problems);
                let invalid = InvalidSettings::of(problems, others);
                #[cfg(feature = "deferred")]
                if let Some(ready) = ready.filter(|_| invalid.is_none()) {
                    ready.start(own, &handle);
                }
                #[cfg(feature = "alerts")]
                if let Some(alerts) = alerts.filter(|_| invalid.is_none()) {
                    alerts.start(&handle.tasks, &handle.stop);
                }
                return invalid.map_or(Ok(handle), Err);
            }
        };
        let known = declared(parts);
        // Routers are built for the registry of the process, so a separate one does not know their tools yet.
        registry.declare_tools(&known);
        for site in &known.sites {
            let bound = match own {
                Some(own) => BindingRef::Other(site.bind_in(own)),
                None => site.bind(),
            };
            if let Some(breaker) = &bound.breaker {
                problems.extend(overrides.suits(site, bound.policy(), &breaker.settings()));
            }
        }
        registry.check_other_breakers();
        let (found, mut others) = registry.end_report();
        problems.extend(found);
        let names = Names::of(&known, registry.breaker_names());
        names.check(&known, &overrides, &mut problems);
        names.collisions(&mut others);
        let follows_health = level::check(registry, &overrides, &known, health.as_deref(), &mut problems);
        #[cfg(feature = "deferred")]
        let ready = deferred::check(self.deferring, own, &known, &mut others);
        #[cfg(feature = "alerts")]
        others.extend(alert_problems);
        match InvalidSettings::of(problems, others) {
            None => {
                let (path, content) = file.unzip();
                registry.set_source(Source::new(path, known, content));
                if let Some(health) = health.filter(|_| follows_health) {
                    level::follow(health, own, &handle);
                }
                #[cfg(feature = "deferred")]
                if let Some(ready) = ready {
                    ready.start(own, &handle);
                }
                #[cfg(feature = "alerts")]
                if let Some(alerts) = alerts {
                    alerts.start(&handle.tasks, &handle.stop);
                }
                Ok(handle)
            }
            Some(invalid) => {
                overrides.refuse();
                Err(invalid)
            }
        }
    }
}

/// Sets the token of the routes for operators, even if the start is refused, so that they do not open for lack of it.
#[cfg(feature = "http")]
fn set_admin_token(registry: &Registry, token: TokenSetting) {
    let _ = registry.admin_token.set(token);
    if registry.has_unchanging_admin.load(Ordering::Relaxed) {
        tracing::warn!(
            event = "config.warning",
            "a router for operators was built before its token was read, so it has no routes that change anything; call \
             `Resilience::start` before `Admin::router`"
        );
    }
}

/// Finds the guarded functions, which builds their routers.
fn declared(parts: Vec<Part>) -> DeclaredNames {
    let mut known = DeclaredNames::default();
    for part in parts {
        known.add(part());
    }
    known
}

impl fmt::Debug for Resilience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets from the environment.
        f.debug_struct("Resilience").field("problems", &self.problems).finish_non_exhaustive()
    }
}
