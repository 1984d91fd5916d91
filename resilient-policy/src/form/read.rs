//! Reads a value of each form.

use std::time::Duration;

use crate::bytes::{parse_bytes, with_unit};
use crate::case::snake;
use crate::duration::parse_duration;
use crate::kind::{ErrorKind, KindSet, retried_kind};
use crate::node::{Mistake, Node, Number, Syntax, Value};
use crate::scalar::parse_flag;
use crate::setting::{Rate, Setting, Window, Word, parse_rate};
use crate::suggest::one_of;

/// Returns the message about a number with a suffix where a text was expected.
pub(super) fn no_text(suffix: &str) -> String {
    format!("a number is no text; remove the suffix `{suffix}`, and write the text in quotes")
}

/// Reads a text in quotes.
///
/// # Errors
/// Returns the message about a value of another type.
pub fn read_text<L>(value: &Value<L>) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Suffixed(Number::Text(quoted), _) => Err(format!("a text has no suffix; write `{quoted}`")),
        Value::Suffixed(Number::Other, suffix) => Err(format!("a literal has no suffix here; remove `{suffix}`")),
        Value::Suffixed(_, suffix) => Err(no_text(suffix)),
        _ => Err("expected a text in quotes".into()),
    }
}

/// Returns the message about a word or a number that was written in quotes.
#[must_use]
pub fn without_quotes(word: &str) -> String {
    format!("this stands without quotes; write `{word}`")
}

/// Returns whether a value is `none`.
///
/// # Errors
/// Returns a message if the value means `none` and is spelled differently.
pub fn is_none<L>(value: &Value<L>, syntax: Syntax) -> Result<bool, String> {
    match (value, syntax) {
        (Value::Word(word), Syntax::Attribute) if word == "None" => {
            Err("this refuses what is inherited; write `none`".into())
        }
        (Value::Text(text), Syntax::Attribute) if text == "none" => Err(without_quotes("none")),
        (Value::Word(word), Syntax::Attribute) => Ok(word == "none"),
        (Value::Text(text) | Value::Variable(text), Syntax::File) => Ok(text == "none"),
        _ => Ok(false),
    }
}

/// Reads the name of a kind, or returns the message about another word. Returns `None` if the value is not a word.
///
/// # Errors
/// Returns the message about a word that is not the name of a kind.
#[must_use]
pub fn read_kind<L>(value: &Value<L>) -> Option<Result<ErrorKind, String>> {
    let (word, is_bare) = match value {
        Value::Word(word) => (word.trim_start_matches("r#").to_owned(), true),
        Value::Text(text) => (text.replace('-', "_"), false),
        // `ErrorKind::NotFound`, or `not-found`, which the parser reads as a subtraction.
        Value::Code(code) => (code.rsplit("::").next()?.replace('-', "_"), false),
        _ => return None,
    };
    let is_word = word.starts_with(char::is_alphabetic) && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    if matches!(value, Value::Code(_)) && !is_word {
        return None;
    }
    let in_snake = snake(&word);
    Some(match (word.parse().ok(), in_snake.parse::<ErrorKind>().ok(), is_bare) {
        (Some(kind), _, true) => Ok(kind),
        (_, Some(kind), true) => Err(format!("unknown kind `{word}`; write `{kind}`")),
        (_, Some(kind), false) => Err(format!("a kind is one word without quotes; write `{kind}`")),
        (_, None, _) => {
            let meant = match ErrorKind::from_foreign_name(&in_snake) {
                Some(kind) => format!("; did you mean `{kind}`?"),
                None => one_of(&word, ErrorKind::NAMES),
            };
            Err(format!("{}unknown kind `{word}`{meant}", if is_bare { "" } else { "expected a bare word: " }))
        }
    })
}

pub(super) fn flag<L>(value: &Value<L>) -> Result<bool, String> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Variable(text) => parse_flag(text),
        Value::Text(text) if text == "true" || text == "false" => Err(without_quotes(text)),
        _ => Err("expected `true` or `false`".into()),
    }
}

pub(super) fn count<L>(value: &Value<L>, least: u32, most: u32) -> Result<u32, String> {
    match value {
        Value::Integer(number) => u32::try_from(*number).map_err(|_| {
            if most < u32::MAX {
                format!("expected a number from {least} to {most}")
            } else if *number < 0 {
                "expected a number that is not negative".into()
            } else {
                format!("expected a number up to {most}")
            }
        }),
        Value::Variable(text) => text.trim().parse().map_err(|_| format!("expected a whole number, found `{text}`")),
        Value::Text(text) if text.parse::<u32>().is_ok() => Err(without_quotes(text)),
        _ => Err("expected a whole number".into()),
    }
}

pub(super) fn number<L>(value: &Value<L>, expected: &str) -> Result<f64, String> {
    match value {
        Value::Float(number) => Ok(*number),
        #[expect(clippy::cast_precision_loss, reason = "what does not fit is out of every range")]
        Value::Integer(number) => Ok(*number as f64),
        Value::Variable(text) => text.trim().parse().map_err(|_| format!("expected {expected}, found `{text}`")),
        Value::Text(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => {
            Err(without_quotes(text.trim_start_matches('+')))
        }
        _ => Err(format!("expected {expected}")),
    }
}

pub(super) fn fraction<L>(value: &Value<L>) -> Result<f64, String> {
    let expected = "a share such as `0.5`";
    let Value::Text(text) = value else { return number(value, expected) };
    let text = text.trim();
    let share = match text.strip_suffix('%') {
        Some(per_cent) => per_cent.trim().parse::<f64>().ok().map(|per_cent| per_cent / 100.0),
        None => text.parse::<f64>().ok(),
    };
    Err(match share.filter(|share| *share > 0.0 && *share <= 1.0) {
        Some(share) => format!("a share is a number here; write `{share}`"),
        None => format!("expected {expected}"),
    })
}

pub(super) fn share<L>(value: &Value<L>, syntax: Syntax) -> Result<Setting, String> {
    if is_none(value, syntax)? {
        return Ok(Setting::None);
    }
    let per_cent = match value {
        Value::Text(text) | Value::Variable(text) => {
            text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok())
        }
        _ => None,
    };
    let none = syntax.word("none");
    per_cent
        .map(|per_cent| Setting::Number(per_cent / 100.0))
        .ok_or_else(|| format!("expected a share such as `\"20%\"`, or `{none}`"))
}

pub(super) fn duration<L>(value: &Value<L>) -> Result<Duration, String> {
    match value {
        Value::Text(text) | Value::Variable(text) => parse_duration(text),
        Value::Integer(number) => {
            let advice = if (1..=86_400).contains(number) { format!("; write `\"{number}s\"`") } else { String::new() };
            Err(format!("expected a duration with its unit in quotes{advice}"))
        }
        _ => Err("expected a duration such as `\"30s\"`".into()),
    }
}

pub(super) fn bytes<L>(value: &Value<L>) -> Result<u64, String> {
    match value {
        Value::Text(text) | Value::Variable(text) => parse_bytes(text),
        Value::Integer(number) => {
            let is_size = (1..=1 << 40).contains(number);
            let advice = if is_size { format!("; write {}", with_unit(&number.to_string())) } else { String::new() };
            Err(format!("expected a size with its unit in quotes{advice}"))
        }
        _ => Err("expected a size such as `\"64MiB\"`".into()),
    }
}

pub(super) fn window<L>(key: &str, value: &Value<L>) -> Result<Window, String> {
    match value {
        Value::Integer(_) => count(value, 0, u32::MAX).map(Window::Count),
        Value::Variable(text) if text.trim().parse::<u32>().is_ok() => count(value, 0, u32::MAX).map(Window::Count),
        Value::Text(text) if text.trim().parse::<u32>().is_ok() => {
            let number = text.trim().trim_start_matches('0');
            Err(if number.is_empty() {
                "a number of results stands without quotes, a time has a unit: expected `100` or `\"60s\"`".into()
            } else {
                format!(
                    "a number of results stands without quotes, a time has a unit; write `{number}` or `\"{number}s\"`"
                )
            })
        }
        Value::Text(_) | Value::Variable(_) => duration(value).map(Window::Time),
        _ => Err(format!("expected a number of results, `{key} = 100`, or a time, `{key} = \"60s\"`")),
    }
}

pub(super) fn rate<L>(value: &Value<L>) -> Result<Rate, String> {
    let expected = "calls and a duration";
    match value {
        Value::Text(text) | Value::Variable(text) => parse_rate(text),
        Value::Integer(calls) => {
            let advice = if (1..=i128::from(u32::MAX)).contains(calls) {
                format!("; write `\"{calls}/1s\"`")
            } else {
                String::new()
            };
            Err(format!("expected {expected} in quotes{advice}"))
        }
        // The parser reads `100/1s` as a division.
        Value::Code(code) if code.contains('/') && parse_rate(code).is_ok() => {
            Err(format!("expected quotes around the rate: `\"{code}\"`"))
        }
        _ => Err(format!("expected {expected} such as `\"100/1s\"`")),
    }
}

pub(super) fn word<L>(what: &str, words: &'static [Word], value: &Value<L>, syntax: Syntax) -> Result<Word, String> {
    let known: Vec<&str> = words.iter().map(|word| word.word).collect();
    let find = |wanted: &str| words.iter().find(|word| word.word == wanted);
    let written = match (value, syntax) {
        (Value::Text(text), Syntax::Attribute) if find(text).is_some() => return Err(without_quotes(text)),
        (Value::Word(word), _) | (Value::Text(word) | Value::Variable(word), Syntax::File) => word,
        _ => return Err(format!("found no {what}{}", one_of("", &known))),
    };
    find(written).copied().ok_or_else(|| format!("unknown {what} `{written}`{}", one_of(written, &known)))
}

pub(super) fn kinds<L: Clone>(words: &[Node<L>], whole: &L, syntax: Syntax) -> Result<Setting, Vec<Mistake<L>>> {
    let mut mistakes = Vec::new();
    let mut kinds = KindSet::EMPTY;
    for node in words {
        match kind(&node.value, kinds, syntax) {
            Ok(more) => kinds = more,
            Err(why) => mistakes.push(Mistake::at(node.location.clone(), why)),
        }
    }
    if words.is_empty() {
        let example = match syntax {
            Syntax::Attribute => "`on(timeout, unavailable)`",
            Syntax::File => "`on = [\"timeout\", \"unavailable\"]`",
        };
        mistakes.push(Mistake::at(whole.clone(), format!("expected at least one kind: {example}")));
    }
    if mistakes.is_empty() { Ok(Setting::Kinds(kinds)) } else { Err(mistakes) }
}

/// Reads one kind and adds it to the others.
fn kind<L>(value: &Value<L>, so_far: KindSet, syntax: Syntax) -> Result<KindSet, String> {
    match (value, syntax) {
        (Value::Word(name), _) | (Value::Text(name), Syntax::File) => retried_kind(name, so_far).map_err(|why| {
            let right = Some(snake(name)).filter(|right| right != name && retried_kind(right, so_far).is_ok());
            right.map_or(why, |right| format!("unknown kind `{name}`; write `{}`", syntax.word(&right)))
        }),
        (Value::Text(name), Syntax::Attribute) => {
            Err(retried_kind(name, so_far).map_or_else(|why| why, |_| without_quotes(name)))
        }
        (Value::Code(code), _) => {
            // `ErrorKind::Timeout`, or `bad-response`, which the parser reads as a subtraction.
            let last = code.rsplit("::").next().unwrap_or(code).replace('-', "_");
            Err(match snake(&last).parse::<ErrorKind>() {
                Ok(kind) => format!("expected the name of the kind alone: `{kind}`"),
                Err(_) => "expected the name of a kind, such as `timeout`".into(),
            })
        }
        _ if syntax == Syntax::File => Err("expected the name of a kind in quotes, such as `\"timeout\"`".into()),
        _ => Err("expected the name of a kind, such as `timeout`".into()),
    }
}
