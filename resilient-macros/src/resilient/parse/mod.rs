//! Parses the attribute's keys and the item below it, with their spans.

pub(crate) mod args;
pub(crate) mod block;
pub(crate) mod function;
pub(crate) mod half_typed;
pub(crate) mod item;
pub(crate) mod method;
pub(crate) mod origins;
pub(crate) mod tool;
pub(crate) mod value;
