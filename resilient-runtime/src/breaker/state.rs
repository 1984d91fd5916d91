//! The states of a breaker.

/// The state of a breaker.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::breaker::BreakerState;
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new());
/// shop.isolate();
/// assert_eq!(shop.state(), BreakerState::Isolated);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls are admitted.
    Closed,
    /// A few calls are admitted, to find out whether the dependency works again.
    HalfOpen,
    /// Calls are rejected until the open period is over.
    Open,
    /// Calls are rejected until the breaker is opened or closed by hand.
    Isolated,
}

impl State {
    /// All states.
    pub const ALL: &'static [Self] = &[Self::Closed, Self::HalfOpen, Self::Open, Self::Isolated];

    /// Returns the word used in logs, metrics and responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::Isolated => "isolated",
        }
    }
}
