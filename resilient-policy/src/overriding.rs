//! What one source says about a key.

/// A value, or `none`, which removes what a weaker source sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Override<T> {
    /// Removed.
    None,
    /// This value.
    Is(T),
}

impl<T> Override<T> {
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Is(value) => Some(value),
        }
    }
}
