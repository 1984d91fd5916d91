//! Parses the type, its attributes and the texts in them.

pub(crate) mod ast;
pub(crate) mod attrs;
pub(crate) mod display;
pub(crate) mod errors;
pub(crate) mod keys;
pub(crate) mod pieces;
pub(crate) mod value;
