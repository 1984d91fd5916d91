//! Rewrites serde's message about arguments as field, expected value and received value.

use std::fmt::Write as _;

use serde_json::Value;

use super::secrets::Secrets;
use super::{Explain, Misfit, Step, at, with};
use crate::redact;

/// The maximum number of characters of a received value.
const RECEIVED: usize = 120;
/// The maximum number of characters of a path.
const PATH: usize = 200;
/// The maximum number of characters of an expectation, and of a message in the author's own words.
const EXPECTED: usize = 500;

/// The message about a value if every word of serde's message could be a secret.
const NOT_ACCEPTED: &str = "the value was not accepted";

/// The reason why arguments do not fit.
pub(super) struct Reason {
    path: Vec<Step>,
    /// The number of steps of the path that may be shown.
    shown: usize,
    what: What,
}

enum What {
    Wrong { expected: String, received: String },
    Missing,
    Unknown { expected: String },
    Other(String),
}

impl Reason {
    pub(super) fn of(misfit: Misfit, arguments: &Value, explain: Explain) -> Self {
        let Misfit { mut path, message } = misfit;
        let secrets = Secrets::of(arguments);
        let what = if let Some(field) = between(&message, "missing field `", "`") {
            path.push(Step::Key(field.into()));
            What::Missing
        } else if let Some((field, expected)) = unknown_field(&message) {
            let field = Step::Key(field.into());
            if path.last() != Some(&field) {
                path.push(field);
            }
            What::Unknown { expected: expected.into() }
        } else if let Some((received, expected)) = wrong(&message) {
            // Types that serde buffers first, as with `flatten`, lose the end of the path.
            if let Some(rest) = at(arguments, &path).and_then(|value| only_place(value, &received)) {
                let place = [path.as_slice(), &rest].concat();
                if rest.is_empty() || is_certain(arguments, &place, expected, explain) {
                    path = place;
                }
            }
            let is_secret = secrets.depth_in(&path).is_some() || secrets.are_in(&received);
            let received = if is_secret {
                kind_alone(&received, Some(&secrets))
            } else {
                shortened(&redact::text(&received), RECEIVED)
            };
            What::Wrong { expected: in_json(expected), received: in_json(&received) }
        } else {
            let masked = secrets.masked_in(&message).unwrap_or_else(|| NOT_ACCEPTED.into());
            What::Other(redact::text(&masked))
        };
        let shown = shown_of(&path, &what, &secrets);
        Self { path, shown, what }
    }

    pub(super) fn in_words(&self) -> String {
        let subject = if self.path.is_empty() {
            "the arguments".to_owned()
        } else {
            let mut path = shown(self.path.get(..self.shown).unwrap_or_default());
            if self.shown < self.path.len() {
                path = format!("{path}.{}", redact::MASK);
            }
            format!("argument `{}`", shortened(&redact::text(&path), PATH))
        };
        match &self.what {
            What::Wrong { expected, received } => {
                format!("{subject}: expected {}, received {received}", shortened(expected, EXPECTED))
            }
            What::Missing => format!("{subject} is missing"),
            What::Unknown { expected } => format!("{subject} is unknown: {}", shortened(expected, EXPECTED)),
            What::Other(message) => format!("{subject}: {}", shortened(message, EXPECTED)),
        }
    }
}

/// Returns how many steps of a path may be shown. Keys below the name of a secret may be secrets themselves.
fn shown_of(path: &[Step], what: &What, secrets: &Secrets) -> usize {
    let Some(depth) = secrets.depth_in(path) else { return path.len() };
    let hidden = path.get(depth..).unwrap_or_default();
    let places = hidden.iter().take_while(|step| matches!(step, Step::Index(_))).count();
    match (hidden.get(places..), what) {
        // The name of a missing field comes from the type, not from the arguments.
        (Some([Step::Key(field)]), What::Missing) if !secrets.are_in(field) => path.len(),
        _ => depth + places,
    }
}

/// Returns serde's message without secrets. If they are not known, everything that may be a secret is removed.
pub(super) fn without_secrets(message: &str, secrets: Option<&Secrets>) -> String {
    let masked = if let Some((word, received, expected)) = refused(message) {
        let received = match secrets {
            Some(secrets) if !secrets.are_in(received) => received.into(),
            _ => kind_alone(received, secrets),
        };
        format!("{word}{received}, expected {expected}")
    } else if let Some(secrets) = secrets {
        secrets.masked_in(message).unwrap_or_else(|| NOT_ACCEPTED.into())
    } else if let Some((_, expected)) = unknown_field(message) {
        format!("unknown field {}, {expected}", redact::MASK)
    } else if between(message, "missing field `", "`").is_some() {
        message.into()
    } else {
        NOT_ACCEPTED.into()
    };
    redact::text(&masked)
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

/// Splits a message about an unknown field into the field and the expectation.
fn unknown_field(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("unknown field `")?;
    let at = ["`, expected ", "`, there are no fields"].iter().find_map(|known| rest.rfind(known))?;
    Some((rest.get(..at)?, rest.get(at..)?.strip_prefix("`, ")?))
}

/// Splits serde's message into its first words, the received value and the expectation. The received value may contain
/// any text.
fn refused(message: &str) -> Option<(&'static str, &str, &str)> {
    ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "].into_iter().find_map(|word| {
        let (received, expected) = message.strip_prefix(word)?.rsplit_once(", expected ")?;
        Some((word, received, expected))
    })
}

/// Returns the received value and the expectation.
fn wrong(message: &str) -> Option<(String, &str)> {
    let (word, received, expected) = refused(message)?;
    let received = match word {
        "invalid length " => format!("length {received}"),
        "unknown variant " => format!("string {:?}", received.trim_matches('`')),
        _ => received.into(),
    };
    Some((received, expected))
}

/// Returns the path to the only value that serde would describe with these words, or `None` if there are several or
/// none.
fn only_place(value: &Value, received: &str) -> Option<Vec<Step>> {
    fn search(value: &Value, received: &str, way: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
        let mut below = |step: Step, inner: &Value| {
            way.push(step);
            search(inner, received, way, found);
            way.pop();
        };
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| below(Step::Index(index), item));
            }
            Value::Object(members) => members.iter().for_each(|(key, member)| below(Step::Key(key.clone()), member)),
            scalar if describes(received, scalar) => found.push(way.clone()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    search(value, received, &mut Vec::new(), &mut found);
    found.pop().filter(|_| found.is_empty())
}

/// Returns whether the value at `place` is certainly the one that does not fit: other values at that path are rejected
/// with the same words.
fn is_certain(arguments: &Value, place: &[Step], expected: &str, explain: Explain) -> bool {
    let refuses = |other: Value| {
        let misfit = explain(with(arguments, place, other.clone())?)?;
        let (received, still) = wrong(&misfit.message)?;
        Some(still == expected && describes(&received, &other))
    };
    at(arguments, place).is_some_and(|value| others(value).into_iter().any(|other| refuses(other) == Some(true)))
}

/// Returns other values of the same kind, which probably do not fit either.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => vec![format!("{text}~").into(), format!("~{text}").into()],
        Value::Bool(value) => vec![(!value).into()],
        Value::Number(number) => {
            let further = |by: i64| match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => number.checked_add_signed(by).map(Value::from),
                (None, Some(number)) => number.checked_sub(by).map(Value::from),
                (None, None) => number.as_f64().map(|number| Value::from(number + if by > 0 { 1.0 } else { -1.0 })),
            };
            [1, 2, -1].into_iter().filter_map(further).filter(|other| other != value).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns whether serde would describe this value with these words.
fn describes(received: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => received == format!("string {text:?}"),
        Value::Number(number) => {
            between(received, "integer `", "`").or_else(|| between(received, "floating point `", "`"))
                == Some(&*number.to_string())
        }
        Value::Bool(value) => received == format!("boolean `{value}`"),
        _ => false,
    }
}

/// Returns the kind of a received value, without the value.
fn kind_alone(received: &str, secrets: Option<&Secrets>) -> String {
    const OF_SCALARS: &[&str] = &["string", "integer", "floating point", "boolean", "character"];
    const OF_OTHERS: &[&str] = &["null", "unit value", "map", "sequence", "byte array", "Option value"];
    match received.split_once(['"', '`']) {
        Some((kind, _)) if OF_SCALARS.contains(&kind.trim()) => format!("{} {}", kind.trim(), redact::MASK),
        None if OF_OTHERS.contains(&received) => received.into(),
        None if secrets.is_some_and(|secrets| !secrets.are_in(received)) => received.into(),
        // A custom type may describe a received value in any words.
        _ => redact::MASK.into(),
    }
}

/// Translates Rust's and serde's words for kinds of values to JSON's.
fn in_json(words: &str) -> String {
    match words {
        "map" | "a map" => "an object".into(),
        "sequence" | "a sequence" => "an array".into(),
        "unit" | "unit value" => "null".into(),
        _ if words.starts_with("struct ") && !words.contains(" with ") => "an object".into(),
        other => other.into(),
    }
}

/// Formats a path: `items[3].id`.
fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        let _ = match step {
            Step::Index(index) => write!(text, "[{index}]"),
            Step::Key(key) if text.is_empty() => write!(text, "{key}"),
            Step::Key(key) => write!(text, ".{key}"),
        };
    }
    text
}

/// Shortens a text to at most `most` characters by cutting out its middle.
fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let (head, tail) = (most * 2 / 3, most / 3);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}
