//! Levels, switches and features, in a file or in variables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;

use super::values::{count, flag};
use super::{Entry, FileProblem, Reader, SourceLocation, entries_of, of_variable};
use crate::level::{GateSettings, Level, LevelEffect, Levels};
use crate::name::check_name;
use crate::node::{Syntax, Value};
use crate::suggest::{nearest, one_of};

const LEVEL_KEYS: &[&str] = &["start", "automatic", "degraded", "minimal", "emergency"];
const EFFECT_KEYS: &[&str] = &["disable", "concurrency", "cache_only", "read_only"];
const FEATURE_KEYS: &[&str] = &["description", "enabled"];

/// A value and its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The location of the value.
    pub place: SourceLocation,
}

impl<T> Located<T> {
    pub(super) fn new(value: Option<T>, entry: &Entry) -> Option<Self> {
        value.map(|value| Self { value, place: entry.value.location.clone() })
    }
}

/// The levels, switches and features of one source, or of several sources together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateTables {
    /// The level that is set: `[level] start`, or `RESILIENT__LEVEL`.
    pub start: Option<Located<Level>>,
    /// Whether the level follows the health of the server: `[level] automatic`.
    pub automatic: Option<Located<bool>>,
    /// `[level.NAME]`: what a level takes away.
    pub levels: BTreeMap<Level, LevelTable>,
    /// `[feature.NAME]`
    pub features: BTreeMap<String, FeatureTable>,
    /// `enabled` in `[tool.NAME]`.
    pub tools: BTreeMap<String, Located<bool>>,
    /// `read_only`, before the first table.
    pub read_only: Option<Located<bool>>,
}

/// A `[level.NAME]` table. It changes only what it contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelTable {
    /// The features that the level disables, in addition to those of the levels before it.
    pub disable: Option<Vec<Located<String>>>,
    /// See [`LevelEffect::concurrency`].
    pub concurrency: Option<Located<u32>>,
    /// See [`LevelEffect::cache_only`].
    pub cache_only: Option<Located<bool>>,
    /// See [`LevelEffect::read_only`].
    pub read_only: Option<Located<bool>>,
}

/// A `[feature.NAME]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureTable {
    /// The description for operators.
    pub description: Option<String>,
    /// `false` switches every tool with this feature off.
    pub enabled: Option<Located<bool>>,
    /// The location of the table's header.
    pub place: SourceLocation,
}

impl GateTables {
    /// Reads a variable below `RESILIENT__LEVEL`: no keys for the level itself, or the keys of the table `[level]`.
    #[must_use]
    pub fn of_level_variable(variable: &Arc<str>, keys: &[String], value: &str) -> (Self, Vec<FileProblem>) {
        let (mut tables, mut found) = (Self::default(), Vec::new());
        let keys: Vec<_> = std::iter::once("level".to_owned()).chain(keys.iter().cloned()).collect();
        let mut reader = Reader { found: &mut found, under: String::new(), syntax: Syntax::File };
        if let Some(entry) = of_variable(variable, &keys, value) {
            tables.read_level(&entry, &mut reader);
        }
        (tables, found)
    }

    /// Returns whether the source contains nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a stronger source. Its words replace those of the weaker one; a switch is off if either source says so.
    pub fn add(&mut self, stronger: &Self) {
        replace(&mut self.start, stronger.start.as_ref());
        replace(&mut self.automatic, stronger.automatic.as_ref());
        strictest(&mut self.read_only, stronger.read_only.as_ref(), true);
        for (level, table) in &stronger.levels {
            let LevelTable { disable, concurrency, cache_only, read_only } = self.levels.entry(*level).or_default();
            replace(disable, table.disable.as_ref());
            replace(concurrency, table.concurrency.as_ref());
            replace(cache_only, table.cache_only.as_ref());
            replace(read_only, table.read_only.as_ref());
        }
        for (name, table) in &stronger.features {
            match self.features.entry(name.clone()) {
                Slot::Vacant(slot) => drop(slot.insert(table.clone())),
                Slot::Occupied(slot) => {
                    let known = slot.into_mut();
                    replace(&mut known.description, table.description.as_ref());
                    strictest(&mut known.enabled, table.enabled.as_ref(), false);
                }
            }
        }
        for (name, enabled) in &stronger.tools {
            let mut known = self.tools.remove(name);
            strictest(&mut known, Some(enabled), false);
            self.tools.extend(known.map(|known| (name.clone(), known)));
        }
    }

    /// Returns the settings that the tables stand for.
    #[must_use]
    pub fn settings(&self) -> GateSettings {
        let mut settings = GateSettings {
            levels: self.effects(),
            level: self.start.as_ref().map(|start| start.value),
            automatic: self.automatic.as_ref().is_some_and(|automatic| automatic.value),
            ..GateSettings::default()
        };
        settings.switches.read_only = self.read_only.as_ref().is_some_and(|read_only| read_only.value);
        let is_off = |enabled: &Located<bool>| !enabled.value;
        for (name, table) in &self.features {
            settings.features.insert(name.clone(), table.description.clone());
            if table.enabled.as_ref().is_some_and(is_off) {
                settings.switches.features.insert(name.clone());
            }
        }
        for (name, _) in self.tools.iter().filter(|(_, enabled)| is_off(enabled)) {
            settings.switches.tools.insert(name.clone());
        }
        settings.is_configured =
            settings.automatic || settings.level.is_some() || !(self.levels.is_empty() && settings.switches.is_empty());
        settings
    }

    /// Returns what each level takes away. A word that is not written is as strict as its default and as the level
    /// before.
    fn effects(&self) -> Levels {
        let mut levels = Levels::default();
        let mut before = LevelEffect::default();
        for level in Level::ALL {
            let effect = levels.effect_mut(*level);
            effect.read_only |= before.read_only;
            effect.cache_only |= before.cache_only;
            effect.concurrency = effect.concurrency.into_iter().chain(before.concurrency).min();
            effect.disabled.clone_from(&before.disabled);
            if let Some(LevelTable { disable, concurrency, cache_only, read_only }) = self.levels.get(level) {
                effect.disabled.extend(disable.iter().flatten().map(|feature| feature.value.clone()));
                effect.concurrency = concurrency.as_ref().map(|word| word.value).or(effect.concurrency);
                effect.cache_only = cache_only.as_ref().map_or(effect.cache_only, |word| word.value);
                effect.read_only = read_only.as_ref().map_or(effect.read_only, |word| word.value);
            }
            before = effect.clone();
        }
        levels
    }

    /// Reports words of a level that are less strict than those of the level before.
    #[must_use]
    pub fn check(&self) -> Vec<FileProblem> {
        let levels = self.effects();
        let mut found = Vec::new();
        for (level, table) in &self.levels {
            let before = levels.effect(level.better());
            let mut problem = |place: &SourceLocation, key: &str, message: String| {
                let message = format!("this is less strict than the level `{}`, {message}", level.better());
                found.push(FileProblem { place: place.clone(), key: format!("level.{level}.{key}"), message });
            };
            if let Some(Located { value, place }) = &table.concurrency
                && let Some(most) = before.concurrency.filter(|most| most < value)
            {
                problem(place, "concurrency", format!("which has `concurrency = {most}`; expected at most {most}"));
            }
            for (key, word, is_strict) in [
                ("cache_only", &table.cache_only, before.cache_only),
                ("read_only", &table.read_only, before.read_only),
            ] {
                if let Some(Located { value: false, place }) = word
                    && is_strict
                {
                    problem(place, key, format!("which has `{key} = true`; remove this"));
                }
            }
        }
        found
    }

    /// Reports features that a level disables and that are not among `known`.
    #[must_use]
    pub fn check_features(&self, known: &[&str]) -> Vec<FileProblem> {
        let mut found = Vec::new();
        for (level, table) in &self.levels {
            for Located { value, place } in table.disable.iter().flatten() {
                if !known.contains(&value.as_str()) {
                    let meant = match nearest(value, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("declare it with `[feature.{value}]`"),
                    };
                    let message = format!("no feature `{value}`; {meant}");
                    let key = format!("level.{level}.disable");
                    found.push(FileProblem { place: place.clone(), key, message });
                }
            }
        }
        found
    }

    pub(super) fn read_level(&mut self, entry: &Entry, reader: &mut Reader<'_>) {
        if matches!(entry.value.value, Value::Variable(_)) {
            self.start = Located::new(level(entry, reader), entry);
            return;
        }
        let expected = "a table: `[level]` with `start = \"minimal\"`";
        let Some(entries) = entries_of(reader, entry, expected) else { return };
        reader.under.clone_from(&entry.key);
        for entry in entries {
            match entry.key.as_str() {
                "start" if matches!(entry.value.value, Value::Variable(_)) => {
                    reader.problem(entry, "in a variable the level stands without this key");
                }
                "start" => self.start = Located::new(level(entry, reader), entry),
                "automatic" => self.automatic = Located::new(flag(entry, reader), entry),
                "normal" => {
                    let (place, key) = (entry.location.clone(), reader.under_key("normal"));
                    let message = "the level `normal` takes nothing away, so nothing can be set for it; expected one \
                                   of `degraded`, `minimal`, `emergency`";
                    reader.found.push(FileProblem { place, key, message: message.into() });
                }
                name => match name.parse() {
                    Ok(level) => self.read_effect(level, entry, reader),
                    Err(_) => reader.unknown(entry, LEVEL_KEYS),
                },
            }
        }
        if let (Some(Located { place, .. }), Some(Located { value: true, .. })) = (&self.start, &self.automatic) {
            let message = "`start` sets the level, so that it cannot follow the health; remove `start` or `automatic`";
            let (place, key) = (place.clone(), reader.under_key("start"));
            reader.found.push(FileProblem { place, key, message: message.into() });
        }
        reader.under.clear();
    }

    fn read_effect(&mut self, level: Level, entry: &Entry, reader: &mut Reader<'_>) {
        let Some(entries) = entries_of(reader, entry, &format!("a table: `[level.{level}]`")) else { return };
        let inner = reader.under_key(&entry.key);
        let under = std::mem::replace(&mut reader.under, inner);
        let table = self.levels.entry(level).or_default();
        for entry in entries {
            match entry.key.as_str() {
                "disable" => table.disable = features(entry, reader),
                "concurrency" => table.concurrency = Located::new(count(entry, reader, 1), entry),
                "cache_only" => table.cache_only = Located::new(flag(entry, reader), entry),
                "read_only" => table.read_only = Located::new(flag(entry, reader), entry),
                _ => reader.unknown(entry, EFFECT_KEYS),
            }
        }
        reader.under = under;
    }

    pub(super) fn read_feature(
        &mut self,
        name: String,
        under: &str,
        (place, entries): (&SourceLocation, &[Entry]),
        found: &mut Vec<FileProblem>,
    ) {
        let mut table = FeatureTable { description: None, enabled: None, place: place.clone() };
        let mut reader = Reader { found, under: under.into(), syntax: Syntax::File };
        for entry in entries {
            match (entry.key.as_str(), &entry.value.value) {
                ("description", Value::Text(text)) => table.description = Some(text.clone()),
                ("description", _) => reader.problem(entry, "expected a text in quotes"),
                ("enabled", _) => table.enabled = Located::new(flag(entry, &mut reader), entry),
                _ => reader.unknown(entry, FEATURE_KEYS),
            }
        }
        self.features.insert(name, table);
    }

    pub(super) fn read_tool(&mut self, name: &str, under: &str, entry: &Entry, found: &mut Vec<FileProblem>) {
        let mut reader = Reader { found, under: under.into(), syntax: Syntax::File };
        let enabled = Located::new(flag(entry, &mut reader), entry);
        self.tools.extend(enabled.map(|enabled| (name.to_owned(), enabled)));
    }
}

fn replace<T: Clone>(weaker: &mut Option<T>, stronger: Option<&T>) {
    if stronger.is_some() {
        *weaker = stronger.cloned();
    }
}

/// Keeps the value of the weaker source only if it is the strict one.
fn strictest(weaker: &mut Option<Located<bool>>, stronger: Option<&Located<bool>>, strict: bool) {
    if weaker.as_ref().is_none_or(|weaker| weaker.value != strict) {
        replace(weaker, stronger);
    }
}

fn level(entry: &Entry, reader: &mut Reader<'_>) -> Option<Level> {
    let (Value::Text(name) | Value::Variable(name)) = &entry.value.value else {
        reader.problem(entry, format!("expected a level in quotes{}", one_of("", Level::NAMES)));
        return None;
    };
    name.parse().map_err(|why: String| reader.problem(entry, why)).ok()
}

/// Reads a list of features.
fn features(entry: &Entry, reader: &mut Reader<'_>) -> Option<Vec<Located<String>>> {
    let expected = "expected features in a list: `disable = [\"analytics\"]`";
    let names: Vec<_> = match &entry.value.value {
        Value::List(list) => {
            let names = list.iter().map(|node| match &node.value {
                Value::Text(name) => Some((name.as_str(), &node.location)),
                _ => None,
            });
            names.collect::<Option<_>>().or_else(|| {
                reader.problem(entry, expected);
                None
            })?
        }
        Value::Variable(text) => {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| (name, &entry.value.location)).collect()
        }
        _ => {
            reader.problem(entry, expected);
            return None;
        }
    };
    let mut read = Vec::new();
    for (name, place) in names {
        match check_name(name) {
            Ok(()) => read.push(Located { value: name.to_owned(), place: place.clone() }),
            Err(message) => {
                reader.found.push(FileProblem { place: place.clone(), key: reader.under_key(&entry.key), message });
            }
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests;
