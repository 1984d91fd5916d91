//! What alerts are: their rules, their states, and the board on which a registry keeps them.
//!
//! Nothing in here reads statistics, a clock or a network: see [`alerts`](crate::alerts).

#[cfg(feature = "alerts")]
mod alert;
#[cfg(feature = "alerts")]
mod board;
#[cfg(feature = "alerts")]
mod machine;
pub(crate) mod rules;
mod severity;

#[cfg(feature = "alerts")]
pub use alert::{Alert, AlertState};
#[cfg(feature = "alerts")]
pub(crate) use board::AlertBoard;
#[cfg(feature = "alerts")]
pub(crate) use machine::{ChangeKind, Finding, Labels, Machine, Step, is_suspended};
#[cfg(feature = "alerts")]
pub use severity::AlertSeverity;
