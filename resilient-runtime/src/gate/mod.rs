//! The gate: what an operator can switch while the server runs.
//!
//! The hook asks the gate about every call of a tool, once and before anything runs. So does a guard for a tool of
//! another server ([`Guard::as_tool`](crate::Guard::as_tool)). Guarded functions outside of a route, other guards,
//! prompts and resources are not gated, and neither are the ready-made tools of `mcp::operator_tools` (feature `rmcp`).
//!
//! | switch | refuses | `kind` | `details.reason` |
//! |---|---|---|---|
//! | read-only | tools that are not known to read | `read_only` | `read_only` |
//! | a tool or a feature is off | that tool, the tools of that feature | `disabled` | `disabled` |
//! | cache-only | tools that read, unless `fallback = cached` has an answer | `unavailable` | `cache_only` |
//! | concurrency | calls beyond the limit, unless `fallback = cached` or a value answers | `overloaded` | `concurrency` |
//!
//! A [`Level`] combines switches. The strictest of the settings at start, the file, the level and the operator holds.

pub(crate) mod by_health;
mod error;
mod in_flight;
pub(crate) mod known;
mod merge;
mod source;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use resilient_policy::{GateSettings, nearest};
use tokio::sync::watch;

use in_flight::Calls;
use merge::{Cause, Effective, Sources, Switch};

pub use error::GateError;
pub use resilient_policy::Level;
pub use source::{LevelSource, SwitchedBy};
pub use state::{GateState, SwitchedOff};

pub(crate) use in_flight::InFlight;

use crate::error::Refusal;
use crate::panics::catch_panic;

/// Whether any gate of this process switches or counts anything. All that a call reads of a server that uses no gate.
static IS_ACTIVE: AtomicBool = AtomicBool::new(false);

/// Returns whether calls have to be decided about.
#[inline]
pub(crate) fn is_active() -> bool {
    IS_ACTIVE.load(Ordering::Relaxed)
}

/// The switches of a [`Registry`](crate::Registry): its level, and the tools and features that are off. They are kept
/// in this process only.
///
/// ```
/// use resilient_runtime::Registry;
/// use resilient_runtime::gate::{Level, LevelSource};
///
/// let registry = Registry::new();
/// let gate = registry.gate();
/// let level = gate.subscribe();
/// gate.set_level(Some(Level::Minimal)).unwrap();
/// assert_eq!((gate.level(), *level.borrow()), (Level::Minimal, Level::Minimal));
/// assert_eq!(gate.state().level_source, LevelSource::Admin);
/// ```
#[derive(Debug)]
pub struct Gate {
    held: RwLock<Held>,
    calls: Calls,
    level: watch::Sender<Level>,
    /// The number of the last change of the level that was sent.
    sent: Mutex<u64>,
    has_built_router: AtomicBool,
}

/// What switches, and what follows from it.
#[derive(Debug)]
struct Held {
    sources: Sources,
    effective: Effective,
    /// How often the level has changed.
    changes: u64,
}

/// What the gate needs to know of the tool of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gated<'a> {
    /// The names of the tool: that of its route and that of its policy.
    pub(crate) names: [&'a str; 2],
    pub(crate) features: &'static [&'static str],
    /// Whether it may write: it is not known to read only.
    pub(crate) writes: bool,
    /// Whether it may be one that only reads. It may be both, if it is not certain which function serves the route.
    pub(crate) reads: bool,
    pub(crate) is_critical: bool,
}

impl Default for Gate {
    fn default() -> Self {
        let sources = Sources::new(SystemTime::now());
        let effective = Effective::of(&sources);
        Self {
            held: RwLock::new(Held { sources, effective, changes: 0 }),
            calls: Calls::default(),
            level: watch::Sender::new(Level::Normal),
            sent: Mutex::default(),
            has_built_router: AtomicBool::new(false),
        }
    }
}

impl Gate {
    /// Applies the settings at start: before the first router is built, and again before one that brings more settings.
    pub(crate) fn start(&self, settings: GateSettings) -> Changed {
        self.activate_for(&settings);
        self.change(|sources| sources.start(settings, SystemTime::now())).1
    }

    /// Returns whether a router was built, so that static switches come too late.
    pub(crate) fn has_built_router(&self) -> bool {
        self.has_built_router.load(Ordering::Relaxed)
    }

    /// Notes that a router is built with the switches at start.
    pub(crate) fn router_built(&self) {
        self.has_built_router.store(true, Ordering::Relaxed);
    }

    /// Counts the calls in flight from now on, for a server whose level can change at any time.
    #[expect(clippy::unused_self, reason = "the gates of all registries share one word, which every call reads")]
    pub(crate) fn activate(&self) {
        IS_ACTIVE.store(true, Ordering::Relaxed);
    }

    /// Decides about calls from now on, if the settings switch anything off or have levels.
    fn activate_for(&self, settings: &GateSettings) {
        let has_level = settings.level.is_some() || settings.automatic;
        if settings.is_configured || has_level || !settings.switches.is_empty() {
            self.activate();
        }
    }

    /// Applies new settings of the files. Returns the switches that only a restart applies in full, as texts for a
    /// report.
    pub(crate) fn reload(&self, settings: GateSettings) -> (Vec<String>, Changed) {
        self.activate_for(&settings);
        self.change(|sources| {
            sources.reload(settings, SystemTime::now());
            sources.needs_restart()
        })
    }

    /// Sets the level by hand. `None` returns it to the settings, or to the health of the server.
    ///
    /// Calls in flight continue. Calls that began before the gate was used are not counted against `concurrency`.
    ///
    /// # Errors
    /// None at present: no setting forbids a level.
    pub fn set_level(&self, level: Option<Level>) -> Result<GateState, GateError> {
        self.activate();
        self.change(|sources| sources.admin_level = level).1.log();
        Ok(self.state())
    }

    /// Turns a tool off, or on again.
    ///
    /// # Errors
    /// [`GateError::Forbidden`] for a tool that the settings turn off, [`GateError::Unknown`] for a tool that no router
    /// of this process has.
    pub fn switch_tool(&self, name: &str, enabled: bool) -> Result<GateState, GateError> {
        let known = known::tools();
        self.switch(Switch::Tool(name.to_owned()), enabled, known.iter().map(String::as_str))
    }

    /// Turns a feature off, or on again. A feature that the level disables stays off.
    ///
    /// # Errors
    /// [`GateError::Forbidden`] for a feature that the settings turn off, [`GateError::Unknown`] for one that is neither
    /// declared nor on a tool.
    pub fn switch_feature(&self, name: &str, enabled: bool) -> Result<GateState, GateError> {
        let known = self.features();
        self.switch(Switch::Feature(name.to_owned()), enabled, known.iter().map(String::as_str))
    }

    fn switch<'a>(
        &self,
        switch: Switch,
        enabled: bool,
        mut known: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<GateState, GateError> {
        let name = switch.name();
        if !known.clone().any(|known| known == name) {
            let suggestion = nearest(name, &mut known).map(str::to_owned);
            return Err(GateError::Unknown { name: name.to_owned(), suggestion });
        }
        self.activate();
        let (switched, changed) = self.change(|sources| {
            if enabled {
                let by_settings = sources.start.contains_key(&switch) || sources.reloaded.contains_key(&switch);
                if by_settings {
                    let message = format!(
                        "the settings turn the {} `{}` off, and nothing at run time lifts that",
                        switch.what(),
                        switch.name()
                    );
                    return Err(GateError::Forbidden { message });
                }
                sources.admin.remove(&switch);
            } else {
                sources.admin.entry(switch).or_insert_with(SystemTime::now);
            }
            Ok(())
        });
        changed.log();
        switched.map(|()| self.state())
    }

    /// Reports the level that the health of the server suggests. It holds if `automatic` is set and nothing else sets a
    /// level.
    pub(crate) fn level_by_health(&self, level: Level) {
        self.change(|sources| sources.health = level).1.log();
    }

    /// Returns what is switched, by what and since when.
    #[must_use]
    pub fn state(&self) -> GateState {
        let features = self.features().into_iter().collect();
        let held = self.read();
        GateState::of(&held.effective, self.calls.count(), features)
    }

    /// Returns the level that holds.
    #[must_use]
    pub fn level(&self) -> Level {
        self.read().effective.level
    }

    /// Returns a channel with the level, which is notified of each change. Changes wait while a receiver borrows the
    /// level; calls of tools do not.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Level> {
        self.level.subscribe()
    }

    /// Adds a tool that a router has.
    pub(crate) fn knows(tool: &Gated<'_>) {
        known::add(tool);
    }

    /// Returns whether the settings at start turn a tool off, so that it is not listed.
    pub(crate) fn is_off_at_start(&self, tool: &Gated<'_>) -> bool {
        let held = self.read();
        let start = &held.sources.start;
        let has = |switch: Switch| start.contains_key(&switch);
        !start.is_empty()
            && (tool.names.iter().any(|name| has(Switch::Tool((*name).to_owned())))
                || tool.features.iter().any(|name| has(Switch::Feature((*name).to_owned())))
                || (tool.writes && has(Switch::Writes)))
    }

    /// Decides about a call. `Ok`: the call may run, and counts as in flight until the value is dropped, unless it
    /// `is_nested` in another call of a tool.
    pub(crate) fn admit(&self, tool: &Gated<'_>, is_nested: bool) -> Result<Option<InFlight>, Refusal> {
        // Held during the decision: once a switch is set, no call is admitted by what was before.
        let held = self.read();
        let all = &held.effective;
        if let Some(refusal) = all.refusal(tool, is_nested) {
            return Err(refusal);
        }
        if is_nested {
            return Ok(None);
        }
        let begun = self.calls.begin(all.concurrency, tool.is_critical);
        begun.map(Some).ok_or(Refusal::Concurrency { level: all.level, since: all.level_since })
    }

    /// Returns the refusal of a call that is in flight and has waited, if something was switched off in the meantime.
    pub(crate) fn refusal(&self, tool: &Gated<'_>) -> Option<Refusal> {
        self.read().effective.refusal(tool, false)
    }

    /// Applies settings at start, for tests of this crate.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn __start(&self, settings: GateSettings) {
        self.start(settings).log();
    }

    /// Applies new settings, for tests of this crate.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn __reload(&self, settings: GateSettings) -> Vec<String> {
        let (needs_restart, changed) = self.reload(settings);
        changed.log();
        needs_restart
    }

    /// Reports a level that the health suggests, for tests of this crate.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn __level_by_health(&self, level: Level) {
        self.level_by_health(level);
    }

    /// Returns the features that are declared or that a tool has.
    fn features(&self) -> BTreeSet<String> {
        let mut features = known::features();
        features.extend(self.read().sources.settings.features.keys().cloned());
        features
    }

    /// Changes what switches.
    fn change<T>(&self, change: impl FnOnce(&mut Sources) -> T) -> (T, Changed) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let (switched, (before, _)) = (held.sources.switched(), held.sources.level());
        let answer = change(&mut held.sources);
        let (level, source) = held.sources.level();
        held.sources.note_level(before, SystemTime::now());
        held.effective = Effective::of(&held.sources);
        let switched = differences(&switched, &held.sources.switched());
        held.changes += u64::from(level != before);
        let number = held.changes;
        drop(held);
        if level != before {
            self.send(number, level);
        }
        (answer, Changed { level: (level != before).then_some((before, level, source)), switched })
    }

    /// Sends a change of the level to the subscribers, unless a later one was sent. Without the lock that calls take: a
    /// subscriber that borrows the level blocks this.
    fn send(&self, number: u64, level: Level) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if number > *sent {
            *sent = number;
            self.level.send_replace(level);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change that is not logged yet. Log it without holding a lock: subscribers are foreign code, which may panic, use the
/// gate or call guarded functions.
#[must_use]
pub(crate) struct Changed {
    level: Option<(Level, Level, LevelSource)>,
    switched: Vec<(Switch, bool, SwitchedBy)>,
}

impl Changed {
    pub(crate) fn log(self) {
        catch_panic(|| {
            if let Some((from, to, reason)) = self.level {
                let (from, to, reason) = (from.as_str(), to.as_str(), reason.as_str());
                tracing::warn!(event = "level.changed", from, to, reason);
            }
            for (switch, enabled, by) in &self.switched {
                let (kind, name, by) = (switch.what(), switch.name(), by.as_str());
                tracing::warn!(event = "switch.changed", switch = kind, name, enabled, by);
            }
        });
    }
}

/// Returns the switches that were turned off or on.
fn differences(before: &BTreeMap<Switch, Cause>, now: &BTreeMap<Switch, Cause>) -> Vec<(Switch, bool, SwitchedBy)> {
    let without = |all: &BTreeMap<Switch, Cause>, others: &BTreeMap<Switch, Cause>, enabled| -> Vec<_> {
        let gone = all.iter().filter(|(switch, _)| !others.contains_key(*switch));
        gone.map(|(switch, cause)| (switch.clone(), enabled, cause.by)).collect()
    };
    let mut all = without(now, before, false);
    all.extend(without(before, now, true));
    all
}

#[cfg(test)]
mod tests;
