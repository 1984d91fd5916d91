//! The side effects of a tool.

/// The side effects of a function, as far as they are declared.
///
/// The effect decides whether an attempt may be repeated, and whether the answer says that the client may repeat the
/// call.
///
/// ```
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::Effect;
///
/// let policy = Policy::new().effect(Effect::Idempotent);
/// assert!(policy.effect.is_repeatable());
/// assert!(!Effect::default().is_repeatable());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// The function changes nothing.
    ReadOnly,
    /// The function changes something, and running it twice has the same effect as running it once.
    Idempotent,
    /// The function may change something each time it runs. MCP's default for a tool without annotations.
    #[default]
    Unknown,
    /// The function is declared to write. It is repeated only if a reason is given.
    Writes,
}

impl Effect {
    /// Returns whether running the function twice has the same effect as running it once.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::ReadOnly | Self::Idempotent)
    }
}
