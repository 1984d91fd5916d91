//! Binding of guarded functions to the state that they share by name.

use std::sync::Arc;

use resilient_policy::{BreakerSettings, BreakerUse, BulkheadUse, Policy};

use super::declared::Settings;
use super::settings::Holding;
use super::{BreakerHandle, Held, Registry, entry};
use crate::breaker::{Breaker, KeyedBreakers};
use crate::bulkhead::Bulkheads;
use crate::clock::{Length, Moment};
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
use crate::site::Site;
use crate::statistics::{RecentErrors, ToolStatistics};

/// The state that one function is bound to. Its inline fields are what every call reads, in less than a cache line.
pub(crate) struct Binding {
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) breaker: Option<BreakerHandle>,
    /// The timeout of the whole call.
    pub(crate) timeout: Length,
    /// The timeout of one attempt; endless if the policy has none.
    attempt_limit: Length,
    pub(crate) retries: u32,
    /// Whether first attempts add to a retry budget.
    pub(crate) earns_retries: bool,
    /// Whether the policy has a bulkhead or a rate limit.
    pub(crate) is_limited: bool,
    pub(crate) seldom: Box<Seldom>,
}

/// The part of a [`Binding`] that few calls need.
pub(crate) struct Seldom {
    pub(crate) bulkheads: Option<Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    keyed_breakers: Option<Arc<KeyedBreakers>>,
    pub(crate) recent: Arc<RecentErrors>,
    /// The policy, with the settings from start-up applied.
    pub(crate) policy: Policy,
    #[cfg(feature = "cache")]
    pub(crate) answers: Option<crate::cache::Answers>,
}

impl Binding {
    /// Returns the breaker of this partition key, if the policy has one.
    #[cold]
    pub(crate) fn keyed_breaker(&self, key: u128) -> Option<Arc<Breaker>> {
        Some(self.seldom.keyed_breakers.as_ref()?.get(key))
    }

    /// Returns the time at which an attempt that started at `started` times out.
    pub(crate) fn attempt_end(&self, started: Moment) -> Moment {
        started.after(self.attempt_limit)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.seldom.policy
    }
}

impl Registry {
    pub(crate) fn bind(&self, site: &Site) -> Binding {
        // Marked before anything is looked up: settings that arrive after this are rejected.
        self.lock().first_bound.get_or_insert(site.name());
        if site.is_unchecked {
            for problem in crate::guard::rules(site.policy()) {
                self.conflict(format!("{}: the guard `{}`: {problem}", site.location(), site.name()));
            }
        }
        let Holding { policy, keeps_static } = self.policy(site);
        let breaker = match site.breaker {
            Some(own) => keeps_static.then(|| self.bind_static(own, site)),
            None => policy.breaker.map(|wanted| self.bind_breaker(wanted, site)),
        };
        let statistics = if site.tool().is_some() {
            self.statistics(site.name())
        } else {
            entry(&mut self.lock().functions, site.name())
        };
        if breaker.is_none() && site.is_guarded() {
            // Makes the series exist from the start.
            let _ = statistics.own_attempts();
        }
        self.describe(site, &policy, breaker.clone());
        let seldom = Seldom {
            recent: self.recent(),
            keyed_breakers: policy.breaker.map(|wanted| self.keyed_breakers(wanted)),
            bulkheads: policy.bulkhead.map(|wanted| self.bulkheads(wanted, site)),
            #[cfg(feature = "rate-limit")]
            rate_limits: policy.rate_limit.map(|wanted| self.rate_limits(wanted, site)),
            #[cfg(feature = "cache")]
            answers: policy.cache.map(crate::cache::Answers::new),
            policy,
        };
        Binding {
            statistics,
            breaker,
            timeout: policy.timeout.into(),
            attempt_limit: policy.attempt_limit().map_or(Length::ENDLESS, Length::from),
            retries: policy.retries(),
            earns_retries: policy.retry.is_some_and(|retry| retry.budget.is_some()),
            is_limited: policy.bulkhead.is_some() || policy.rate_limit.is_some(),
            seldom: Box::new(seldom),
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
        BreakerHandle(Held::Static(own))
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
        BreakerHandle(Held::Named(breaker))
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

    /// Returns the bulkheads of that name, or new ones if the policy does not share them.
    fn bulkheads(&self, wanted: BulkheadUse, site: &Site) -> Arc<Bulkheads> {
        let fresh = || Arc::new(Bulkheads::new(wanted.settings));
        let Some(name) = wanted.name else { return fresh() };
        let compiled = site.policy().bulkhead.map(|compiled| Settings::Bulkhead(compiled.settings));
        let agrees = compiled.is_none_or(|compiled| self.declare("bulkhead", name, compiled, site));
        let found = Arc::clone(self.lock().bulkheads.entry(name).or_insert_with(fresh));
        if agrees && found.settings() != wanted.settings {
            self.is_shared("bulkhead", name, site);
        }
        found
    }

    /// Returns the rate limits of that name, or new ones if the policy does not share them.
    #[cfg(feature = "rate-limit")]
    fn rate_limits(&self, wanted: resilient_policy::RateLimitUse, site: &Site) -> Arc<RateLimits> {
        let fresh = || Arc::new(RateLimits::new(wanted.settings));
        let Some(name) = wanted.name else { return fresh() };
        let compiled = site.policy().rate_limit.map(|compiled| Settings::RateLimit(compiled.settings));
        let agrees = compiled.is_none_or(|compiled| self.declare("rate limit", name, compiled, site));
        let found = Arc::clone(self.lock().rate_limits.entry(name).or_insert_with(fresh));
        if agrees && found.settings() != wanted.settings {
            self.is_shared("rate limit", name, site);
        }
        found
    }

    /// Reports a limit that is shared by several functions and overridden for only some of them.
    fn is_shared(&self, what: &str, name: &str, site: &Site) {
        self.conflict(format!(
            "the {what} `{name}` is shared, and `{}` was set to have another one than the others; set all of them, or none",
            site.name()
        ));
    }
}
