//! Levels of service and switches: what an operator can take away from a running server.

use std::collections::{BTreeMap, BTreeSet};

use crate::suggest::one_of;

/// How much of the server is in service.
///
/// ```
/// use resilient_policy::Level;
///
/// assert!(Level::Normal < Level::Emergency);
/// assert_eq!("minimal".parse(), Ok(Level::Minimal));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Everything.
    #[default]
    Normal,
    /// Everything but the features that the level disables, and 50 calls at a time.
    Degraded,
    /// In addition, reads only from the cache, and 20 calls at a time.
    Minimal,
    /// In addition, no writes, and 5 calls at a time.
    Emergency,
}

impl Level {
    /// All levels, from the least to the most restricted.
    pub const ALL: &'static [Self] = &[Self::Normal, Self::Degraded, Self::Minimal, Self::Emergency];

    /// The names of all levels, in the same order.
    pub const NAMES: &'static [&'static str] = &["normal", "degraded", "minimal", "emergency"];

    /// Returns the name used in settings, answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::Minimal => "minimal",
            Self::Emergency => "emergency",
        }
    }

    /// Returns the next less restricted level.
    #[must_use]
    pub const fn better(self) -> Self {
        match self {
            Self::Normal | Self::Degraded => Self::Normal,
            Self::Minimal => Self::Degraded,
            Self::Emergency => Self::Minimal,
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    /// Parses a name.
    ///
    /// # Errors
    /// Returns a message with the name that was probably meant.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|level| level.as_str() == name);
        found.ok_or_else(|| format!("unknown level `{name}`{}", one_of(name, Self::NAMES)))
    }
}

/// What a level takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelEffect {
    /// Whether tools that are not known to read are refused.
    pub read_only: bool,
    /// Whether tools that read answer from the cache alone.
    pub cache_only: bool,
    /// The number of calls that may be in flight in the process. `None`: any number.
    pub concurrency: Option<u32>,
    /// The features that are disabled. A level includes those of the levels before it.
    pub disabled: BTreeSet<String>,
}

/// What each level takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels([LevelEffect; 4]);

impl Default for Levels {
    /// Returns the levels of a server that configures none: see [`Level`].
    fn default() -> Self {
        let level = |read_only, cache_only, concurrency| LevelEffect {
            read_only,
            cache_only,
            concurrency,
            disabled: BTreeSet::new(),
        };
        Self([
            level(false, false, None),
            level(false, false, Some(50)),
            level(false, true, Some(20)),
            level(true, true, Some(5)),
        ])
    }
}

impl Levels {
    /// Returns what a level takes away.
    #[must_use]
    pub const fn effect(&self, level: Level) -> &LevelEffect {
        let [normal, degraded, minimal, emergency] = &self.0;
        match level {
            Level::Normal => normal,
            Level::Degraded => degraded,
            Level::Minimal => minimal,
            Level::Emergency => emergency,
        }
    }

    /// Returns what a level takes away, to change it.
    pub const fn effect_mut(&mut self, level: Level) -> &mut LevelEffect {
        let [normal, degraded, minimal, emergency] = &mut self.0;
        match level {
            Level::Normal => normal,
            Level::Degraded => degraded,
            Level::Minimal => minimal,
            Level::Emergency => emergency,
        }
    }
}

/// Switches that hold regardless of the level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    /// Whether tools that are not known to read are refused.
    pub read_only: bool,
    /// The tools that are off.
    pub tools: BTreeSet<String>,
    /// The features that are off.
    pub features: BTreeSet<String>,
}

impl Switches {
    /// Returns whether nothing is switched off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.read_only && self.tools.is_empty() && self.features.is_empty()
    }
}

/// The settings of the gate: the files and the variables together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateSettings {
    /// The switches.
    pub switches: Switches,
    /// What each level takes away.
    pub levels: Levels,
    /// The level that is set, by `RESILIENT__LEVEL` or `[level] start`.
    pub level: Option<Level>,
    /// Whether the level follows the health of the server.
    pub automatic: bool,
    /// The declared features, each with its description.
    pub features: BTreeMap<String, Option<String>>,
    /// Whether anything is switched off, or a level is written, set or automatic, so that calls have to be counted and
    /// decided about. A feature that is only declared changes no call.
    pub is_configured: bool,
}
