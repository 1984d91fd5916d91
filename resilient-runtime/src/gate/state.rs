//! What is switched, as operators read it.

use std::time::SystemTime;

use resilient_policy::Level;
use serde::{Serialize, Serializer};

use super::merge::{Cause, Effective};
use super::source::{LevelSource, SwitchedBy};
use crate::clock;

/// What is switched in a registry, by whom and since when.
///
/// ```
/// use resilient_runtime::Registry;
/// use resilient_runtime::gate::Level;
///
/// let state = Registry::new().gate().set_level(Some(Level::Degraded)).unwrap();
/// assert_eq!((state.level, state.concurrency), (Level::Degraded, Some(50)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GateState {
    /// The level that holds.
    #[serde(serialize_with = "level")]
    pub level: Level,
    /// What sets the level.
    pub level_source: LevelSource,
    /// Since when the level holds, by the wall clock.
    #[serde(rename = "level_since_unix_ms", serialize_with = "moment")]
    pub level_since: SystemTime,
    /// What makes the server read-only, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<SwitchedOff>,
    /// Whether tools that read answer from the cache alone.
    pub cache_only: bool,
    /// The number of calls that may be in flight in the process. `None`: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The number of calls that are in flight. Calls that began before the gate was used are not counted.
    pub in_flight: u32,
    /// The tools that are off.
    pub tools_off: Vec<SwitchedOff>,
    /// The features that are off.
    pub features_off: Vec<SwitchedOff>,
    /// The features that are known: those that are declared, and those of tools.
    pub features: Vec<String>,
}

impl GateState {
    pub(super) fn of(held: &Effective, in_flight: u32, features: Vec<String>) -> Self {
        let off = |(name, cause): (&String, &Cause)| SwitchedOff::new(name, *cause);
        Self {
            level: held.level,
            level_source: held.level_source,
            level_since: held.level_since,
            read_only: held.read_only.map(|cause| SwitchedOff::new("read_only", cause)),
            cache_only: held.cache_only.is_some(),
            concurrency: held.concurrency,
            in_flight,
            tools_off: held.tools.iter().map(off).collect(),
            features_off: held.features.iter().map(off).collect(),
            features,
        }
    }
}

/// A switch that is off: a tool, a feature, or the right to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SwitchedOff {
    /// The name of the tool or feature; `read_only` for the right to write.
    pub name: String,
    /// What switched it off. If several did, the strongest: the settings at start, the file, the operator, the level.
    pub by: SwitchedBy,
    /// Since when it is off, by the wall clock.
    #[serde(rename = "since_unix_ms", serialize_with = "moment")]
    pub since: SystemTime,
}

impl SwitchedOff {
    fn new(name: &str, Cause { by, since }: Cause) -> Self {
        Self { name: name.to_owned(), by, since }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn level<S: Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(level.as_str())
}

fn moment<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(clock::unix_millis(*moment))
}
