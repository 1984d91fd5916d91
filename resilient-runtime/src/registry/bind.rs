//! Binding of guarded functions to the state that they share by name.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, Weak};

#[cfg(feature = "rate-limit")]
use resilient_policy::RateLimitUse;
#[cfg(feature = "cache")]
use resilient_policy::Source;
use resilient_policy::{BreakerSettings, BreakerUse, BulkheadUse, Policy};

use super::declared::{Settings, rules};
use super::settings::EffectivePolicy;
use super::{Registry, entry};
use crate::binding::{Binding, BindingRef, ColdFields, OwnLimits};
use crate::breaker::{Breaker, BreakerHandle, KeyedBreakers};
use crate::bulkhead::Bulkheads;
#[cfg(feature = "cache")]
use crate::cache::Answers;
use crate::clock::Length;
use crate::gate::Gate;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
#[cfg(feature = "config")]
use crate::settings::DeclaredNames;
use crate::site::Site;

impl Site {
    /// Returns the first binding in the registry of the process.
    pub(crate) fn bind_globally(&self) -> &Binding {
        if let Some(bound) = self.bound.get() { bound } else { self.bind_first() }
    }

    #[cold]
    fn bind_first(&self) -> &Binding {
        let bound = self.bound.get_or_init(|| Registry::global().bind(self, None));
        // Not while the function is being bound: a subscriber may call it.
        Registry::global().log_diagnostics();
        Registry::global().declare_remote(self);
        bound
    }

    /// Returns the binding in the current registry, which is created on first use and after a change of the settings.
    pub(crate) fn bind(&self) -> BindingRef<'_> {
        if Registry::bindings_vary() { self.find_binding() } else { BindingRef::First(self.bind_globally()) }
    }

    #[cold]
    fn find_binding(&self) -> BindingRef<'_> {
        if let Some(registry) = Registry::scoped() {
            return BindingRef::Other(self.bind_in(&registry));
        }
        let (first, registry) = (self.bind_globally(), Registry::global());
        if first.generation() == registry.generation() {
            return BindingRef::First(first);
        }
        let other = self.bind_beside(None, registry, Some(first));
        // As if nothing had changed, if nothing has changed for this function.
        if other.has_policy_of(first) {
            first.renew(other.generation());
            return BindingRef::First(first);
        }
        BindingRef::Other(other)
    }

    pub(crate) fn bind_in(&self, registry: &Arc<Registry>) -> Arc<Binding> {
        self.bind_beside(Some(registry), registry, None)
    }

    /// Returns the current binding, other than the first one in the registry of the process.
    fn bind_beside(&self, scope: Option<&Arc<Registry>>, registry: &Registry, first: Option<&Binding>) -> Arc<Binding> {
        let is_there = |known: &Option<Weak<_>>| match (known, scope) {
            (Some(known), Some(scope)) => std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(scope)),
            (None, None) => true,
            _ => false,
        };
        let bindings = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let before = bindings.iter().find(|(known, _)| is_there(known)).map(|(_, binding)| Arc::clone(binding));
        drop(bindings);
        if let Some(before) = &before
            && before.generation() == registry.generation()
        {
            return Arc::clone(before);
        }
        let fresh = Arc::new(registry.bind(self, before.as_deref().or(first)));
        registry.log_diagnostics();
        registry.declare_remote(self);
        let mut bindings = self.others.write().unwrap_or_else(PoisonError::into_inner);
        bindings.retain(|(known, _)| known.as_ref().is_none_or(|known| known.strong_count() > 0));
        match bindings.iter_mut().find(|(known, _)| is_there(known)) {
            // Two threads may have come here; both must get the same binding.
            Some((_, found)) if found.generation() >= fresh.generation() => Arc::clone(found),
            Some((_, found)) => {
                *found = Arc::clone(&fresh);
                fresh
            }
            None => {
                bindings.push((scope.map(|scope| Arc::<Registry>::downgrade(scope) as _), Arc::clone(&fresh)));
                fresh
            }
        }
    }
}

impl Registry {
    /// Makes a tool of another server known to the gate, with what the settings switch off. Not during a binding: a
    /// subscriber may call the function.
    #[cfg_attr(
        not(feature = "config"),
        expect(clippy::unused_self, reason = "without settings, nothing is switched off")
    )]
    fn declare_remote(&self, site: &Site) {
        if site.is_remote() {
            Gate::knows(&site.gated());
            #[cfg(feature = "config")]
            self.declare_tools(&DeclaredNames { tools: vec![site.name().to_owned()], ..DeclaredNames::default() });
        }
    }

    /// Binds a function. If it was bound to this registry `before`, it keeps its limits and cached answers.
    pub(crate) fn bind(&self, site: &Site, before: Option<&Binding>) -> Binding {
        // The settings do not change meanwhile.
        #[cfg(feature = "config")]
        let _settings = self.hold_settings();
        // Marked before anything is looked up: settings that arrive after this are rejected.
        self.lock().first_bound.get_or_insert(site.name());
        if site.is_unchecked && before.is_none() {
            for problem in rules(site.policy()) {
                self.conflict(format!("{}: the guard `{}`: {problem}", site.location(), site.name()));
            }
        }
        let EffectivePolicy { mut policy, keeps_static } = self.policy(site);
        if let Some(before) = before {
            // The size of a cache cannot change.
            policy.cache = before.policy().cache;
        }
        let own = before.map_or_else(|| OwnLimits::new(site.policy(), &policy), |before| before.cold.own.clone());
        #[cfg(feature = "config")]
        own.adjust(&policy);
        let breaker = self.breaker_of(site, &policy, keeps_static);
        let statistics = if site.tool().is_some() {
            self.statistics(site.name())
        } else {
            entry(&mut self.lock().functions, site.name())
        };
        // Those of a function without a breaker exist from now on, and so do their series.
        let own_attempts = || site.is_guarded().then(|| statistics.own_attempts());
        let counted_once = statistics.counted_once(breaker.as_deref().map(Breaker::attempts).or_else(own_attempts));
        self.describe(site, &policy, breaker.clone(), own.clone());
        #[cfg(feature = "replicas")]
        self.check_shared_state(site, &policy);
        let cold = ColdFields {
            recent: self.recent(),
            keyed_breakers: policy.breaker.map(|wanted| self.keyed_breakers(wanted)),
            bulkheads: policy.bulkhead.map(|wanted| self.bulkheads(wanted, site, &own)),
            #[cfg(feature = "rate-limit")]
            rate_limits: policy.rate_limit.map(|wanted| self.rate_limits(wanted, site, &own)),
            #[cfg(feature = "cache")]
            answers: match before {
                Some(before) => before.cold.answers.clone(),
                None => policy.cache.map(|cache| {
                    let serves_errors = site.policy().fallback.contains(&Source::Cache);
                    let generation = site.tool().map(|tool| self.generation_of(tool)).unwrap_or_default();
                    Answers::new(cache, serves_errors, Arc::clone(&statistics), generation)
                }),
            },
            #[cfg(feature = "cache")]
            invalidated: match before {
                Some(before) => Arc::clone(&before.cold.invalidated),
                None => site.invalidated().iter().map(|tool| self.generation_of(tool)).collect(),
            },
            statistics,
            policy,
            own,
            generation: AtomicU64::new(self.generation()),
        };
        Binding {
            counted_once,
            breaker,
            timeout: policy.timeout.into(),
            attempt_limit: policy.attempt_limit().map_or(Length::ENDLESS, Length::from),
            retries: policy.retries(),
            earns_retries: policy.retry.is_some_and(|retry| retry.budget.is_some()),
            is_limited: policy.bulkhead.is_some() || policy.rate_limit.is_some(),
            cold: Box::new(cold),
        }
    }

    /// Returns the breaker of a function with this effective policy.
    pub(super) fn breaker_of(&self, site: &Site, policy: &Policy, keeps_static: bool) -> Option<BreakerHandle> {
        match site.breaker {
            Some(own) => keeps_static.then(|| self.bind_static(own, site)),
            None => policy.breaker.map(|wanted| self.bind_breaker(wanted, site)),
        }
    }

    /// Binds to a `static` breaker of the user.
    fn bind_static(&self, own: &'static Breaker, site: &Site) -> BreakerHandle {
        self.declare("breaker", own.name(), Settings::Breaker(own.settings()), site);
        let mut inner = self.lock();
        if !inner.statics.iter().any(|known| std::ptr::eq(*known, own)) {
            inner.statics.push(own);
        }
        drop(inner);
        self.one_of_a_name(own.name());
        BreakerHandle::of_static(own)
    }

    fn bind_breaker(&self, wanted: BreakerUse, site: &Site) -> BreakerHandle {
        let fresh =
            || Arc::new(Breaker::undeclared(wanted.name, self.breaker_settings(wanted.name, BreakerSettings::new())));
        let known = self.lock().breakers.get(wanted.name).cloned();
        // Created outside of the lock, since it looks up settings.
        let fresh = known.unwrap_or_else(fresh);
        let breaker = Arc::clone(self.lock().breakers.entry(wanted.name).or_insert(fresh));
        if let Some(settings) = site.policy().breaker.and_then(|compiled| compiled.settings) {
            self.declare("breaker", wanted.name, Settings::Breaker(settings), site);
            self.check_breaker(wanted.name, settings);
            // With the settings of the function's policy, so that overrides apply to both or to neither.
            breaker.declare(wanted.settings.unwrap_or(settings));
        }
        self.one_of_a_name(wanted.name);
        #[cfg(feature = "replicas")]
        if wanted.distributed {
            self.distribute(&breaker);
        }
        BreakerHandle::named(breaker)
    }

    /// Reports a conflict if two breakers have the same name: users could not tell them apart.
    fn one_of_a_name(&self, name: &'static str) {
        let inner = self.lock();
        let statics = inner.statics.iter().filter(|known| known.name() == name).count();
        let several = statics + usize::from(inner.breakers.contains_key(name)) > 1;
        drop(inner);
        if several {
            self.conflict(format!(
                "the breaker `{name}` is a `static` in one place and another one elsewhere; name one of them otherwise, \
                 or refer to the `static` by its path"
            ));
        }
    }

    fn keyed_breakers(&self, wanted: BreakerUse) -> Arc<KeyedBreakers> {
        let fresh =
            Arc::new(KeyedBreakers::new(wanted.name, self.breaker_settings(wanted.name, BreakerSettings::new())));
        let keyed = Arc::clone(self.lock().keyed_breakers.entry(wanted.name).or_insert(fresh));
        if let Some(settings) = wanted.settings {
            keyed.declare(settings);
        }
        keyed
    }

    /// Returns the bulkheads of that name, or the function's own if the policy does not share them.
    fn bulkheads(&self, wanted: BulkheadUse, site: &Site, own: &OwnLimits) -> Arc<Bulkheads> {
        let fresh = || Arc::new(Bulkheads::new(wanted.settings));
        let Some(name) = wanted.name else { return own.bulkheads.clone().unwrap_or_else(fresh) };
        let compiled = site.policy().bulkhead.map(|compiled| Settings::Bulkhead(compiled.settings));
        let agrees = compiled.is_none_or(|compiled| self.declare("bulkhead", name, compiled, site));
        let found = Arc::clone(self.lock().bulkheads.entry(name).or_insert_with(fresh));
        if agrees && found.settings() != wanted.settings {
            self.is_shared("bulkhead", name, site);
        }
        found
    }

    /// Returns the rate limits of that name, or the function's own if the policy does not share them.
    #[cfg(feature = "rate-limit")]
    fn rate_limits(&self, wanted: RateLimitUse, site: &Site, own: &OwnLimits) -> Arc<RateLimits> {
        let local = || Arc::new(RateLimits::new(wanted.settings));
        let Some(name) = wanted.name else { return own.rate_limits.clone().unwrap_or_else(local) };
        #[cfg(feature = "replicas")]
        let fresh = || {
            let shared = || Arc::new(RateLimits::distributed(name, wanted.settings, &self.replicas));
            if wanted.distributed { shared() } else { local() }
        };
        #[cfg(not(feature = "replicas"))]
        let fresh = local;
        let compiled = site.policy().rate_limit.map(Settings::from);
        let agrees = compiled.is_none_or(|compiled| self.declare("rate limit", name, compiled, site));
        let found = Arc::clone(self.lock().rate_limits.entry(name).or_insert_with(fresh));
        if agrees && found.settings() != wanted.settings {
            self.is_shared("rate limit", name, site);
        }
        found
    }

    /// Reports a limit that is shared by several functions and overridden for only some of them.
    fn is_shared(&self, what: &str, name: &str, site: &Site) {
        self.conflict(differs_from_others(what, name, site));
    }
}

/// Returns the message for a limit that is shared by several functions and overridden for only some of them.
pub(super) fn differs_from_others(what: &str, name: &str, site: &Site) -> String {
    let function = site.name();
    format!(
        "the {what} `{name}` is shared, and `{function}` was set to have another one than the others; set all of them, \
         or none"
    )
}
