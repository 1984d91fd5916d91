//! Reads the parts of settings from located values, and collects mistakes.

use crate::form::Form;
use crate::node::{Entry, Mistake, Syntax};
use crate::schema::{Parts, Settings, Written};
use crate::setting::Setting;
use crate::suggest::one_of;

/// The parts that had another name, whose nearest known key may be another one.
const RENAMED: &[(&str, &str)] = &[("max_age", "stale_if_error")];

/// Returns the message about an unknown key.
#[must_use]
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    match RENAMED.iter().find(|(old, new)| *old == key && known.contains(new)) {
        Some((_, new)) => format!("unknown key `{key}`: the part is called `{new}`; write `{new}`"),
        None => format!("unknown key `{key}`{}", one_of(key, known)),
    }
}

/// Reads the values and parts of entries, and collects mistakes.
#[derive(Debug)]
pub struct Reader<'r, L> {
    /// The mistakes so far.
    pub found: &'r mut Vec<Mistake<L>>,
    /// The path of the entries' parent, joined by dots.
    pub under: String,
    /// The spelling of words.
    pub syntax: Syntax,
}

impl<L: Clone> Reader<'_, L> {
    /// Returns the path with one more key.
    #[must_use]
    pub fn under_key(&self, key: &str) -> String {
        if self.under.is_empty() { key.into() } else { format!("{}.{key}", self.under) }
    }

    /// Reports a mistake in the value of an entry.
    pub fn problem(&mut self, entry: &Entry<L>, message: impl Into<String>) {
        let (place, key) = (entry.value.location.clone(), self.under_key(&entry.key));
        self.found.push(Mistake { place, key, message: message.into() });
    }

    /// Reports an unknown key.
    pub fn unknown(&mut self, entry: &Entry<L>, known: &[&str]) {
        let (place, key) = (entry.location.clone(), self.under_key(&entry.key));
        self.found.push(Mistake { place, key, message: unknown_key(&entry.key, known) });
    }

    /// Reads the value of an entry.
    pub fn value(&mut self, entry: &Entry<L>, form: Form) -> Option<Setting> {
        match form.read(&entry.key, &entry.value, self.syntax) {
            Ok(value) => Some(value),
            Err(mistakes) => {
                let key = self.under_key(&entry.key);
                self.found.extend(mistakes.into_iter().map(|mistake| Mistake { key: key.clone(), ..mistake }));
                None
            }
        }
    }

    /// Reads one part of these settings. Returns `None` if the key is not one of their parts.
    pub fn part<S: Settings>(&mut self, entry: &Entry<L>, parts: &mut Parts<L>) -> Option<()> {
        let part = S::part(&entry.key).filter(|part| self.syntax == Syntax::Attribute || !part.only_in_code)?;
        if let Some(value) = self.value(entry, part.form) {
            let location = entry.value.location.clone();
            parts.0.push(Written { name: part.name, path: part.path, value, location });
        }
        Some(())
    }

    /// Reads the first part alone: `bulkhead = 20`.
    pub fn first_part<S: Settings>(&mut self, entry: &Entry<L>) -> Option<Parts<L>> {
        let part = S::PARTS.first()?;
        let value = self.value(entry, part.form)?;
        let location = entry.value.location.clone();
        Some(Parts(vec![Written { name: part.name, path: part.path, value, location }]))
    }
}
