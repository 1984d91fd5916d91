//! Reads `resilient.toml` and environment variables.
//!
//! ```toml
//! [default]                 # applies to every guarded function
//! timeout = "20s"
//!
//! [profile.make]            # applies to functions with `profile = "make"`
//! retry = { max = 2, base = "500ms" }
//! breaker = "make"
//!
//! [breaker.make]            # the settings of the breaker `make`
//! failures = 8
//!
//! [tool.list_scenarios]     # applies to the tool of this name
//! bulkhead = 10
//!
//! [feature.analytics]       # declares a feature, for the levels and for switches
//!
//! [level.degraded]          # what a level takes away
//! disable = ["analytics"]
//! ```

mod gate;
mod table;
mod toml;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::table::ENABLED;
use self::toml::Lines;
use self::values::flag;
use crate::name::check_name;
use crate::node::{Mistake, Node, Syntax, Value};
use crate::problem::Problem;
use crate::schema::Override;
use crate::suggest::one_of;
pub use gate::{FeatureTable, GateTables, LevelTable, Located};
pub use table::{BreakerTable, Named, SourceLocations, Table};
pub use toml::SourceLocation;

const SECTIONS: &[&str] = &["default", "profile", "breaker", "tool", "level", "feature", READ_ONLY];
/// The key that stands before the first table.
const READ_ONLY: &str = "read_only";

/// A mistake in a file or a variable.
pub type FileProblem = Mistake<SourceLocation>;
type Entry = crate::node::Entry<SourceLocation>;
type Reader<'r> = crate::reader::Reader<'r, SourceLocation>;

impl FileProblem {
    fn of(problem: &Problem, places: &SourceLocations, otherwise: &SourceLocation, under: &str) -> Self {
        let place = places.find(problem.path).unwrap_or(otherwise).clone();
        // The path of a breaker's setting begins with the word `breaker`, as the section's name does.
        let path =
            problem.path.strip_prefix("breaker.").filter(|_| under.starts_with("breaker.")).unwrap_or(problem.path);
        let key = if under.is_empty() { path.to_owned() } else { format!("{under}.{path}") };
        // A word in an attribute is a text in a file.
        Self { place, key, message: problem.message.replace(" = none`", " = \"none\"`") }
    }
}

/// The contents of a file.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// `[default]`: applies to every guarded function.
    pub default: Table,
    /// `[profile.NAME]`: applies to the functions that use the profile.
    pub profiles: BTreeMap<String, Table>,
    /// `[breaker.NAME]`: the settings of the breaker of this name.
    pub breakers: BTreeMap<String, BreakerTable>,
    /// `[tool.NAME]`: applies to the tool of this name.
    pub tools: BTreeMap<String, Table>,
    /// `[level]`, `[feature.NAME]`, `read_only`, and `enabled` in `[tool.NAME]`.
    pub gate: GateTables,
}

impl File {
    /// Reads a file. `name` is its name in problems.
    ///
    /// Returns the entries that could be read and all problems. The types of values are checked, the rules between them
    /// are not.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> (Self, Vec<FileProblem>) {
        let lines = Lines::new(name, text);
        let mut found = Vec::new();
        let entries = match ::toml::de::DeTable::parse(text) {
            Ok(table) => lines.table(table.get_ref()),
            Err(error) => {
                let place = lines.place(error.span().map_or(0, |span| span.start));
                let message = format!("this is not TOML: {}", error.message().replace('\n', "; "));
                found.push(FileProblem { place, key: String::new(), message });
                Vec::new()
            }
        };
        let mut file = Self::default();
        let mut reader = Reader { found: &mut found, under: String::new(), syntax: Syntax::File };
        for entry in &entries {
            match entry.key.as_str() {
                "default" => {
                    if let Some(entries) = entries_of(&mut reader, entry, "a table: `[default]`") {
                        file.default = Table::read(entries, "default", entry.location.clone(), reader.found);
                    }
                }
                "profile" => sections(entry, &mut reader, |name, under, inner, found| {
                    file.profiles.insert(name, Table::read(inner.1, under, inner.0.clone(), found));
                }),
                "tool" => sections(entry, &mut reader, |name, under, inner, found| {
                    let (switches, keys): (Vec<_>, Vec<_>) =
                        inner.1.iter().cloned().partition(|entry| entry.key == ENABLED);
                    for switch in &switches {
                        file.gate.read_tool(&name, under, switch, found);
                    }
                    file.tools.insert(name, Table::read(&keys, under, inner.0.clone(), found));
                }),
                "level" => file.gate.read_level(entry, &mut reader),
                "feature" => sections(entry, &mut reader, |name, under, inner, found| {
                    file.gate.read_feature(name, under, inner, found);
                }),
                READ_ONLY => file.gate.read_only = Located::new(flag(entry, &mut reader), entry),
                "breaker" => sections(entry, &mut reader, |name, under, inner, found| {
                    file.breakers.insert(name, BreakerTable::read(inner.1, under, inner.0.clone(), found));
                }),
                _ => {
                    let what = if matches!(entry.value.value, Value::Table(_)) { "table" } else { "key" };
                    let message = format!("unknown {what} `{}`{}", entry.key, one_of(&entry.key, SECTIONS));
                    reader.found.push(FileProblem { place: entry.location.clone(), key: entry.key.clone(), message });
                }
            }
        }
        (file, found)
    }

    /// Returns whether another file sets the same policies and breakers, regardless of the lines.
    #[must_use]
    pub fn sets_policies_of(&self, other: &Self) -> bool {
        let tables = |tables: &BTreeMap<String, Table>| -> BTreeMap<_, _> {
            tables.iter().map(|(name, table)| (name.clone(), table.without_places())).collect()
        };
        let breakers = |file: &Self| -> BTreeMap<_, _> {
            file.breakers.iter().map(|(name, table)| (name.clone(), table.without_places())).collect()
        };
        self.default.without_places() == other.default.without_places()
            && tables(&self.profiles) == tables(&other.profiles)
            && tables(&self.tools) == tables(&other.tools)
            && breakers(self) == breakers(other)
    }

    /// Checks the rules that do not depend on a function, and returns all problems. If `whole`, settings have to be
    /// complete; otherwise they may be parts that override others.
    #[must_use]
    pub fn check(&self, whole: bool) -> Vec<FileProblem> {
        let mut found = Vec::new();
        for (under, table) in self.tables() {
            let Some(place) = &table.place else { continue };
            found.extend(table.check(&under, place, whole));
            if let Some(Override::Is(name)) = &table.breaker
                && whole
                && let Err(why) = self.knows_breaker(name, "")
            {
                found.push(FileProblem::of(&Problem::new("breaker", why), &table.places, place, &under));
            }
        }
        found.extend(self.breakers.iter().flat_map(|(name, table)| table.check(&format!("breaker.{name}"), whole)));
        if whole {
            let features: Vec<&str> = self.gate.features.keys().map(String::as_str).collect();
            found.extend(self.gate.check());
            found.extend(self.gate.check_features(&features));
        }
        found
    }

    fn tables(&self) -> impl Iterator<Item = (String, &Table)> {
        let profiles = self.profiles.iter().map(|(name, table)| (format!("profile.{name}"), table));
        let tools = self.tools.iter().map(|(name, table)| (format!("tool.{name}"), table));
        std::iter::once(("default".into(), &self.default)).chain(profiles).chain(tools)
    }

    /// Checks that a breaker of this name may be used: it has a section, or no breaker has one. `here` names the source
    /// for the message.
    ///
    /// # Errors
    /// Returns a sentence with the name that was probably meant.
    pub fn knows_breaker(&self, name: &str, here: &str) -> Result<(), String> {
        known("breaker", name, here, &self.breakers, self.breakers.is_empty())
    }

    /// Checks that there is a profile of this name.
    ///
    /// # Errors
    /// Returns a sentence with the name that was probably meant.
    pub fn knows_profile(&self, name: &str, here: &str) -> Result<(), String> {
        known("profile", name, here, &self.profiles, false)
    }

    /// Checks that a tool may have a feature of this name: it is declared, or no feature is.
    ///
    /// # Errors
    /// Returns a sentence with the name that was probably meant.
    pub fn knows_feature(&self, name: &str, here: &str) -> Result<(), String> {
        known("feature", name, here, &self.gate.features, self.gate.features.is_empty())
    }
}

fn known<T>(what: &str, name: &str, here: &str, all: &BTreeMap<String, T>, otherwise: bool) -> Result<(), String> {
    if all.contains_key(name) || otherwise {
        return Ok(());
    }
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    let meant = if names.is_empty() { "; there are none".into() } else { one_of(name, &names) };
    Err(format!("no {what} `{name}`{here}{meant}"))
}

/// Returns the entries of a table. Any other value is a mistake.
fn entries_of<'n>(reader: &mut Reader<'_>, entry: &'n Entry, expected: &str) -> Option<&'n [Entry]> {
    if let Value::Table(entries) = &entry.value.value {
        return Some(entries);
    }
    reader.problem(entry, format!("expected {expected}"));
    None
}

/// Passes each name of `[section.NAME]` on, with its location and its entries.
fn sections(
    entry: &Entry,
    reader: &mut Reader<'_>,
    mut each: impl FnMut(String, &str, (&SourceLocation, &[Entry]), &mut Vec<FileProblem>),
) {
    let section = &entry.key;
    let Some(named) = entries_of(reader, entry, &format!("tables with names: `[{section}.NAME]`")) else { return };
    for inner in named {
        let under = format!("{section}.{}", inner.key);
        if section != "tool"
            && let Err(why) = section_name(&inner.key)
        {
            reader.found.push(FileProblem { place: inner.location.clone(), key: under, message: why });
            continue;
        }
        reader.under.clone_from(section);
        if let Some(entries) = entries_of(reader, inner, &format!("a table: `[{under}]`")) {
            each(inner.key.clone(), &under, (&inner.location, entries), reader.found);
        }
        reader.under.clear();
    }
}

/// Checks a name that keys can refer to.
fn section_name(name: &str) -> Result<(), String> {
    if name == "none" {
        return Err("`none` takes something away and cannot be a name".into());
    }
    check_name(name)
}

/// Returns the value of a variable below the keys that its name spells out.
fn of_variable(variable: &Arc<str>, keys: &[String], value: &str) -> Option<Entry> {
    let place = SourceLocation::Variable(Arc::clone(variable));
    let value = Node::new(place.clone(), Value::Variable(value.trim().into()));
    let mut keys = keys.iter().rev();
    let innermost = Entry { key: keys.next()?.clone(), location: place.clone(), value };
    Some(keys.fold(innermost, |inner, key| Entry {
        key: key.clone(),
        location: place.clone(),
        value: Node::new(place.clone(), Value::Table(vec![inner])),
    }))
}

#[cfg(test)]
mod tests;
