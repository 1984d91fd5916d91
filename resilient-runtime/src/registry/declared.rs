//! Settings that the code declares for shared names, and conflicts between the declarations.

#[cfg(feature = "rate-limit")]
use resilient_policy::RateLimitSettings;
use resilient_policy::{BreakerSettings, BulkheadSettings, Policy, Problem, Settings as _};

use super::Registry;
use crate::site::Site;

/// The settings of something that functions share by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Settings {
    Breaker(BreakerSettings),
    Bulkhead(BulkheadSettings),
    #[cfg(feature = "rate-limit")]
    RateLimit(RateLimitSettings),
}

impl Settings {
    /// Describes how the settings of another source location differ.
    fn differences(&self, theirs: &Self) -> String {
        match (self, theirs) {
            (Self::Breaker(own), Self::Breaker(theirs)) => own.differences(theirs),
            (Self::Bulkhead(own), Self::Bulkhead(theirs)) => own.differences(theirs),
            #[cfg(feature = "rate-limit")]
            (Self::RateLimit(own), Self::RateLimit(theirs)) => own.differences(theirs),
            // One name of one kind has settings of one kind.
            _ => String::new(),
        }
    }
}

/// Returns every rule that the policy of a guard breaks.
pub(crate) fn rules(policy: &Policy) -> Vec<Problem> {
    #[cfg_attr(feature = "rate-limit", expect(unused_mut, reason = "without the feature there is one more rule"))]
    let mut problems = resilient_policy::check(policy);
    #[cfg(not(feature = "rate-limit"))]
    if policy.rate_limit.is_some() {
        problems.push(Problem::new("rate_limit", "needs the feature `rate-limit` of `resilient-runtime`"));
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
