//! What repeating a tool would do to the world.

/// What is known of a function's side effects. It decides whether an attempt may be repeated and
/// whether the answer says that the client may repeat the call.
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
    /// Changes nothing.
    ReadOnly,
    /// Changes something, but twice is like once.
    Idempotent,
    /// May change something each time it runs. The MCP default for a tool that says nothing.
    #[default]
    Unknown,
    /// Is known to write, and must not be repeated without a reason.
    Writes,
}

impl Effect {
    /// Whether running twice is as good as running once.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::ReadOnly | Self::Idempotent)
    }
}
