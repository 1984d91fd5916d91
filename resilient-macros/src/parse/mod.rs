//! Cuts lists of keys into entries, and converts their values to the nodes that `resilient-policy` reads. The attribute
//! and the derive share it.

pub(crate) mod entries;
pub(crate) mod list;
pub(crate) mod literal;
pub(crate) mod node;
