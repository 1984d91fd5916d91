//! The forms of values, and the messages about values in another form.

mod read;

use std::time::Duration;

use crate::bytes::{corrected_bytes, format_bytes};
use crate::duration::{corrected_duration, format_duration};
use crate::kind::Severity;
use crate::node::{Mistake, Node, Number, Syntax, Value};
use crate::scalar::format_share;
use crate::setting::{Setting, Word};
pub use read::{is_none, read_kind, read_text, without_quotes};

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
    /// `"64MiB"`, with the smallest size in bytes.
    Bytes(u64),
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
    /// Any whole number of 32 bits.
    pub const COUNT: Self = Self::Count(0, u32::MAX);
    /// The number of keys that have separate state. Each key takes memory.
    pub(crate) const MAX_KEYS: Self = Self::Count(1, 100_000);
    /// Any duration.
    pub const DURATION: Self = Self::Duration(Duration::ZERO, Duration::MAX);
    /// The severity of an error.
    pub const SEVERITY: Self = Self::Word("severity", Severity::WORDS);

    /// Returns what is expected after `=`, for the message about a key without a value.
    fn expected_after_equals(self) -> String {
        match self {
            Self::Flag => "`true` or `false`".into(),
            Self::Count(..) => "a whole number".into(),
            Self::Number => "a number such as `2.0`".into(),
            Self::Fraction => "a share such as `0.5`".into(),
            Self::Share => "a share such as `\"20%\"`, or `none`,".into(),
            Self::Duration(..) => "a duration such as `\"30s\"`".into(),
            Self::Bytes(_) => "a size such as `\"64MiB\"`".into(),
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
    pub(crate) const fn example(self) -> Option<&'static str> {
        Some(match self {
            Self::Flag => "true",
            Self::Count(..) => "3",
            Self::Number => "2.0",
            Self::Fraction => "0.5",
            Self::Share => "\"20%\"",
            // Below every default, so that no rule between keys refuses it.
            Self::Duration(..) => "\"1s\"",
            Self::Bytes(_) => "\"1MiB\"",
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
            (Self::Kinds, Value::List(words)) => return read::kinds(words, &node.location, syntax),
            (Self::Kinds, Value::Variable(text)) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                let words: Vec<_> =
                    words.map(|word| Node::new(node.location.clone(), Value::Word(word.into()))).collect();
                return read::kinds(&words, &node.location, syntax);
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

    /// Reads a value that is no list.
    fn single(self, key: &str, value: &Value<impl Clone>, syntax: Syntax) -> Result<Setting, String> {
        match self {
            Self::Flag => read::flag(value).map(Setting::Flag),
            Self::Count(least, most) => read::count(value, least, most).map(Setting::Count),
            Self::Number => read::number(value, "a number such as `2.0`").map(Setting::Number),
            Self::Fraction => read::fraction(value).map(Setting::Number),
            Self::Share => read::share(value, syntax),
            Self::Duration(..) => read::duration(value).map(Setting::Duration),
            Self::Bytes(_) => read::bytes(value).map(Setting::Bytes),
            Self::Window => read::window(key, value).map(Setting::Window),
            Self::Rate => read::rate(value).map(Setting::Rate),
            Self::Word(what, words) => read::word(what, words, value, syntax).map(Setting::Word),
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
            (Self::Bytes(least), Setting::Bytes(bytes)) => (*bytes < least)
                .then(|| format!("expected at least {}, found {}", format_bytes(least), format_bytes(*bytes))),
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
            Self::Bytes(_) => corrected_bytes(&format!("{digits}{suffix}")).map_or_else(
                || format!("`{suffix}` is no unit; expected a size in quotes such as `\"64MiB\"`"),
                |right| format!("a size stands in quotes; write `\"{right}\"`"),
            ),
            Self::Window => duration().map_or(number, quoted),
            Self::Count(..) if is_whole && digits.parse::<u32>().is_ok() => number,
            Self::Count(..) => "expected a whole number without a suffix, which fits into 32 bits".into(),
            Self::Number | Self::Fraction => number,
            Self::Flag | Self::Word(..) | Self::Kinds => format!("a literal has no suffix here; remove `{suffix}`"),
            Self::Share | Self::Rate => read::no_text(suffix),
        }
    }
}
