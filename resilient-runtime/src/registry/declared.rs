//! Settings that the code declares for shared names, and conflicts between the declarations.

use resilient_policy::{BreakerSettings, BulkheadSettings, Policy, Problem, Settings as _};
#[cfg(feature = "rate-limit")]
use resilient_policy::{RateLimitSettings, RateLimitUse};

use super::Registry;
use crate::site::Site;

/// The settings of something that functions share by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Settings {
    Breaker(BreakerSettings),
    Bulkhead(BulkheadSettings),
    #[cfg(feature = "rate-limit")]
    RateLimit {
        settings: RateLimitSettings,
        /// Whether all replicas share the limit.
        distributed: bool,
    },
}

impl Settings {
    /// Describes how the settings of another source location differ.
    fn differences(&self, theirs: &Self) -> String {
        match (self, theirs) {
            (Self::Breaker(own), Self::Breaker(theirs)) => own.differences(theirs),
            (Self::Bulkhead(own), Self::Bulkhead(theirs)) => own.differences(theirs),
            #[cfg(feature = "rate-limit")]
            (
                Self::RateLimit { settings: own, distributed },
                Self::RateLimit { settings: theirs, distributed: is_theirs },
            ) => {
                let word = match (distributed, is_theirs) {
                    (true, false) => "`distributed` only here",
                    (false, true) => "`distributed` only there",
                    _ => return own.differences(theirs),
                };
                let others = own.differences(theirs);
                if others.is_empty() { word.into() } else { format!("{others}; {word}") }
            }
            // One name of one kind has settings of one kind.
            _ => String::new(),
        }
    }
}

#[cfg(feature = "rate-limit")]
impl From<RateLimitUse> for Settings {
    /// Returns what functions that share the limit have to agree on. Each may have a separate limit for each caller.
    fn from(RateLimitUse { settings, distributed, .. }: RateLimitUse) -> Self {
        Self::RateLimit { settings, distributed }
    }
}

/// Returns every rule that the policy of a guard breaks.
pub(crate) fn rules(policy: &Policy) -> Vec<Problem> {
    #[cfg_attr(
        all(feature = "rate-limit", feature = "replicas"),
        expect(unused_mut, reason = "without a feature there is one more rule")
    )]
    let mut problems = resilient_policy::check(policy);
    #[cfg(not(feature = "rate-limit"))]
    if policy.rate_limit.is_some() {
        problems.push(Problem::new("rate_limit", "needs the feature `rate-limit` of `resilient-runtime`"));
    }
    #[cfg(not(feature = "replicas"))]
    for (path, is_distributed) in [
        ("breaker.distributed", policy.breaker.is_some_and(|breaker| breaker.distributed)),
        ("rate_limit.distributed", policy.rate_limit.is_some_and(|limit| limit.distributed)),
    ] {
        if is_distributed {
            problems.push(Problem::new(path, "needs the crate `resilient-redis`"));
        }
    }
    problems
}

impl Registry {
    /// Records settings that the code declares for a shared name. Returns whether they equal the first declaration,
    /// which takes precedence; if they do not, a conflict is reported.
    pub(super) fn declare(&self, what: &'static str, name: &'static str, settings: Settings, site: &Site) -> bool {
        let (holding, first) = *self.lock().declared.entry((what, name)).or_insert((settings, site.location()));
        if holding != settings {
            let conflict = format!(
                "{}: the {what} `{name}` has other settings at {first}: {}; write them in one place",
                site.location(),
                settings.differences(&holding)
            );
            self.contradiction((what, name, settings), conflict);
        }
        holding == settings
    }
}

#[cfg(all(test, not(feature = "rate-limit"), not(feature = "replicas")))]
mod tests {
    use std::time::Duration;

    use resilient_policy::{BreakerUse, Policy, RateLimitSettings, RateLimitUse};

    use super::*;

    #[test]
    fn a_build_without_features_refuses_what_needs_them() {
        let limit = RateLimitUse::new(RateLimitSettings::new(5, Duration::from_secs(1))).named("missing").distributed();
        let policy = Policy::new().rate_limit(limit).breaker(BreakerUse::named("missing").distributed());
        let problems: Vec<_> = rules(&policy).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "rate_limit: needs the feature `rate-limit` of `resilient-runtime`",
                "breaker.distributed: needs the crate `resilient-redis`",
                "rate_limit.distributed: needs the crate `resilient-redis`",
            ]
        );
        assert!(rules(&Policy::new().breaker(BreakerUse::named("missing"))).is_empty());
    }
}
