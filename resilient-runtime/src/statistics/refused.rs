//! Counts of the requests that the routes for operators refuse.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Why the routes for operators refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminRefusal {
    /// The `Host` is missing, ambiguous or not allowed.
    Host,
    /// The `Origin` is another site.
    Origin,
    /// The URL has a parameter for a token.
    TokenInUrl,
    /// No token.
    NoToken,
    /// Another token.
    WrongToken,
    /// Credentials that a browser sends by itself, for a change.
    Basic,
    /// Too many wrong tokens before.
    RateLimit,
    /// A body of more than 4 KiB.
    BodyTooLarge,
    /// A body that did not arrive in time.
    BodyTimeout,
    /// A body that is not as the route expects it.
    Body,
    /// There is nothing of that name.
    Unknown,
    /// The settings forbid the change.
    Forbidden,
    /// A query that is not as the route expects it.
    Query,
    /// The settings that were to be read again have problems.
    Settings,
    /// The settings at start have a token that is invalid.
    InvalidToken,
    /// The change ended without a result.
    Internal,
}

impl AdminRefusal {
    pub(crate) const ALL: [Self; 16] = [
        Self::Host,
        Self::Origin,
        Self::TokenInUrl,
        Self::NoToken,
        Self::WrongToken,
        Self::Basic,
        Self::RateLimit,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::Body,
        Self::Unknown,
        Self::Forbidden,
        Self::Query,
        Self::Settings,
        Self::InvalidToken,
        Self::Internal,
    ];

    /// Returns the word used in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::TokenInUrl => "token_in_url",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::Basic => "basic",
            Self::RateLimit => "rate_limit",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::Body => "body",
            Self::Unknown => "unknown",
            Self::Forbidden => "forbidden",
            Self::Query => "query",
            Self::Settings => "settings",
            Self::InvalidToken => "invalid_token",
            Self::Internal => "internal",
        }
    }
}

/// The counts of one registry.
#[derive(Debug, Default)]
pub(crate) struct AdminRefusals {
    are_counted: AtomicBool,
    counts: [AtomicU64; AdminRefusal::ALL.len()],
}

impl AdminRefusals {
    /// Shows the counts from now on, because there are routes for operators.
    pub(crate) fn begin(&self) {
        self.are_counted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, reason: AdminRefusal) {
        if let Some(count) = self.counts.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads the count of each reason, or nothing if there are no routes for operators.
    pub(crate) fn read(&self) -> impl Iterator<Item = (AdminRefusal, u64)> {
        let are_counted = self.are_counted.load(Ordering::Relaxed);
        let all = AdminRefusal::ALL.into_iter().zip(&self.counts);
        all.filter(move |_| are_counted).map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_count() {
        let refusals = AdminRefusals::default();
        assert_eq!(refusals.read().count(), 0);
        refusals.begin();
        for (n, reason) in AdminRefusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, n);
            for _ in 0..n {
                refusals.add(reason);
            }
        }
        assert!(refusals.read().map(|(_, count)| count).eq(0..16));
    }
}
