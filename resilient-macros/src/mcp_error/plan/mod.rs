//! The model of the derive.

pub(crate) mod model;
pub(crate) mod template;
