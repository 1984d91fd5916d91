//! Settings of an operator: what changes without a rebuild, at the start and while the server runs.

#[cfg(feature = "alerts")]
mod alerts;
#[cfg(feature = "deferred")]
mod deferred;
mod found_later;
mod handle;
#[cfg(feature = "replicas")]
mod hints;
mod level;
mod reload;
#[cfg(feature = "replicas")]
mod replicas;
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
use crate::settings::{
    AlertVariables, Content, DeclaredNames, Names, Overrides, ReplicaVariables, Source, Variables, parse, read,
};

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
/// | `RESILIENT_REDIS_URL` | the URL of the Redis that all replicas share, for the crate `resilient-redis` |
/// | `RESILIENT_REDIS_PREFIX` | the beginning of all keys in this Redis; default `resilient` |
/// | `RESILIENT_REPLICAS` | the number of replicas: without Redis, each allows its share of a limit with `distributed`; `1` if nothing is shared |
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
    /// What the replicas of the server share.
    #[cfg(feature = "replicas")]
    shared: Option<Arc<dyn crate::replicas::SharedState>>,
    replica_variables: ReplicaVariables,
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
        let replica_variables = std::mem::take(&mut variables.replicas);
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
            #[cfg(feature = "replicas")]
            shared: None,
            replica_variables,
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

    fn start_in(mut self, own: Option<&Arc<Registry>>) -> Result<Handle, InvalidSettings> {
        let handle = Handle::new(own);
        self.warn();
        let registry: &Registry = if let Some(own) = own { own } else { Registry::global() };
        let mut setup = self.set_up(own, registry);
        let Self { overrides, file, mut problems, parts, health, .. } = self;
        let is_changed = overrides.are_there();
        let overrides = match registry.set_overrides(overrides) {
            Ok(holding) => holding,
            // What was bound before keeps other settings, so it cannot be checked against these.
            Err(why) => {
                #[cfg(any(feature = "deferred", feature = "replicas"))]
                let known = declared(parts);
                #[cfg(feature = "replicas")]
                known.sites.iter().for_each(|site| setup.sharing.check(site, site.policy(), &mut setup.problems));
                #[cfg(feature = "deferred")]
                setup.defer(self.deferring, own, &known);
                let others = is_changed.then_some(why).into_iter().chain(setup.problems).collect();
                if let Some(invalid) = InvalidSettings::of(problems, others) {
                    return Err(invalid);
                }
                setup.services.into_iter().for_each(|start| start(own, &handle));
                return Ok(handle);
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
            #[cfg(feature = "replicas")]
            setup.sharing.check(site, bound.policy(), &mut setup.problems);
        }
        registry.check_other_breakers();
        let (found, mut others) = registry.end_report();
        problems.extend(found);
        let names = Names::of(&known, registry.breaker_names());
        names.check(&known, &overrides, &mut problems);
        names.collisions(&mut others);
        let follows_health = level::check(registry, &overrides, &known, health.as_deref(), &mut problems);
        #[cfg(feature = "deferred")]
        setup.defer(self.deferring, own, &known);
        others.append(&mut setup.problems);
        match InvalidSettings::of(problems, others) {
            None => {
                let (path, content) = file.unzip();
                registry.set_source(Source::new(path, known, content));
                if let Some(health) = health.filter(|_| follows_health) {
                    level::follow(health, own, &handle);
                }
                setup.services.into_iter().for_each(|start| start(own, &handle));
                Ok(handle)
            }
            Some(invalid) => {
                overrides.refuse();
                Err(invalid)
            }
        }
    }

    /// Warns of what has no effect.
    fn warn(&mut self) {
        for (name, meant) in self.unread.drain(..) {
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
        #[cfg(not(feature = "alerts"))]
        self.alert_variables.warn();
        #[cfg(not(feature = "replicas"))]
        self.replica_variables.warn();
    }

    /// Sets up what the settings are not about, before any function is bound, so that it finds what it shares.
    #[cfg_attr(
        not(all(feature = "alerts", feature = "http", feature = "replicas")),
        allow(unused_mut, unused_variables, clippy::unused_self, reason = "there is less to set up")
    )]
    fn set_up(&mut self, own: Option<&Arc<Registry>>, registry: &Registry) -> Setup {
        #[cfg(feature = "http")]
        if let Some(token) = self.admin_token.take() {
            set_admin_token(registry, token);
        }
        let (mut problems, mut services) = <(Vec<String>, Vec<Service>)>::default();
        #[cfg(feature = "alerts")]
        {
            let variables = std::mem::take(&mut self.alert_variables);
            let alerts = alerts::check(self.alerts.take(), variables, own, &mut problems);
            let start = |alerts: crate::alerts::Evaluation| -> Service {
                Box::new(move |_, handle| alerts.start(&handle.tasks, &handle.stop))
            };
            services.extend(alerts.map(start));
        }
        #[cfg(feature = "replicas")]
        let (sharing, ready) = replicas::check(self.shared.take(), &self.replica_variables, registry, &mut problems);
        #[cfg(feature = "replicas")]
        services.push(Box::new(move |_, handle| sharing.start(ready, handle)));
        Setup {
            problems,
            services,
            #[cfg(feature = "replicas")]
            sharing,
        }
    }
}

/// What is set up beside the settings.
struct Setup {
    problems: Vec<String>,
    /// What runs in the background once nothing is wrong.
    services: Vec<Service>,
    /// What functions may share with other replicas.
    #[cfg(feature = "replicas")]
    sharing: replicas::Sharing,
}

/// Starts something that stops with the handle.
type Service = Box<dyn FnOnce(Option<&Arc<Registry>>, &Handle)>;

#[cfg(feature = "deferred")]
impl Setup {
    /// Prepares the worker for deferred writes.
    fn defer(&mut self, deferring: Option<deferred::Deferring>, own: Option<&Arc<Registry>>, known: &DeclaredNames) {
        let ready = deferred::check(deferring, own, known, &mut self.problems);
        let start = |ready: deferred::Ready| -> Service { Box::new(move |own, handle| ready.start(own, handle)) };
        self.services.extend(ready.map(start));
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
