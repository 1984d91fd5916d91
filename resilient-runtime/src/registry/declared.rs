//! What the code says of things that are shared by name, and where two places differ.

#[cfg(feature = "rate-limit")]
use resilient_policy::RateLimitSettings;
use resilient_policy::{BreakerSettings, BulkheadSettings, Settings as _};

use super::Registry;
use crate::site::Site;

/// Settings of something that is shared by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Settings {
    Breaker(BreakerSettings),
    Bulkhead(BulkheadSettings),
    #[cfg(feature = "rate-limit")]
    RateLimit(RateLimitSettings),
}

impl Settings {
    /// What another place says differently.
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

impl Registry {
    /// Notes what the code says of something that is shared by name, and whether the code says the
    /// same elsewhere. Where two places differ, the first one holds.
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
