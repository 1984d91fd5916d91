//! What was written, as a tree of located values: an attribute, a file and a variable all become one.

use std::fmt;

use crate::{Form, Parts, Settings, Written, one_of};

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct Node<L> {
    /// Where.
    pub location: L,
    /// What.
    pub value: Value<L>,
}

/// A value.
#[derive(Debug, Clone)]
pub enum Value<L> {
    /// A key without a value.
    Alone,
    /// A text in quotes.
    Text(String),
    /// A word without quotes, in an attribute.
    Word(String),
    /// The value of a variable: a text, a number, a word or a list, whichever the key takes.
    Variable(String),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A literal with a suffix, such as `60s`, and the suffix.
    Suffixed(Number, String),
    /// Any other expression of an attribute, without its spaces.
    Code(String),
    /// A list.
    List(Vec<Node<L>>),
    /// Keys with values.
    Table(Vec<Entry<L>>),
    /// A date, or a number that does not fit.
    Other,
}

/// A literal before its suffix.
#[derive(Debug, Clone)]
pub enum Number {
    /// Digits.
    Whole(String),
    /// Digits with a fraction.
    Fraction(String),
    /// A text, with its quotes.
    Text(String),
    /// Anything else.
    Other,
}

/// A key, where it was written, and its value.
#[derive(Debug, Clone)]
pub struct Entry<L> {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub location: L,
    /// The value.
    pub value: Node<L>,
}

impl<L> Node<L> {
    /// A value at a location.
    pub const fn new(location: L, value: Value<L>) -> Self {
        Self { location, value }
    }
}

/// How words are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// As in Rust: `none`.
    Attribute,
    /// As in TOML: `"none"`.
    File,
}

impl Syntax {
    /// A word as it has to be written.
    #[must_use]
    pub fn word(self, word: &str) -> String {
        match self {
            Self::Attribute => word.into(),
            Self::File => format!("\"{word}\""),
        }
    }
}

/// A mistake in what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake<L> {
    /// Where it was written.
    pub place: L,
    /// The key it is about, with those above it, joined by dots; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what was expected, in one lower-case sentence.
    pub message: String,
}

impl<L: fmt::Display> fmt::Display for Mistake<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, message } = self;
        if key.is_empty() { write!(f, "{place}: {message}") } else { write!(f, "{place}: `{key}`: {message}") }
    }
}

impl<L> Mistake<L> {
    /// A mistake at a location.
    pub fn at(place: L, message: impl Into<String>) -> Self {
        Self { place, key: String::new(), message: message.into() }
    }
}

/// The message about a key that is none of these.
#[must_use]
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    format!("unknown key `{key}`{}", one_of(key, known))
}

/// Reads entries. What is wrong goes to `found`.
#[derive(Debug)]
pub struct Reader<'r, L> {
    /// What is wrong.
    pub found: &'r mut Vec<Mistake<L>>,
    /// The keys above the entries, joined by dots.
    pub under: String,
    /// How words are written.
    pub syntax: Syntax,
}

impl<L: Clone> Reader<'_, L> {
    /// The keys above, with one more.
    #[must_use]
    pub fn under_key(&self, key: &str) -> String {
        if self.under.is_empty() { key.into() } else { format!("{}.{key}", self.under) }
    }

    /// Reports a mistake in the value of an entry.
    pub fn problem(&mut self, entry: &Entry<L>, message: impl Into<String>) {
        let (place, key) = (entry.value.location.clone(), self.under_key(&entry.key));
        self.found.push(Mistake { place, key, message: message.into() });
    }

    /// Reports a key that is none of these.
    pub fn unknown(&mut self, entry: &Entry<L>, known: &[&str]) {
        let (place, key) = (entry.location.clone(), self.under_key(&entry.key));
        self.found.push(Mistake { place, key, message: unknown_key(&entry.key, known) });
    }

    /// Reads the value of an entry.
    pub fn value(&mut self, entry: &Entry<L>, form: Form) -> Option<crate::Setting> {
        match form.read(&entry.key, &entry.value, self.syntax) {
            Ok(value) => Some(value),
            Err(mistakes) => {
                let key = self.under_key(&entry.key);
                self.found.extend(mistakes.into_iter().map(|mistake| Mistake { key: key.clone(), ..mistake }));
                None
            }
        }
    }

    /// Reads one part of these settings. `None` if the key is no part of them.
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
