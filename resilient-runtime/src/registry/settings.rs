//! Policies and breakers as they hold: as the code has them, with what was set at start.

#[cfg(feature = "config")]
use resilient_policy::FileProblem;
use resilient_policy::{BreakerSettings, Policy};

use super::Registry;
use crate::breaker::Breaker;
#[cfg(feature = "config")]
use crate::settings::Overrides;
use crate::site::Site;

#[cfg(not(feature = "config"))]
impl Registry {
    /// The policy of a function as it holds.
    #[expect(clippy::unused_self, reason = "with settings at start it is")]
    pub(super) fn policy(&self, site: &Site) -> Policy {
        *site.policy()
    }

    #[expect(clippy::unused_self, reason = "with settings at start it is")]
    pub(super) fn breaker_settings(&self, _: &str, compiled: Option<BreakerSettings>) -> BreakerSettings {
        compiled.unwrap_or_default()
    }

    #[expect(clippy::unused_self, reason = "with settings at start it is")]
    pub(super) const fn does_without(&self, _: &Breaker) -> bool {
        false
    }
}

#[cfg(feature = "config")]
impl Registry {
    /// Lets settings hold for everything that is bound from now on, once.
    pub(crate) fn set_overrides(&self, overrides: Overrides) -> Result<&Overrides, String> {
        if let Some(first) = self.bound_first() {
            return Err(format!(
                "`{first}` was guarded before the settings were read; call `Resilience::from_env()` before anything \
                 that builds a router or calls a guarded function"
            ));
        }
        let mut given = Some(overrides);
        let holding = self.overrides.get_or_init(|| given.take().unwrap_or_default());
        if given.is_some() {
            return Err("the settings were read already; call `start` once".into());
        }
        Ok(holding)
    }

    /// The policy of a function as it holds.
    pub(super) fn policy(&self, site: &Site) -> Policy {
        let Some(overrides) = self.overrides.get() else { return *site.policy() };
        let mut problems = Vec::new();
        let policy = overrides.policy(site, &mut problems);
        self.note(problems);
        policy
    }

    /// The settings of a breaker as they hold, by what the code says of it.
    pub(super) fn breaker_settings(&self, name: &str, compiled: Option<BreakerSettings>) -> BreakerSettings {
        let compiled_in = compiled.unwrap_or_default();
        let Some(overrides) = self.overrides.get() else { return compiled_in };
        let mut problems = Vec::new();
        let settings = overrides.breaker(name, compiled_in, &mut problems);
        // Without settings of the code this is only what holds until they come.
        if compiled.is_some() {
            self.note(problems);
        }
        settings
    }

    /// Whether what a breaker of the user's guards is to do without it, which is all that can be set.
    pub(super) fn does_without(&self, own: &Breaker) -> bool {
        let Some(overrides) = self.overrides.get() else { return false };
        if overrides.tunes_breaker(own.name()) {
            self.conflict(&format!(
                "the breaker `{}` is a `static` of the code; of its settings only `enabled` can be changed",
                own.name()
            ));
        }
        overrides.is_disabled(own.name())
    }

    /// Keeps problems for the report at start; who comes later can only be told by the log.
    fn note(&self, problems: Vec<FileProblem>) {
        for problem in &problems {
            tracing::error!(event = "config.invalid", "{problem}");
        }
        self.lock().problems.extend(problems);
    }

    /// What was wrong so far, with breakers too that no code gives settings.
    pub(crate) fn take_problems(&self) -> Vec<FileProblem> {
        let inner = self.lock();
        let names = inner.breakers.keys().copied();
        let undeclared: Vec<_> = names.filter(|name| !inner.declared.contains_key(&("breaker", *name))).collect();
        drop(inner);
        for name in undeclared {
            self.breaker_settings(name, Some(BreakerSettings::new()));
        }
        std::mem::take(&mut self.lock().problems)
    }

    /// Breakers and limits that the code sets differently in two places.
    pub(crate) fn conflicts(&self) -> Vec<String> {
        self.lock().conflicts.clone()
    }

    /// The names of all breakers that known functions use, or would use.
    pub(crate) fn breaker_names(&self) -> Vec<&'static str> {
        self.lock().named_breakers.iter().copied().collect()
    }
}
