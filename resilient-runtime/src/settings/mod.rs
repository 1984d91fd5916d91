//! What an operator changes without a rebuild: a file, and variables of the environment.

mod names;
mod overrides;
mod variables;

pub(crate) use names::{Known, Names};
pub(crate) use overrides::{Holding, Overrides};
pub(crate) use variables::{CONFIG, Variables};
