//! What holds, out of the settings at start, the settings of the files, the operator's switches and the level.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use resilient_policy::{GateSettings, Level, LevelEffect, Levels, Switches};

use super::Gated;
use super::source::{LevelSource, SwitchedBy};
use crate::error::{Refusal, RefusalReason};

/// Something that can be switched off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Switch {
    /// The right to write.
    Writes,
    /// Answers of tools that read, other than those of earlier calls. Only a level switches them off.
    Reads,
    Tool(String),
    Feature(String),
}

impl Switch {
    /// Returns the word for what it is, as in events.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Reads => "reads",
            Self::Tool(_) => "tool",
            Self::Feature(_) => "feature",
        }
    }

    /// Returns the name of the tool or feature, or else the word for what it is.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Writes | Self::Reads => self.what(),
            Self::Tool(name) | Self::Feature(name) => name,
        }
    }

    /// Returns the switches that are off.
    pub(super) fn all_of(switches: &Switches) -> BTreeSet<Self> {
        let tools = switches.tools.iter().cloned().map(Self::Tool);
        let features = switches.features.iter().cloned().map(Self::Feature);
        switches.read_only.then_some(Self::Writes).into_iter().chain(tools).chain(features).collect()
    }
}

/// What switched something off, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) by: SwitchedBy,
    pub(super) since: SystemTime,
}

/// Everything that switches.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    /// What is off by the settings at start. Nothing lifts it.
    pub(super) start: BTreeMap<Switch, SystemTime>,
    /// The settings, as they were read last.
    pub(super) settings: GateSettings,
    /// What the last settings turn off in addition to those at start.
    pub(super) reloaded: BTreeMap<Switch, SystemTime>,
    /// What an operator turned off.
    pub(super) admin: BTreeMap<Switch, SystemTime>,
    /// The level that an operator set.
    pub(super) admin_level: Option<Level>,
    /// The level that the health of the server suggests.
    pub(super) health: Level,
    /// Since when the present level holds.
    pub(super) level_since: SystemTime,
    /// What the present level switches off, and since when it does. A reload may add something to it.
    by_level: BTreeMap<Switch, SystemTime>,
}

impl Sources {
    pub(super) fn new(now: SystemTime) -> Self {
        Self {
            start: BTreeMap::new(),
            settings: GateSettings::default(),
            reloaded: BTreeMap::new(),
            admin: BTreeMap::new(),
            admin_level: None,
            health: Level::Normal,
            level_since: now,
            by_level: BTreeMap::new(),
        }
    }

    /// Begins with these settings. Each router adds what it declares, so that this may happen several times.
    pub(super) fn start(&mut self, settings: GateSettings, now: SystemTime) {
        self.start = since(Switch::all_of(&settings.switches), &self.start, now);
        self.settings = settings;
        self.reloaded.clear();
    }

    /// Continues with these settings. What they add to the switches at start is off from now on; what they no longer
    /// have of them stays off.
    pub(super) fn reload(&mut self, settings: GateSettings, now: SystemTime) {
        let added = Switch::all_of(&settings.switches).into_iter().filter(|switch| !self.start.contains_key(switch));
        self.reloaded = since(added, &self.reloaded, now);
        self.settings = settings;
    }

    /// Notes since when the level holds, and since when it switches each thing off. `before` is the level before the
    /// last change.
    pub(super) fn note_level(&mut self, before: Level, now: SystemTime) {
        let (level, _) = self.level();
        if level != before {
            self.level_since = now;
            self.by_level.clear();
        }
        let LevelEffect { read_only, cache_only, disabled, .. } = up_to(&self.settings.levels, level);
        let all = [(read_only, Switch::Writes), (cache_only, Switch::Reads)];
        let all = all.into_iter().filter_map(|(is_off, switch)| is_off.then_some(switch));
        self.by_level = since(all.chain(disabled.into_iter().map(Switch::Feature)), &self.by_level, now);
    }

    /// Returns the differences between the present settings and those at start that only a restart applies in full.
    pub(super) fn needs_restart(&self) -> Vec<String> {
        let wanted = Switch::all_of(&self.settings.switches);
        let described = |switch: &Switch| match switch {
            Switch::Writes | Switch::Reads => "`read_only`".to_owned(),
            Switch::Tool(name) | Switch::Feature(name) => format!("the {} `{name}`", switch.what()),
        };
        let start = self.start.keys().cloned().collect();
        let added = wanted.difference(&start).map(|switch| {
            let leaves = "the tools leave the list with the next restart";
            match switch {
                Switch::Writes | Switch::Reads => format!("`read_only` is set from now on; {leaves}"),
                Switch::Tool(_) => {
                    format!("{} is off from now on; it leaves the list with the next restart", described(switch))
                }
                Switch::Feature(_) => format!("{} is off from now on; {leaves}", described(switch)),
            }
        });
        let removed = start.difference(&wanted).map(|switch| match switch {
            Switch::Writes => "`read_only` was set at start and stays so until the next restart".to_owned(),
            _ => format!("{} was off at start and stays so until the next restart", described(switch)),
        });
        added.chain(removed).collect()
    }

    /// Returns the level that holds, and what sets it.
    pub(super) fn level(&self) -> (Level, LevelSource) {
        let by_health = || self.settings.automatic.then_some((self.health, LevelSource::Health));
        let by_settings = || self.settings.level.map(|level| (level, LevelSource::Settings));
        let by_admin = self.admin_level.map(|level| (level, LevelSource::Admin));
        by_admin.or_else(by_settings).or_else(by_health).unwrap_or((Level::Normal, LevelSource::Default))
    }

    /// Returns what is off, apart from the level. The strongest cause comes first: start, settings, operator.
    pub(super) fn switched(&self) -> BTreeMap<Switch, Cause> {
        let mut all = BTreeMap::new();
        let caused = |by| move |(switch, since): (&Switch, &SystemTime)| (switch.clone(), Cause { by, since: *since });
        all.extend(self.admin.iter().map(caused(SwitchedBy::Admin)));
        all.extend(self.reloaded.iter().map(caused(SwitchedBy::Settings)));
        all.extend(self.start.iter().map(caused(SwitchedBy::Start)));
        all
    }
}

/// What holds: the strictest of all sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effective {
    pub(super) level: Level,
    pub(super) level_source: LevelSource,
    pub(super) level_since: SystemTime,
    pub(super) read_only: Option<Cause>,
    pub(super) cache_only: Option<Cause>,
    pub(super) concurrency: Option<u32>,
    pub(super) tools: BTreeMap<String, Cause>,
    pub(super) features: BTreeMap<String, Cause>,
}

impl Effective {
    pub(super) fn of(sources: &Sources) -> Self {
        let (level, level_source) = sources.level();
        let effect = up_to(&sources.settings.levels, level);
        let by_level = |switch: &Switch| {
            let since = sources.by_level.get(switch).copied().unwrap_or(sources.level_since);
            Cause { by: SwitchedBy::Level, since }
        };
        let feature = |feature: String| {
            let cause = by_level(&Switch::Feature(feature.clone()));
            (feature, cause)
        };
        let mut all = Self {
            level,
            level_source,
            level_since: sources.level_since,
            read_only: effect.read_only.then(|| by_level(&Switch::Writes)),
            cache_only: effect.cache_only.then(|| by_level(&Switch::Reads)),
            concurrency: effect.concurrency,
            tools: BTreeMap::new(),
            features: effect.disabled.into_iter().map(feature).collect(),
        };
        for (switch, cause) in sources.switched() {
            match switch {
                Switch::Writes => all.read_only = Some(cause),
                Switch::Reads => all.cache_only = Some(cause),
                Switch::Tool(name) => drop(all.tools.insert(name, cause)),
                Switch::Feature(name) => drop(all.features.insert(name, cause)),
            }
        }
        all
    }

    /// Returns the refusal of a call of this tool, if something that it needs is off.
    pub(super) fn refusal(&self, tool: &Gated<'_>, is_nested: bool) -> Option<Refusal> {
        let mut off = tool.names.iter().filter_map(|name| self.tools.get(*name));
        let off = off.next().or_else(|| tool.features.iter().find_map(|name| self.features.get(*name)));
        let causes = [
            (RefusalReason::Disabled, off.copied()),
            (RefusalReason::ReadOnly, self.read_only.filter(|_| tool.writes)),
            (RefusalReason::CacheOnly, self.cache_only.filter(|_| tool.reads)),
        ];
        let (reason, cause) = causes.into_iter().find_map(|(reason, cause)| Some((reason, cause?)))?;
        let (level, by_level) = (self.level, cause.by == SwitchedBy::Level);
        let cache_only = self.cache_only.is_some();
        Some(Refusal::Switched { reason, level, by_level, since: cause.since, cache_only, is_nested })
    }
}

/// Returns each of these switches with the time since when it is off: that of `before`, or else now.
fn since(
    switches: impl IntoIterator<Item = Switch>,
    before: &BTreeMap<Switch, SystemTime>,
    now: SystemTime,
) -> BTreeMap<Switch, SystemTime> {
    let of = |switch: Switch| {
        let since = before.get(&switch).copied().unwrap_or(now);
        (switch, since)
    };
    switches.into_iter().map(of).collect()
}

/// Returns what a level and those before it take away.
fn up_to(levels: &Levels, level: Level) -> LevelEffect {
    let mut all = LevelEffect::default();
    for included in Level::ALL.iter().filter(|included| **included <= level) {
        let effect = levels.effect(*included);
        all.read_only |= effect.read_only;
        all.cache_only |= effect.cache_only;
        all.concurrency = all.concurrency.into_iter().chain(effect.concurrency).min();
        all.disabled.extend(effect.disabled.iter().cloned());
    }
    all
}

#[cfg(test)]
mod tests;
