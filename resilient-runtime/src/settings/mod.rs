//! The settings of an operator, from a file and from variables: what changes without a rebuild.

pub(crate) mod differences;
mod found_later;
mod function;
mod gate;
mod names;
mod overrides;
mod source;
mod switches;
mod variable;
mod variables;

pub use differences::SettingChange;
pub(crate) use gate::{DeclaredTools, gate_tables};
pub(crate) use names::{DeclaredNames, Names};
pub(crate) use overrides::{EffectivePolicy, Overrides};
pub(crate) use source::{Content, Source, parse, read};
#[cfg(feature = "alerts")]
pub(crate) use variables::{ALERT_WEBHOOK, ALERT_WEBHOOK_TOKEN_FILE, ALERTMANAGER_URL};
pub(crate) use variables::{AlertVariables, ReplicaVariables, Variables};
