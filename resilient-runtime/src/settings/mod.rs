//! Settings at start: what an operator changes without a rebuild.

mod overrides;
mod report;
mod variables;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use resilient_policy::{BreakerTable, File, FileProblem, Place, nearest};

pub(crate) use overrides::Overrides;
pub use report::InvalidSettings;
use variables::{CONFIG, Section, Variables, in_capitals, not_guarded};

use crate::guard::Guard;
use crate::registry::Registry;
use crate::site::Site;

/// The settings of a server at its start, from the environment.
///
/// | variable | |
/// |---|---|
/// | `RESILIENT__TOOL__NAME__KEY` | of one tool: `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT=5s`, `.._RETRY__BASE=250ms`, `.._BREAKER=none` |
/// | `RESILIENT__BREAKER__NAME__KEY` | of one breaker: `RESILIENT__BREAKER__MAKE__ENABLED=false`, `.._OPEN=10s` |
/// | `RESILIENT__PROFILE__NAME__KEY` | of what follows a profile |
/// | `RESILIENT__DEFAULT__KEY` | of everything |
/// | `RESILIENT_CONFIG` | the path of a file in the form of `resilient.toml` |
/// | `RESILIENT_DISABLED` | `1` leaves context, statistics, panic barrier, cancellation and fallbacks, and nothing that rejects, repeats or cuts off |
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
    parts: Vec<Part>,
}

/// What finds out, once the settings are there, about guarded functions of one kind.
type Part = Box<dyn FnOnce() -> Known + Send>;

/// Guarded functions, and names that settings may have.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) sites: Vec<&'static Site>,
    /// The names of all tools, guarded or not.
    pub(crate) tools: Vec<String>,
    /// The tools that `resilient.toml` speaks of, each with the place where it does.
    pub(crate) tables: Vec<(&'static str, &'static str)>,
    /// Breakers that functions use of which nothing else is known.
    pub(crate) breakers: Vec<&'static str>,
}

impl Resilience {
    /// The settings of this process's environment. What is wrong with them is told by
    /// [`start`](Self::start).
    pub fn from_env() -> Self {
        Self::from_variables(std::env::vars_os())
    }

    /// The settings of these variables.
    pub fn from_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut problems = Vec::new();
        let variables = Variables::read(variables, &mut problems);
        let mut file = File::default();
        if let Some(path) = &variables.config {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let (read, found) = File::parse(path, &text);
                    file = read;
                    problems.extend(found);
                }
                Err(error) => {
                    let message = format!("`{path}` cannot be read: {error}");
                    problems.push(FileProblem { place: Place::Variable(CONFIG.into()), key: String::new(), message });
                }
            }
        }
        Self { overrides: Overrides::new(file, variables), problems, parts: Vec::new() }
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
    /// in two places. The server should not start then.
    pub fn start(self) -> Result<(), InvalidSettings> {
        self.start_in(None)
    }

    /// As [`start`](Self::start), for what runs in this registry.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_with(self, registry: &Arc<Registry>) -> Result<(), InvalidSettings> {
        self.start_in(Some(registry))
    }

    fn start_in(self, own: Option<&Arc<Registry>>) -> Result<(), InvalidSettings> {
        let Self { overrides, mut problems, parts } = self;
        let registry: &Registry = if let Some(own) = own { own } else { Registry::global() };
        let is_changed = overrides.are_there();
        let overrides = match registry.set_overrides(overrides) {
            Ok(holding) => holding,
            Err(why) => {
                // What was bound before has other settings than it would be told to have.
                let mut others = registry.conflicts();
                others.extend(is_changed.then_some(why));
                return InvalidSettings::of(problems, others).map_or(Ok(()), Err);
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
            match own {
                Some(own) => drop(site.bind_in(own)),
                None => drop(site.bind()),
            }
        }
        problems.extend(registry.take_problems());
        let mut others = registry.conflicts();
        names(&known, overrides, registry, &mut problems, &mut others);
        InvalidSettings::of(problems, others).map_or(Ok(()), Err)
    }
}

/// Settings of names that nobody has, and names that variables cannot tell apart.
fn names(
    known: &Known,
    overrides: &Overrides,
    registry: &Registry,
    problems: &mut Vec<FileProblem>,
    others: &mut Vec<String>,
) {
    let of_sites = known.sites.iter().filter_map(|site| site.tool());
    let mut tools: Vec<&str> = known.tools.iter().map(String::as_str).chain(of_sites).collect();
    tools.sort_unstable();
    tools.dedup();
    let mut profiles: Vec<&str> = known.sites.iter().flat_map(|site| site.profiles).copied().collect();
    profiles.sort_unstable();
    profiles.dedup();
    let mut breakers = registry.breaker_names();
    breakers.extend(&known.breakers);
    breakers.sort_unstable();
    breakers.dedup();

    let mut unknown = |what: &str, name: &str, known: &[&str], place: Place| {
        if known.contains(&name) {
            return;
        }
        let meant = match nearest(name, known.iter().copied()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if known.is_empty() => "; none is known here".into(),
            None => format!("; known are `{}`", known.join("`, `")),
        };
        problems.push(FileProblem { place, key: String::new(), message: format!("no {what} `{name}`{meant}") });
    };
    for (name, place) in &known.tables {
        unknown("tool", name, &tools, Place::Variable((*place).into()));
    }
    let File { default: _, profiles: in_profiles, breakers: in_breakers, tools: in_tools } = &overrides.file;
    let places = in_tools.iter().map(|(name, table)| ("tool", name, &tools, table.place.clone()));
    let places =
        places.chain(in_profiles.iter().map(|(name, table)| ("profile", name, &profiles, table.place.clone())));
    let in_breakers = in_breakers.iter().map(|(name, table)| ("breaker", name, &breakers, Some(table.place.clone())));
    for (what, name, known, place) in places.chain(in_breakers) {
        if let Some(place) = place {
            unknown(what, name, known, place);
        }
    }
    let guarded: Vec<&str> = known.sites.iter().filter_map(|site| site.tool()).collect();
    for (name, table) in in_tools.iter().filter(|(name, _)| tools.contains(&name.as_str())) {
        if let Some(place) = table.place.clone().filter(|_| !guarded.contains(&name.as_str())) {
            problems.push(FileProblem { place, key: String::new(), message: not_guarded(name) });
        }
    }
    // Of these nothing is known but their names.
    for (variable, name) in overrides.of_breakers(&known.breakers) {
        if let Some(keys) = variable.keys_for(name) {
            problems.extend(BreakerTable::of_variable(&variable.name, &keys, &variable.value).1);
        }
    }
    for variable in overrides.variables.iter().filter(|variable| !variable.is_used()) {
        let known = match variable.section {
            Section::Tool => &tools,
            Section::Breaker => &breakers,
            Section::Profile => &profiles,
            // Nothing is guarded.
            Section::Default => continue,
        };
        problems.push(variable.names_nobody(known));
    }
    for (what, names) in [("tools", &tools), ("breakers", &breakers), ("profiles", &profiles)] {
        let mut capitals: HashMap<String, &str> = HashMap::new();
        for name in names {
            if let Some(other) = capitals.insert(in_capitals(name), name) {
                let variable = in_capitals(name);
                others.push(format!(
                    "the {what} `{other}` and `{name}` would both be `{variable}` in a variable; rename one of them"
                ));
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
