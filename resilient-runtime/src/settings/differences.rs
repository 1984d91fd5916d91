//! The settings that differ between two policies, two breakers or two gates, in words.

use std::collections::BTreeSet;
use std::fmt;

use resilient_policy::{GateSettings, Level, LevelEffect, Policy, Settings, format_duration};
use serde::Serialize;

/// A setting that changed while the server runs.
///
/// ```no_run
/// # fn main() -> Result<(), resilient_runtime::startup::InvalidSettings> {
/// let handle = resilient_runtime::Resilience::from_env().start()?;
/// for change in handle.reload()?.changes {
///     println!("{}: {} before, {} now", change.what, change.from, change.to);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SettingChange {
    /// The setting: `list_scenarios: retry.base`, `breaker make: open`, `level`.
    pub what: String,
    /// The value before, as it is written in a file. `none` if there was none.
    pub from: String,
    /// The value from now on.
    pub to: String,
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, from, to } = self;
        write!(f, "{what} {from} -> {to}")
    }
}

/// Collects the settings that differ.
struct Found<'o> {
    of: &'o str,
    changes: Vec<SettingChange>,
}

impl Found<'_> {
    fn value<T: PartialEq>(&mut self, path: &str, from: &T, to: &T, text: impl Fn(&T) -> String) {
        if from != to {
            let what = if self.of.is_empty() { path.to_owned() } else { format!("{}: {path}", self.of) };
            self.changes.push(SettingChange { what, from: text(from), to: text(to) });
        }
    }

    fn parts<S: Settings>(&mut self, from: Option<&S>, to: Option<&S>) {
        match (from, to) {
            (Some(from), Some(to)) => {
                for part in S::PARTS {
                    let path = part.path.strip_prefix("breaker.").unwrap_or(part.path);
                    self.value(path, &(part.get)(from), &(part.get)(to), ToString::to_string);
                }
            }
            // The first part is what can be written alone: `bulkhead = 20`.
            _ => self.value(S::KEY, &from.copied(), &to.copied(), |settings| {
                let first = S::PARTS.first().zip(settings.as_ref());
                first.map_or_else(|| "none".into(), |(part, settings)| (part.get)(settings).to_string())
            }),
        }
    }
}

/// Returns the differences between two policies of a function, except for the settings of its breaker.
pub(crate) fn of_policies(function: &str, from: &Policy, to: &Policy) -> Vec<SettingChange> {
    let mut found = Found { of: function, changes: Vec::new() };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".into());
    found.value("timeout", &from.timeout, &to.timeout, |timeout| format_duration(*timeout));
    found.value("attempt_timeout", &from.attempt_timeout, &to.attempt_timeout, |limit| {
        or_none(limit.map(format_duration))
    });
    found.parts(from.retry.as_ref(), to.retry.as_ref());
    found.parts(from.bulkhead.as_ref().map(|it| &it.settings), to.bulkhead.as_ref().map(|it| &it.settings));
    found.parts(from.rate_limit.as_ref().map(|it| &it.settings), to.rate_limit.as_ref().map(|it| &it.settings));
    found.parts(from.deferred.as_ref(), to.deferred.as_ref());
    found.changes
}

/// Returns the differences between two caches of a function.
pub(crate) fn of_caches(function: &str, from: &Policy, to: &Policy) -> Vec<SettingChange> {
    let mut found = Found { of: function, changes: Vec::new() };
    found.parts(from.cache.as_ref(), to.cache.as_ref());
    found.changes
}

/// Returns the difference between having a breaker and having none.
pub(crate) fn of_breaker_names(function: &str, from: Option<&str>, to: Option<&str>) -> Vec<SettingChange> {
    let mut found = Found { of: function, changes: Vec::new() };
    found.value("breaker", &from, &to, |name| name.unwrap_or("none").to_owned());
    found.changes
}

/// Returns the differences between two settings of a breaker.
pub(crate) fn of_breakers<S: Settings>(name: &str, from: &S, to: &S) -> Vec<SettingChange> {
    let of = format!("breaker {name}");
    let mut found = Found { of: &of, changes: Vec::new() };
    found.parts(Some(from), Some(to));
    found.changes
}

/// Returns the differences between two settings of the gate.
pub(crate) fn of_gates(from: &GateSettings, to: &GateSettings) -> Vec<SettingChange> {
    let mut found = Found { of: "", changes: Vec::new() };
    let list = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let list = |names: &BTreeSet<String>| if names.is_empty() { "none".into() } else { list(names) };
    found.value("read_only", &from.switches.read_only, &to.switches.read_only, bool::to_string);
    found.value("tools off", &from.switches.tools, &to.switches.tools, list);
    found.value("features off", &from.switches.features, &to.switches.features, list);
    found.value("level", &from.level, &to.level, |level| level.map_or("none", Level::as_str).into());
    found.value("level.automatic", &from.automatic, &to.automatic, bool::to_string);
    for level in Level::ALL {
        let [from, to]: [&LevelEffect; 2] = [from, to].map(|settings| settings.levels.effect(*level));
        let path = |key: &str| format!("level.{level}.{key}");
        found.value(&path("read_only"), &from.read_only, &to.read_only, bool::to_string);
        found.value(&path("cache_only"), &from.cache_only, &to.cache_only, bool::to_string);
        found.value(&path("concurrency"), &from.concurrency, &to.concurrency, |limit| {
            limit.map_or_else(|| "none".into(), |limit| limit.to_string())
        });
        found.value(&path("disable"), &from.disabled, &to.disabled, list);
    }
    found.changes
}
