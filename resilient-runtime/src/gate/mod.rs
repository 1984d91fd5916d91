//! The gate: what an operator can switch while the server runs.

pub(crate) mod by_health;
mod error;
mod state;

use resilient_policy::GateSettings;
use tokio::sync::watch;

pub use error::GateError;
pub use resilient_policy::Level;
pub use state::{GateState, LevelSource, SwitchedBy, SwitchedOff};

/// The switches of a registry.
#[derive(Debug, Default)]
pub struct Gate {}

impl Gate {
    /// Applies the settings at start. Call it once, before a router is built: see
    /// [`has_built_router`](Self::has_built_router).
    pub(crate) fn start(&self, settings: GateSettings) {
        let _ = settings;
    }

    /// Whether a router was built before [`start`](Self::start), so that static switches come too late.
    pub(crate) fn has_built_router(&self) -> bool {
        false
    }

    /// Counts calls from now on, for a server whose level can change at any time.
    pub(crate) fn activate(&self) {}

    /// Applies new settings of the files. Returns the switches that only a restart applies in full, as texts for a
    /// report.
    pub(crate) fn reload(&self, settings: GateSettings) -> Vec<String> {
        let _ = settings;
        Vec::new()
    }

    /// Sets the level by hand. `None` returns it to the settings, or to the health of the server.
    ///
    /// # Errors
    /// None at present.
    pub fn set_level(&self, level: Option<Level>) -> Result<GateState, GateError> {
        let _ = level;
        Ok(self.state())
    }

    /// Turns a tool off, or on again.
    ///
    /// # Errors
    /// [`GateError::Forbidden`] for a tool that the settings turn off, [`GateError::Unknown`] for a tool that no router
    /// has.
    pub fn switch_tool(&self, name: &str, enabled: bool) -> Result<GateState, GateError> {
        let _ = (name, enabled);
        Ok(self.state())
    }

    /// Turns a feature off, or on again.
    ///
    /// # Errors
    /// [`GateError::Forbidden`] for a feature that the settings turn off, [`GateError::Unknown`] for one that is neither
    /// declared nor on a tool.
    pub fn switch_feature(&self, name: &str, enabled: bool) -> Result<GateState, GateError> {
        let _ = (name, enabled);
        Ok(self.state())
    }

    /// Reports the level that the health of the server suggests. It holds if `automatic` is set and nothing else sets a
    /// level.
    pub(crate) fn level_by_health(&self, level: Level) {
        let _ = level;
    }

    /// Whether the level follows the health of the server, so that it has to be evaluated.
    pub(crate) fn is_automatic(&self) -> bool {
        false
    }

    /// Returns what is switched, by whom and since when.
    #[must_use]
    pub fn state(&self) -> GateState {
        GateState::default()
    }

    /// Returns the level that holds.
    #[must_use]
    pub fn level(&self) -> Level {
        Level::Normal
    }

    /// Returns a channel with the level, which is notified of each change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Level> {
        watch::channel(Level::Normal).1
    }
}
