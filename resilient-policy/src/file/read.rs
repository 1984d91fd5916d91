//! One value of a table read as what its key wants.

use std::time::Duration;

use super::FileProblem;
use super::node::{Entry, Kind, Node};
use crate::{Given, Jitter, KindSet, Window, one_of, parse_duration, parse_flag, parse_rate, retried_kind};

/// What went wrong while reading, and under which key.
pub(super) struct Reader<'p> {
    pub(super) found: &'p mut Vec<FileProblem>,
    /// The keys above, joined by dots.
    pub(super) under: String,
}

impl Reader<'_> {
    pub(super) fn path(&self, key: &str) -> String {
        if self.under.is_empty() { key.into() } else { format!("{}.{key}", self.under) }
    }

    pub(super) fn problem(&mut self, entry: &Entry, message: impl Into<String>) {
        let (place, key) = (entry.value.place.clone(), self.path(&entry.key));
        self.found.push(FileProblem { place, key, message: message.into() });
    }

    /// Refuses a key that is none of these.
    pub(super) fn unknown(&mut self, entry: &Entry, known: &[&str]) {
        let message = format!("unknown key `{}`{}", entry.key, one_of(&entry.key, known));
        self.found.push(FileProblem { place: entry.place.clone(), key: self.path(&entry.key), message });
    }

    /// The value that a reading finds; what is wrong is told.
    pub(super) fn take<T>(&mut self, entry: &Entry, read: fn(&Node) -> Result<T, String>) -> Option<T> {
        match read(&entry.value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(entry, why);
                None
            }
        }
    }

    /// The entries of a table; a value that is none is told.
    pub(super) fn entries<'n>(&mut self, entry: &'n Entry, expected: &str) -> Option<&'n [Entry]> {
        if let Kind::Table(entries) = &entry.value.kind {
            return Some(entries);
        }
        self.problem(entry, format!("expected {expected}"));
        None
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Text(text) | Kind::Word(text) => Some(text),
        _ => None,
    }
}

pub(super) fn is_none(node: &Node) -> bool {
    text(node) == Some("none")
}

pub(super) fn duration(node: &Node) -> Result<Duration, String> {
    match &node.kind {
        Kind::Text(text) | Kind::Word(text) => parse_duration(text),
        Kind::Integer(number) => Err(format!("expected a duration with its unit in quotes: `\"{number}s\"`")),
        _ => Err("expected a duration such as `\"30s\"`".into()),
    }
}

pub(super) fn count(node: &Node) -> Result<u32, String> {
    let fits = "expected a whole number that fits into 32 bits";
    match &node.kind {
        Kind::Integer(number) => u32::try_from(*number).map_err(|_| fits.into()),
        Kind::Word(text) => text.trim().parse().map_err(|_| format!("expected a whole number, found `{text}`")),
        Kind::Text(text) if text.parse::<u32>().is_ok() => Err(format!("expected a number without quotes: `{text}`")),
        _ => Err("expected a whole number".into()),
    }
}

pub(super) fn number(node: &Node) -> Result<f64, String> {
    match &node.kind {
        Kind::Float(number) => Ok(*number),
        #[expect(clippy::cast_precision_loss, reason = "what does not fit is out of every range")]
        Kind::Integer(number) => Ok(*number as f64),
        Kind::Word(text) => text.trim().parse().map_err(|_| format!("expected a number such as `2.0`, found `{text}`")),
        _ => Err("expected a number such as `2.0`".into()),
    }
}

pub(super) fn flag(node: &Node) -> Result<bool, String> {
    match &node.kind {
        Kind::Bool(value) => Ok(*value),
        Kind::Word(text) => parse_flag(text),
        _ => Err("expected `true` or `false`".into()),
    }
}

pub(super) fn name(node: &Node) -> Result<String, String> {
    let name = text(node).ok_or("expected a text in quotes")?;
    crate::check_name(name).map(|()| name.into())
}

/// A window of so many results or so long a time.
pub(super) fn window(node: &Node) -> Result<Window, String> {
    match &node.kind {
        Kind::Integer(_) => count(node).map(Window::Count),
        Kind::Word(text) if text.trim().parse::<u32>().is_ok() => count(node).map(Window::Count),
        Kind::Text(_) | Kind::Word(_) => duration(node).map(Window::Time),
        _ => Err("expected a number of results, `100`, or a time, `\"60s\"`".into()),
    }
}

pub(super) fn rate(node: &Node) -> Result<(u32, Duration), String> {
    let text = text(node).ok_or("expected calls and a duration such as `\"100/1s\"`")?;
    parse_rate(text).map(|rate| (rate.calls, rate.period))
}

pub(super) fn jitter(node: &Node) -> Result<Jitter, String> {
    let name = text(node).unwrap_or_default();
    Jitter::from_name(name).ok_or_else(|| format!("expected a kind of jitter{}", one_of(name, Jitter::NAMES)))
}

/// `"20%"`, or none.
pub(super) fn share(node: &Node) -> Result<Given<f64>, String> {
    if is_none(node) {
        return Ok(Given::None);
    }
    text(node)
        .and_then(|text| text.strip_suffix('%')?.trim().parse::<f64>().ok())
        .map(|per_cent| Given::Is(per_cent / 100.0))
        .ok_or_else(|| "expected a share such as `\"20%\"`, or `\"none\"`".into())
}

/// `["timeout", "unavailable"]`; in a variable `timeout,unavailable`.
pub(super) fn kinds(node: &Node) -> Result<KindSet, String> {
    let words: Vec<&str> = match &node.kind {
        Kind::List(list) => {
            list.iter().map(|node| text(node).ok_or("expected kinds in quotes")).collect::<Result<_, _>>()?
        }
        Kind::Word(words) => words.split(',').map(str::trim).filter(|word| !word.is_empty()).collect(),
        _ => return Err("expected kinds in a list: `[\"timeout\", \"unavailable\"]`".into()),
    };
    if words.is_empty() {
        return Err("expected at least one kind".into());
    }
    words.into_iter().try_fold(KindSet::EMPTY, |kinds, word| retried_kind(word, kinds))
}
