//! What sets a switch or the level.

use serde::Serialize;

/// What switched something off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SwitchedBy {
    /// The settings at start. Nothing at run time lifts it.
    Start,
    /// The file, by a reload.
    Settings,
    /// An operator, while the server runs.
    Admin,
    /// The level.
    Level,
}

impl SwitchedBy {
    /// Returns the word used in answers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Settings => "settings",
            Self::Admin => "admin",
            Self::Level => "level",
        }
    }
}

/// What sets the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LevelSource {
    /// Nothing: the level is normal.
    Default,
    /// An operator, while the server runs.
    Admin,
    /// The variable `RESILIENT__LEVEL`, or `start` of the table `[level]`.
    Settings,
    /// The health of the server.
    Health,
}

impl LevelSource {
    /// Returns the word used in answers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Admin => "admin",
            Self::Settings => "settings",
            Self::Health => "health",
        }
    }
}
