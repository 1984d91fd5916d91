//! Settings at start-up: what an operator changes without a rebuild.

mod gate;
mod names;
mod overrides;
mod switches;
mod variable;
mod variables;

pub(crate) use gate::{DeclaredTools, gate_tables};
pub(crate) use names::{DeclaredNames, Names};
pub(crate) use overrides::{EffectivePolicy, Overrides};
pub(crate) use variables::{CONFIG, Variables};
