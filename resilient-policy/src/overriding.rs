//! The value that one source gives to a key.

/// A value, or `none`, which removes the value of a weaker source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Override<T> {
    /// `none`: the value is removed.
    None,
    /// The value.
    Is(T),
}

impl<T> Override<T> {
    /// Returns the value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Is(value) => Some(value),
        }
    }
}
