//! Settings at start: what an operator changes without a rebuild.

mod report;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use resilient_policy::{File, FileProblem, Place};

pub use report::InvalidSettings;

use crate::binding::BindingRef;
use crate::guard::Guard;
use crate::registry::Registry;
use crate::settings::{CONFIG, Known, Names, Overrides, Variables};

/// The settings of a server at its start, from the environment.
///
/// | variable | |
/// |---|---|
/// | `RESILIENT__TOOL__NAME__KEY` | of one tool: `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT=5s`, `.._RETRY__BASE=250ms`, `.._BREAKER=none` |
/// | `RESILIENT__BREAKER__NAME__KEY` | of one breaker: `RESILIENT__BREAKER__MAKE__ENABLED=false`, `.._OPEN=10s` |
/// | `RESILIENT__PROFILE__NAME__KEY` | of what follows a profile |
/// | `RESILIENT__DEFAULT__KEY` | of everything |
/// | `RESILIENT_CONFIG` | the path of a file in the form of `resilient.toml` |
/// | `RESILIENT_DISABLED` | `true` leaves context, statistics, panic barrier, cancellation and fallbacks, and nothing that rejects, repeats or cuts off |
///
/// A switch is `1` or `0`, `true` or `false`, `yes` or `no`, `on` or `off`, in any case. A variable whose name
/// is ours in small letters, or behind a word such as `RESILIENCE`, is not read: a warning says the right name.
///
/// Names are written in capitals, with `_` for `-` and `.`. A variable is stronger than the file, a
/// tool's setting stronger than its profiles' and theirs than the default. All of them are stronger
/// than what was compiled in, which they tune part by part, or take away with `none`; they cannot
/// add a key that the code does not have. Every rule that holds for the attribute holds here.
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
/// // First of all, so that nothing runs under other settings.
/// Resilience::from_env().tools(MakeServer::tool_router).start()?;
/// # Ok(()) } }
/// ```
///
/// Nothing is read where nobody calls this.
#[must_use = "nothing is set before `start`"]
pub struct Resilience {
    overrides: Overrides,
    problems: Vec<FileProblem>,
    /// Variables that are not read, each with the name that was probably meant.
    unread: Vec<(String, String)>,
    parts: Vec<Part>,
}

/// What finds out, once the settings are there, about guarded functions of one kind.
type Part = Box<dyn FnOnce() -> Known + Send>;

impl Resilience {
    /// The settings of this process's environment. What is wrong with them is told by
    /// [`start`](Self::start).
    pub fn from_env() -> Self {
        Self::from_variables(std::env::vars_os())
    }

    /// The settings of these variables.
    pub fn from_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut problems = Vec::new();
        let mut variables = Variables::read(variables, &mut problems);
        let unread = std::mem::take(&mut variables.unread);
        let mut file = File::default();
        if let Some(path) = &variables.config {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let (read, mut found) = File::parse(path, &text);
                    if found.is_empty() {
                        found = read.check(false);
                    }
                    file = read;
                    problems.extend(found);
                }
                Err(error) => {
                    let message = format!("`{path}` cannot be read: {error}");
                    problems.push(FileProblem { place: Place::Variable(CONFIG.into()), key: String::new(), message });
                }
            }
        }
        Self { overrides: Overrides::new(file, variables), problems, unread, parts: Vec::new() }
    }

    /// Knows the tools of a router, for which settings may be. A router is asked for when the
    /// settings are there.
    #[cfg(feature = "rmcp")]
    pub fn tools<S>(mut self, router: fn() -> rmcp::handler::server::router::tool::ToolRouter<S>) -> Self
    where
        S: Send + Sync + 'static,
    {
        self.parts.push(Box::new(move || crate::mcp::known(router)));
        self
    }

    /// Knows a guard.
    pub fn guard(mut self, guard: &'static Guard) -> Self {
        self.parts.push(Box::new(move || Known { sites: vec![guard.site()], ..Known::default() }));
        self
    }

    /// Knows a breaker that is only used by functions outside of any router: they are not known
    /// before they are called.
    pub fn breaker(mut self, name: &'static str) -> Self {
        self.parts.push(Box::new(move || Known { breakers: vec![name], ..Known::default() }));
        self
    }

    /// Checks everything and lets it hold for this process.
    ///
    /// # Errors
    /// Every problem: of the variables and of the file, of names that nobody has, of rules that a
    /// tool's policy would break, and of breakers and limits that the code itself sets differently
    /// in two places. The server should not start then; if it does, what is guarded later is guarded
    /// as the code says.
    pub fn start(self) -> Result<(), InvalidSettings> {
        self.start_in(None)
    }

    /// As [`start`](Self::start), for what runs in this registry: for tests. Routers are built for
    /// the process's own registry too, with what the code says.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_with(self, registry: &Arc<Registry>) -> Result<(), InvalidSettings> {
        self.start_in(Some(registry))
    }

    fn start_in(self, own: Option<&Arc<Registry>>) -> Result<(), InvalidSettings> {
        let Self { overrides, mut problems, unread, parts } = self;
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
        let is_changed = overrides.are_there();
        let overrides = match registry.set_overrides(overrides) {
            Ok(holding) => holding,
            // What was bound before has other settings than it would be told to have.
            Err(why) => {
                return InvalidSettings::of(problems, is_changed.then_some(why).into_iter().collect())
                    .map_or(Ok(()), Err);
            }
        };
        let mut known = Known::default();
        for part in parts {
            let Known { sites, tools, tables, breakers } = part();
            known.sites.extend(sites);
            known.tools.extend(tools);
            known.tables.extend(tables);
            known.breakers.extend(breakers);
        }
        for site in &known.sites {
            let bound = match own {
                Some(own) => BindingRef::Scoped(site.bind_in(own)),
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
        names.check(&known, overrides, &mut problems);
        names.collisions(&mut others);
        match InvalidSettings::of(problems, others) {
            None => Ok(()),
            Some(invalid) => {
                overrides.refuse();
                Err(invalid)
            }
        }
    }
}

impl fmt::Debug for Resilience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value may be anything that somebody put into the environment.
        f.debug_struct("Resilience").field("problems", &self.problems).finish_non_exhaustive()
    }
}
