//! Settings at start-up: what an operator changes without a rebuild.

mod names;
mod overrides;
mod variables;

pub(crate) use names::{DeclaredNames, Names};
pub(crate) use overrides::{EffectivePolicy, Overrides};
pub(crate) use variables::{CONFIG, Variables};
