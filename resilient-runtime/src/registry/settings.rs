//! Effective policies and breaker settings: those in the code, with the overrides from start-up.

#[cfg(feature = "config")]
use std::sync::atomic::Ordering;
#[cfg(feature = "config")]
use std::sync::{Arc, MutexGuard, PoisonError};

use resilient_policy::BreakerSettings;
#[cfg(not(feature = "config"))]
use resilient_policy::Policy;
#[cfg(feature = "config")]
use resilient_policy::{FileProblem, GateSettings, GateTables};

use super::Registry;
#[cfg(feature = "config")]
use crate::gate::Changed;
#[cfg(feature = "config")]
pub(super) use crate::settings::EffectivePolicy;
#[cfg(feature = "config")]
use crate::settings::{DeclaredNames, DeclaredTools, Overrides, gate_tables};
use crate::site::Site;

/// What the settings of the gate were combined from, and the result.
#[cfg(feature = "config")]
#[derive(Default)]
pub(super) struct Combined {
    declared: DeclaredTools,
    settings: GateSettings,
    /// Whether the settings were read again, so that new switches no longer belong to the start.
    is_reloaded: bool,
    /// Whether the level is evaluated from the health of the server.
    follows_health: bool,
}

/// What a reload has done to the gate.
#[cfg(feature = "config")]
pub(super) struct GateReload {
    pub(super) before: GateSettings,
    pub(super) after: GateSettings,
    /// What only a restart applies in full.
    pub(super) needs_restart: Vec<String>,
    pub(super) changed: Changed,
}

/// An effective policy.
#[cfg(not(feature = "config"))]
pub(super) struct EffectivePolicy {
    pub(super) policy: Policy,
    /// Whether a `static` breaker in the code stays in effect.
    pub(super) keeps_static: bool,
}

#[cfg(not(feature = "config"))]
#[expect(clippy::unused_self, reason = "used with the feature `config`")]
impl Registry {
    /// Returns the effective policy of a function.
    pub(super) fn policy(&self, site: &Site) -> EffectivePolicy {
        EffectivePolicy { policy: *site.policy(), keeps_static: true }
    }

    pub(super) const fn breaker_settings(&self, _: &str, compiled: BreakerSettings) -> BreakerSettings {
        compiled
    }

    pub(super) const fn check_breaker(&self, _: &str, _: BreakerSettings) {}

    /// Returns the generation of the settings, which never change.
    pub(super) const fn generation(&self) -> u64 {
        0
    }
}

#[cfg(feature = "config")]
impl Registry {
    /// Applies overrides to everything that is bound from now on, and begins a report.
    ///
    /// # Errors
    ///
    /// If overrides were set before, or if a function is already bound and the overrides change anything.
    pub(crate) fn set_overrides(&self, overrides: Overrides) -> Result<Arc<Overrides>, String> {
        let holding = self.overrides();
        let inner = self.lock();
        // Under the lock that every binding takes first.
        let changes_what_is_bound =
            overrides.change_policies() && holding.as_ref().is_none_or(|it| !it.change_policies());
        if let Some(first) = inner.first_bound.filter(|_| changes_what_is_bound) {
            return Err(format!(
                "`{first}` was guarded before the settings were read; call `Resilience::from_env()` before anything \
                 that builds a router or calls a guarded function"
            ));
        }
        if self.gate.has_built_router() && overrides.have_switches() {
            return Err("a router was built before the settings were read, so it lists tools that they switch off; \
                        call `Resilience::from_env()` before anything that builds a router"
                .into());
        }
        if holding.is_some() {
            return Err("the settings were read already; call `start` once".into());
        }
        let overrides = Arc::new(overrides);
        self.replace_overrides(Arc::clone(&overrides));
        drop(inner);
        self.begin_report();
        let changed = self.combine(&mut self.combined());
        if let Some(changed) = changed {
            changed.log();
        }
        Ok(overrides)
    }

    /// Returns the overrides, if they are known.
    pub(super) fn overrides(&self) -> Option<Arc<Overrides>> {
        self.overrides.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace_overrides(&self, overrides: Arc<Overrides>) {
        *self.overrides.write().unwrap_or_else(PoisonError::into_inner) = Some(overrides);
    }

    /// Keeps the settings as they are until the guard is dropped. Only for what ends at once: each binding waits for it.
    pub(super) fn hold_settings(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the generation of the settings: a binding of another one is old.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Adds tools and their compiled files to what the settings of the gate apply to. Has to be called before the routes
    /// of the tools are published, so that those that are switched off at start are not.
    pub(crate) fn declare_tools(&self, known: &DeclaredNames) {
        let mut combined = self.combined();
        let changed = if combined.declared.add(known) { self.combine(&mut combined) } else { None };
        drop(combined);
        if let Some(changed) = changed {
            changed.log();
        }
    }

    /// Combines the settings of the gate from all sources, and passes them to the gate if they have changed. The lock is
    /// held until then, so that the settings of the most tools are the last.
    fn combine(&self, combined: &mut Combined) -> Option<Changed> {
        let settings = gate_tables(&combined.declared, self.overrides().as_deref()).settings();
        if settings == combined.settings {
            return None;
        }
        combined.settings = settings;
        Some(self.pass_to_gate(combined).1)
    }

    /// Passes the combined settings to the gate. Returns what needs a restart.
    fn pass_to_gate(&self, combined: &Combined) -> (Vec<String>, Changed) {
        let mut settings = combined.settings.clone();
        // Until something evaluates the health, the level does not follow it.
        settings.automatic &= combined.follows_health;
        if combined.is_reloaded { self.gate.reload(settings) } else { (Vec::new(), self.gate.start(settings)) }
    }

    /// Replaces the overrides, and combines the settings of the gate. Both are one step for those who read the settings
    /// of the gate: what a reload removes does not become the switches at start of a router that is built meanwhile.
    pub(super) fn reload_gate(&self, overrides: Arc<Overrides>) -> GateReload {
        let mut combined = self.combined();
        combined.is_reloaded = true;
        let after = gate_tables(&combined.declared, Some(&overrides)).settings();
        self.replace_overrides(overrides);
        let before = std::mem::replace(&mut combined.settings, after.clone());
        let (mut needs_restart, changed) = self.pass_to_gate(&combined);
        if after.automatic && !combined.follows_health {
            needs_restart.push("level.automatic: the level follows the health with the next restart".into());
        }
        GateReload { before, after, needs_restart, changed }
    }

    /// Notes that the level is evaluated from the health of the server from now on.
    pub(crate) fn follows_health(&self) {
        let mut combined = self.combined();
        combined.follows_health = true;
        let (_, changed) = self.pass_to_gate(&combined);
        drop(combined);
        changed.log();
    }

    fn combined(&self) -> MutexGuard<'_, Combined> {
        self.gate_settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all sources of the gate's settings together, with their problems, once the tools are known.
    pub(crate) fn check_gate(
        &self,
        overrides: &Overrides,
        known: &DeclaredNames,
        problems: &mut Vec<FileProblem>,
    ) -> GateTables {
        let declared = self.combined().declared.clone();
        let tables = gate_tables(&declared, Some(overrides));
        overrides.check_gate(&tables, &declared, known, problems);
        tables
    }

    /// Returns the effective policy of a function.
    pub(super) fn policy(&self, site: &Site) -> EffectivePolicy {
        let compiled = || EffectivePolicy { policy: *site.policy(), keeps_static: true };
        let Some(overrides) = self.overrides() else { return compiled() };
        let named = site.breaker.map(crate::Breaker::name).or(site.policy().breaker.map(|breaker| breaker.name));
        self.lock().named_breakers.extend(named);
        if overrides.are_refused() {
            return compiled();
        }
        let mut problems = Vec::new();
        let holding = overrides.policy(site, &mut problems);
        self.note(problems);
        if let Some(own) = site.breaker
            && overrides.tunes_breaker(own.name())
        {
            self.conflict(is_static(own.name()));
        }
        holding
    }

    /// Returns the effective settings of a breaker whose compiled settings are `compiled`.
    pub(super) fn breaker_settings(&self, name: &str, compiled: BreakerSettings) -> BreakerSettings {
        match self.overrides().filter(|overrides| !overrides.are_refused()) {
            Some(overrides) => overrides.breaker(name, compiled, &mut Vec::new()),
            None => compiled,
        }
    }

    /// Records the problems of the overrides for a breaker.
    pub(super) fn check_breaker(&self, name: &str, compiled: BreakerSettings) {
        if let Some(overrides) = self.overrides().filter(|overrides| !overrides.are_refused()) {
            let mut problems = Vec::new();
            overrides.breaker(name, compiled, &mut problems);
            self.note(problems);
        }
    }

    /// Records the problems of the overrides for breakers without settings in the code, and for breakers that an
    /// override has disabled.
    pub(crate) fn check_other_breakers(&self) {
        let inner = self.lock();
        let names = inner.named_breakers.iter().copied();
        let others: Vec<_> = names.filter(|name| !inner.declared.contains_key(&("breaker", *name))).collect();
        drop(inner);
        for name in others {
            self.check_breaker(name, BreakerSettings::new());
        }
    }

    /// Returns the names of all breakers that known functions use, or would use if it were not disabled.
    pub(crate) fn breaker_names(&self) -> Vec<&'static str> {
        self.lock().named_breakers.iter().copied().collect()
    }
}

/// Returns the message for an override of a breaker that the code owns.
#[cfg(feature = "config")]
pub(super) fn is_static(breaker: &str) -> String {
    format!("the breaker `{breaker}` is a `static` of the code; of its settings only `enabled` can be changed")
}
