//! `resilient.toml` and variables: what they may say, and where they say it.
//!
//! ```toml
//! [default]                 # every guarded function
//! timeout = "20s"
//!
//! [profile.make]            # who says `profile = "make"`
//! retry = { max = 2, base = "500ms" }
//! breaker = "make"
//!
//! [breaker.make]            # the settings of the breaker of that name
//! failures = 8
//!
//! [tool.list_scenarios]     # the tool of that name
//! bulkhead = 10
//! ```

mod table;
mod toml;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::toml::Lines;
use crate::{Mistake, Node, Override, Problem, Syntax, Value, check_name, one_of};
pub use table::{BreakerTable, Named, Places, Table};
pub use toml::Place;

const SECTIONS: &[&str] = &["default", "profile", "breaker", "tool"];

/// A mistake in a file or a variable.
pub type FileProblem = Mistake<Place>;
type Entry = crate::Entry<Place>;
type Reader<'r> = crate::Reader<'r, Place>;

impl FileProblem {
    fn of(problem: &Problem, places: &Places, otherwise: &Place, under: &str) -> Self {
        let place = places.find(problem.path).unwrap_or(otherwise).clone();
        // The path of a breaker's setting begins with the word that the section has.
        let path =
            problem.path.strip_prefix("breaker.").filter(|_| under.starts_with("breaker.")).unwrap_or(problem.path);
        let key = if under.is_empty() { path.to_owned() } else { format!("{under}.{path}") };
        // What the attribute writes as a word is a text here.
        Self { place, key, message: problem.message.replace(" = none`", " = \"none\"`") }
    }
}

/// What a file says.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// `[default]`: of every guarded function.
    pub default: Table,
    /// `[profile.NAME]`: of functions that name the profile.
    pub profiles: BTreeMap<String, Table>,
    /// `[breaker.NAME]`: the settings of the breaker of that name.
    pub breakers: BTreeMap<String, BreakerTable>,
    /// `[tool.NAME]`: of the tool of that name.
    pub tools: BTreeMap<String, Table>,
}

impl File {
    /// Reads a file, which problems call `name`. Returns what could be read and everything that is wrong. Values are
    /// read, but the rules about them are not checked.
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
                    file.tools.insert(name, Table::read(inner.1, under, inner.0.clone(), found));
                }),
                "breaker" => sections(entry, &mut reader, |name, under, inner, found| {
                    file.breakers.insert(name, BreakerTable::read(inner.1, under, inner.0.clone(), found));
                }),
                _ => {
                    let message = format!("unknown table `{}`{}", entry.key, one_of(&entry.key, SECTIONS));
                    reader.found.push(FileProblem { place: entry.location.clone(), key: entry.key.clone(), message });
                }
            }
        }
        (file, found)
    }

    /// Every rule that what the file says breaks by itself, whatever function it is for. Values that
    /// are taken whole have to be `whole`; those that tune others may be parts.
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
        found
    }

    fn tables(&self) -> impl Iterator<Item = (String, &Table)> {
        let profiles = self.profiles.iter().map(|(name, table)| (format!("profile.{name}"), table));
        let tools = self.tools.iter().map(|(name, table)| (format!("tool.{name}"), table));
        std::iter::once(("default".into(), &self.default)).chain(profiles).chain(tools)
    }

    /// Whether a breaker of this name may be used: one that is there, or any where none is. `here`
    /// says where that is.
    ///
    /// # Errors
    /// A sentence with the name that was probably meant.
    pub fn knows_breaker(&self, name: &str, here: &str) -> Result<(), String> {
        known("breaker", name, here, &self.breakers, self.breakers.is_empty())
    }

    /// Whether there is a profile of this name.
    ///
    /// # Errors
    /// A sentence with the name that was probably meant.
    pub fn knows_profile(&self, name: &str, here: &str) -> Result<(), String> {
        known("profile", name, here, &self.profiles, false)
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

/// The entries of a table; any other value is a mistake.
fn entries_of<'n>(reader: &mut Reader<'_>, entry: &'n Entry, expected: &str) -> Option<&'n [Entry]> {
    if let Value::Table(entries) = &entry.value.value {
        return Some(entries);
    }
    reader.problem(entry, format!("expected {expected}"));
    None
}

/// `[section.NAME]`: hands out each name with its place and entries.
fn sections(
    entry: &Entry,
    reader: &mut Reader<'_>,
    mut each: impl FnMut(String, &str, (&Place, &[Entry]), &mut Vec<FileProblem>),
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

/// A name that a key can name.
fn section_name(name: &str) -> Result<(), String> {
    if name == "none" {
        return Err("`none` takes something away and cannot be a name".into());
    }
    check_name(name)
}

/// What a variable says: a value under keys, of which the first are already spoken for.
fn of_variable(variable: &Arc<str>, keys: &[String], value: &str) -> Option<Entry> {
    let place = Place::Variable(Arc::clone(variable));
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
