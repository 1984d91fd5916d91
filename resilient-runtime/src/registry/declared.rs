//! What the code says of things that are shared by name, and where two places differ.

use std::fmt;

use resilient_policy::{BreakerSettings, BulkheadSettings, RateLimitSettings, format_duration};

use super::Registry;
use crate::site::Site;

/// Settings of something that is shared by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Settings {
    Breaker(BreakerSettings),
    Bulkhead(BulkheadSettings),
    RateLimit(RateLimitSettings),
}

impl Settings {
    /// What another place says differently.
    fn differences(&self, theirs: &Self) -> String {
        match (self, theirs) {
            (Self::Breaker(own), Self::Breaker(theirs)) => own.differences(theirs),
            _ => format!("{theirs}, not {self}"),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(settings) => write!(f, "{settings:?}"),
            Self::Bulkhead(BulkheadSettings { max, queue, wait, .. }) => {
                let wait = wait.map_or_else(|| "none".into(), format_duration);
                write!(f, "max = {max}, queue = {queue}, wait = {wait}")
            }
            Self::RateLimit(settings) => {
                let period = format_duration(settings.period);
                write!(f, "{}/{period}, burst = {}", settings.calls, settings.bursts())
            }
        }
    }
}

impl Registry {
    /// Notes what the code says of something that is shared by name. Where two places differ, the
    /// first one holds.
    pub(super) fn declare(&self, what: &'static str, name: &'static str, settings: Settings, site: &Site) {
        let mut inner = self.lock();
        let (holding, first) = *inner.declared.entry((what, name)).or_insert((settings, site.location()));
        if holding == settings {
            return;
        }
        let conflict = format!(
            "{}: the {what} `{name}` has other settings at {first}: {}; write them in one place",
            site.location(),
            settings.differences(&holding)
        );
        // Told outside of the lock, as whoever listens may look into the registry.
        inner.conflicts.push(conflict.clone());
        drop(inner);
        tracing::error!(event = "config.invalid", "{conflict}");
    }
}
