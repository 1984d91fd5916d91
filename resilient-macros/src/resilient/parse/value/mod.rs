//! The values of the keys, with one type for each. Each keeps its span, and its messages show an example of the
//! expected form.

/// Implements the parsing of a key that has no value after `=`.
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
mod fallback;
mod key;
mod log_args;
mod scalar;
mod settings;

use darling::{Error, FromMeta};
use proc_macro2::Span;
use resilient_policy::Syntax;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta};

pub(crate) use breaker::BreakerArgs;
pub(crate) use fallback::{FallbackArgs, FallbackStep};
pub(crate) use log_args::{LogArgs, plain};
pub(crate) use scalar::{DurationArg, Text};
pub(crate) use settings::{InAttribute, SettingsArgs};

use crate::parse::node;

/// The value of a key, or `none`, which rejects an inherited value.
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
        if let Meta::NameValue(pair) = item {
            match resilient_policy::is_none(&node::node(&pair.value).value, Syntax::Attribute) {
                Ok(true) => return Ok(Self::None),
                Ok(false) => {}
                Err(why) => return Err(Error::custom(why).with_span(&pair.value)),
            }
        }
        T::from_meta(item).map(Self::Is)
    }
}

/// A value and its location.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A key without a value: `read_only`.
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

/// Returns whether an expression is this one word.
fn is_word(value: &Expr, word: &str) -> bool {
    matches!(value, Expr::Path(path) if path.path.is_ident(word))
}

/// Returns whether an expression is this text in quotes.
fn is_text(value: &Expr, text: &str) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(lit), .. }) if lit.value() == text)
}

/// Returns the message about a text in quotes in place of a word.
fn without_quotes(word: &str) -> Error {
    Error::custom(resilient_policy::without_quotes(word))
}

fn expected(what: &str) -> Error {
    Error::custom(format!("expected {what}"))
}
