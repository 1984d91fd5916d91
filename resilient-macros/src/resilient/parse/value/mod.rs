//! The values of the keys, one type each: it parses, keeps its span, and says what it expected
//! with an example.

/// The forms of a key that have no value after `=`.
macro_rules! only_after_equals {
    ($what:literal) => {
        fn from_word() -> darling::Result<Self> {
            Err($crate::resilient::parse::value::expected(concat!($what, " after `=`")))
        }

        fn from_list(_: &[darling::ast::NestedMeta]) -> darling::Result<Self> {
            Self::from_word()
        }
    };
}

mod breaker;
mod bulkhead;
mod cache;
mod duration;
mod fallback;
mod key;
mod kinds;
mod log_args;
mod number;
mod rate_limit;
mod retry;
mod text;

use darling::{Error, FromMeta};
use proc_macro2::Span;
use resilient_policy::one_of;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr, Meta};

pub(crate) use breaker::BreakerArgs;
pub(crate) use bulkhead::BulkheadArgs;
pub(crate) use cache::CacheArgs;
pub(crate) use duration::DurationArg;
pub(crate) use fallback::{FallbackArgs, FallbackStep};
use key::{Key, KeyOrCaller};
pub(crate) use log_args::{LogArgs, plain};
pub(crate) use number::{Count, Factor, Fraction, Share};
pub(crate) use rate_limit::RateLimitArgs;
pub(crate) use retry::RetryArgs;
pub(crate) use text::Text;

/// What stands behind a key: a value, or `none`, which refuses an inherited one.
#[derive(Debug, Clone)]
pub(crate) enum Setting<T> {
    None,
    Is(T),
}

impl<T> Setting<T> {
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Is(value) => Some(value),
        }
    }
}

impl<T: FromMeta> FromMeta for Setting<T> {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::NameValue(pair) if is_word(&pair.value, "none") => Ok(Self::None),
            Meta::NameValue(pair) if is_word(&pair.value, "None") => {
                Err(Error::custom("this refuses what is inherited; write `none`").with_span(&pair.value))
            }
            Meta::NameValue(pair) if is_text(&pair.value, "none") => Err(without_quotes("none").with_span(&pair.value)),
            other => T::from_meta(other).map(Self::Is),
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A key that stands alone: `read_only`.
#[derive(Debug, Clone)]
pub(crate) struct Word(pub(crate) Span);

impl FromMeta for Word {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::Path(path) => Ok(Self(path.span())),
            other => Err(expected("the key alone, without a value").with_span(other)),
        }
    }
}

/// Whether an expression is this one word.
fn is_word(value: &Expr, word: &str) -> bool {
    matches!(value, Expr::Path(path) if path.path.is_ident(word))
}

/// Whether an expression is this text in quotes.
fn is_text(value: &Expr, text: &str) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(lit), .. }) if lit.value() == text)
}

/// Says of a text that it is a word of the language, or a number.
fn without_quotes(word: &str) -> Error {
    Error::custom(format!("this stands without quotes; write `{word}`"))
}

/// Says of a text that the key wants a number, or settings.
fn quoted_count(key: &str, text: &LitStr) -> Error {
    let value = text.value();
    let error = match value.parse::<u32>() {
        Ok(_) => without_quotes(&value),
        Err(_) => expected(&format!("a number: `{key} = 3`, or settings: `{key}(max = 3, ..)`")),
    };
    error.with_span(text)
}

/// What one of these words stands for.
fn one_word<T>(what: &str, value: &Expr, words: &[&str], read: fn(&str) -> Option<T>) -> darling::Result<T> {
    let word = words.iter().find(|word| is_word(value, word));
    word.and_then(|word| read(word)).ok_or_else(|| unknown_word(what, value, words))
}

/// Says of a value that it is none of the words that stand for something here.
fn unknown_word(what: &str, value: &Expr, words: &[&str]) -> Error {
    let word = match value {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if words.contains(&text.value().as_str()) => {
            return without_quotes(&text.value()).with_span(text);
        }
        _ => None,
    };
    let message = match word {
        Some(word) => format!("unknown {what} `{word}`{}", one_of(&word, words)),
        None => format!("found no {what}{}", one_of("", words)),
    };
    Error::custom(message).with_span(value)
}

fn expected(what: &str) -> Error {
    Error::custom(format!("expected {what}"))
}
