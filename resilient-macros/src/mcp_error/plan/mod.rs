//! What the derive understood.

pub(crate) mod model;
pub(crate) mod template;
