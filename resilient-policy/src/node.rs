//! A tree of located values: the common form of attributes, files and variables.

use std::fmt;

/// A value and its location.
#[derive(Debug, Clone)]
pub struct Node<L> {
    /// The location of the value.
    pub location: L,
    /// The value.
    pub value: Value<L>,
}

/// A value.
#[derive(Debug, Clone)]
pub enum Value<L> {
    /// A key without a value.
    Alone,
    /// A text in quotes.
    Text(String),
    /// A word without quotes in an attribute.
    Word(String),
    /// The text of a variable, which the key reads as a text, a number, a word or a list.
    Variable(String),
    /// An integer.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A literal with a suffix, such as `60s`: the literal and the suffix.
    Suffixed(Number, String),
    /// Any other expression of an attribute, without spaces.
    Code(String),
    /// A list.
    List(Vec<Node<L>>),
    /// A table of keys.
    Table(Vec<Entry<L>>),
    /// A date, or a number that is too large.
    Other,
}

/// A literal without its suffix.
#[derive(Debug, Clone)]
pub enum Number {
    /// An integer.
    Whole(String),
    /// A number with a fraction.
    Fraction(String),
    /// A text, with its quotes.
    Text(String),
    /// Any other literal.
    Other,
}

/// A key, its location and its value.
#[derive(Debug, Clone)]
pub struct Entry<L> {
    /// The key.
    pub key: String,
    /// The location of the key.
    pub location: L,
    /// The value.
    pub value: Node<L>,
}

impl<L> Node<L> {
    /// Creates a value at a location.
    pub const fn new(location: L, value: Value<L>) -> Self {
        Self { location, value }
    }
}

/// The spelling of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// As in Rust: `none`.
    Attribute,
    /// As in TOML: `"none"`.
    File,
}

impl Syntax {
    /// Returns a word as this syntax spells it.
    #[must_use]
    pub fn word(self, word: &str) -> String {
        match self {
            Self::Attribute => word.into(),
            Self::File => format!("\"{word}\""),
        }
    }
}

/// A mistake and its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake<L> {
    /// The location of the mistake.
    pub place: L,
    /// The path of the key, joined by dots. Empty for a mistake that concerns the whole file.
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
    /// Creates a mistake at a location.
    pub fn at(place: L, message: impl Into<String>) -> Self {
        Self { place, key: String::new(), message: message.into() }
    }
}
