//! The forms of values, and the messages about values in another form.

use std::time::Duration;

use crate::node::{Mistake, Node, Number, Syntax, Value};
use crate::{
    ErrorKind, KindSet, Rate, Setting, Severity, Window, Word, corrected_duration, format_duration, format_share,
    one_of, parse_duration, parse_flag, parse_rate, retried_kind, snake,
};

/// The form of a value, with its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// `true`
    Flag,
    /// `20`, with the smallest and the largest value.
    Count(u32, u32),
    /// `2.0`
    Number,
    /// `0.5`: above 0, at most 1.
    Fraction,
    /// `"20%"`, or `none`.
    Share,
    /// `"30s"`, with the shortest and the longest duration.
    Duration(Duration, Duration),
    /// `100` results, or the results of the last `"60s"`.
    Window,
    /// `"100/1s"`
    Rate,
    /// `on(timeout, unavailable)`
    Kinds,
    /// One of these words. The first field describes them in messages.
    Word(&'static str, &'static [Word]),
}

impl Form {
    /// Any integer.
    pub const COUNT: Self = Self::Count(0, u32::MAX);
    /// Any duration.
    pub const DURATION: Self = Self::Duration(Duration::ZERO, Duration::MAX);
    /// The severity of an error.
    pub const SEVERITY: Self = Self::Word("severity", Severity::WORDS);

    /// Returns the message about a key without a value.
    fn expected_after_equals(self) -> String {
        match self {
            Self::Flag => "`true` or `false`".into(),
            Self::Count(..) => "a whole number".into(),
            Self::Number => "a number such as `2.0`".into(),
            Self::Fraction => "a share such as `0.5`".into(),
            Self::Share => "a share such as `\"20%\"`, or `none`,".into(),
            Self::Duration(..) => "a duration such as `\"30s\"`".into(),
            Self::Window => "a number of results or a time".into(),
            Self::Rate => "calls and a duration such as `\"100/1s\"`".into(),
            Self::Kinds => "kinds".into(),
            Self::Word("jitter", _) => "a kind of jitter".into(),
            Self::Word(_, words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{}`", word.word)).collect();
                words.join(" or ")
            }
        }
    }

    /// Returns an example of a value, for a message about an unfinished one.
    #[must_use]
    pub const fn example(self) -> Option<&'static str> {
        Some(match self {
            Self::Flag => "true",
            Self::Count(..) => "3",
            Self::Number => "2.0",
            Self::Fraction => "0.5",
            Self::Share => "\"20%\"",
            // Below every default, so that no rule between keys refuses it.
            Self::Duration(..) => "\"1s\"",
            Self::Rate => "\"100/1s\"",
            Self::Window | Self::Kinds | Self::Word(..) => return None,
        })
    }

    /// Reads a value.
    ///
    /// # Errors
    /// Returns everything that is wrong with the value, with locations.
    pub fn read<L: Clone>(self, key: &str, node: &Node<L>, syntax: Syntax) -> Result<Setting, Vec<Mistake<L>>> {
        let at_value = |message: String| vec![Mistake::at(node.location.clone(), message)];
        match (self, &node.value) {
            (Self::Kinds, Value::List(words)) => return kinds(words, &node.location, syntax),
            (Self::Kinds, Value::Variable(text)) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                let words: Vec<_> =
                    words.map(|word| Node::new(node.location.clone(), Value::Word(word.into()))).collect();
                return kinds(&words, &node.location, syntax);
            }
            (Self::Kinds, _) => {
                return Err(at_value(match syntax {
                    Syntax::Attribute => format!("expected kinds in brackets: `{key}(timeout, unavailable)`"),
                    Syntax::File => format!("expected kinds in a list: `{key} = [\"timeout\", \"unavailable\"]`"),
                }));
            }
            (Self::Duration(..), Value::Alone | Value::List(_)) => {
                return Err(at_value(format!("expected a duration: `{key} = \"30s\"`")));
            }
            (_, Value::Alone) => return Err(at_value(format!("expected {} after `=`", self.expected_after_equals()))),
            (_, Value::List(_)) if syntax == Syntax::Attribute => {
                return Err(at_value(format!("expected {} after `=`", self.expected_after_equals())));
            }
            (_, Value::Suffixed(number, suffix)) => return Err(at_value(self.suffixed(number, suffix))),
            _ => {}
        }
        self.single(key, &node.value, syntax).map_err(at_value)
    }

    fn single(self, key: &str, value: &Value<impl Clone>, syntax: Syntax) -> Result<Setting, String> {
        match self {
            Self::Flag => flag(value).map(Setting::Flag),
            Self::Count(least, most) => count(value, least, most).map(Setting::Count),
            Self::Number => number(value, "a number such as `2.0`").map(Setting::Number),
            Self::Fraction => fraction(value).map(Setting::Number),
            Self::Share => share(value, syntax),
            Self::Duration(..) => duration(value).map(Setting::Duration),
            Self::Window => window(key, value).map(Setting::Window),
            Self::Rate => rate(value).map(Setting::Rate),
            Self::Word(what, words) => self::word(what, words, value, syntax).map(Setting::Word),
            Self::Kinds => Err("expected kinds".into()),
        }
    }

    /// Returns the message about a value out of range.
    #[must_use]
    pub fn out_of_range(self, value: &Setting) -> Option<String> {
        match (self, value) {
            (Self::Count(least, u32::MAX), Setting::Count(count)) => {
                (*count < least).then(|| format!("expected at least {least}, found {count}"))
            }
            (Self::Count(least, most), Setting::Count(count)) => {
                (!(least..=most).contains(count)).then(|| format!("expected {least} to {most}, found {count}"))
            }
            (Self::Duration(shortest, longest), Setting::Duration(duration)) => {
                (!(shortest..=longest).contains(duration)).then(|| {
                    let [shortest, longest, found] = [shortest, longest, *duration].map(format_duration);
                    format!("expected between {shortest} and {longest}, found {found}")
                })
            }
            (Self::Fraction, Setting::Number(share)) => (!(*share > 0.0 && *share <= 1.0))
                .then(|| format!("expected a share above 0 and at most 1, found {share}")),
            (Self::Share, Setting::Number(share)) => {
                (!(0.0..=1.0).contains(share)).then(|| format!("expected 0 to 100 %, found {}", format_share(*share)))
            }
            _ => None,
        }
    }

    /// Returns the message about a literal with a suffix. Rust's lexer reads `60s` as the number 60 with the suffix
    /// `s`.
    #[must_use]
    pub fn suffixed(self, literal: &Number, suffix: &str) -> String {
        let (digits, is_whole) = match literal {
            Number::Whole(digits) => (digits, true),
            Number::Fraction(digits) => (digits, false),
            Number::Text(quoted) => {
                return match self {
                    Self::Count(..) | Self::Number | Self::Fraction | Self::Flag => {
                        format!("a text has no suffix; remove `{suffix}`")
                    }
                    _ => format!("a text has no suffix; write `{quoted}`"),
                };
            }
            Number::Other => return format!("a literal has no suffix here; remove `{suffix}`"),
        };
        let duration = || corrected_duration(&format!("{digits}{suffix}"));
        let number = format!("a number has no suffix here; write `{digits}`");
        let quoted = |right: String| format!("a duration stands in quotes; write `\"{right}\"`");
        match self {
            Self::Duration(..) => duration().map_or_else(
                || format!("`{suffix}` is no unit; expected a duration in quotes such as `\"30s\"`"),
                quoted,
            ),
            Self::Window => duration().map_or(number, quoted),
            Self::Count(..) if is_whole && digits.parse::<u32>().is_ok() => number,
            Self::Count(..) => "expected a whole number without a suffix, which fits into 32 bits".into(),
            Self::Number | Self::Fraction => number,
            Self::Flag | Self::Word(..) | Self::Kinds => format!("a literal has no suffix here; remove `{suffix}`"),
            Self::Share | Self::Rate => no_text(suffix),
        }
    }
}

/// Returns the message about a number with a suffix in place of a text.
fn no_text(suffix: &str) -> String {
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

/// Returns the message about a text in quotes in place of a word or a number.
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

fn flag<L>(value: &Value<L>) -> Result<bool, String> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Variable(text) => parse_flag(text),
        Value::Text(text) if text == "true" || text == "false" => Err(without_quotes(text)),
        _ => Err("expected `true` or `false`".into()),
    }
}

fn count<L>(value: &Value<L>, least: u32, most: u32) -> Result<u32, String> {
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

fn number<L>(value: &Value<L>, expected: &str) -> Result<f64, String> {
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

fn fraction<L>(value: &Value<L>) -> Result<f64, String> {
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

fn share<L>(value: &Value<L>, syntax: Syntax) -> Result<Setting, String> {
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

fn duration<L>(value: &Value<L>) -> Result<Duration, String> {
    match value {
        Value::Text(text) | Value::Variable(text) => parse_duration(text),
        Value::Integer(number) => {
            let advice = if (1..=86_400).contains(number) { format!("; write `\"{number}s\"`") } else { String::new() };
            Err(format!("expected a duration with its unit in quotes{advice}"))
        }
        _ => Err("expected a duration such as `\"30s\"`".into()),
    }
}

fn window<L>(key: &str, value: &Value<L>) -> Result<Window, String> {
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

fn rate<L>(value: &Value<L>) -> Result<Rate, String> {
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

fn word<L>(what: &str, words: &'static [Word], value: &Value<L>, syntax: Syntax) -> Result<Word, String> {
    let known: Vec<&str> = words.iter().map(|word| word.word).collect();
    let find = |wanted: &str| words.iter().find(|word| word.word == wanted);
    let written = match (value, syntax) {
        (Value::Text(text), Syntax::Attribute) if find(text).is_some() => return Err(without_quotes(text)),
        (Value::Word(word), _) | (Value::Text(word) | Value::Variable(word), Syntax::File) => word,
        _ => return Err(format!("found no {what}{}", one_of("", &known))),
    };
    find(written).copied().ok_or_else(|| format!("unknown {what} `{written}`{}", one_of(written, &known)))
}

fn kinds<L: Clone>(words: &[Node<L>], whole: &L, syntax: Syntax) -> Result<Setting, Vec<Mistake<L>>> {
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

/// Returns the kinds with one more.
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
