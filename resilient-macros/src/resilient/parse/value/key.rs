//! `key = expr`: what tells one call from another.

use darling::{Error, FromMeta};
use syn::Expr;

use super::{is_text, without_quotes};

/// A key expression: each of its values has a separate limit or kept answer.
#[derive(Debug, Clone)]
pub(crate) struct Key(pub(crate) Expr);

impl FromMeta for Key {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        if is_text(value, "caller") {
            let message = "a text is the same key for every call; expected an expression of the parameters";
            return Err(Error::custom(message).with_span(value));
        }
        Ok(Self(value.clone()))
    }

    only_after_equals!("an expression");
}

/// As [`Key`], or the word `caller`.
#[derive(Debug, Clone)]
pub(crate) struct KeyOrCaller(pub(crate) Expr);

impl FromMeta for KeyOrCaller {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        if is_text(value, "caller") {
            return Err(without_quotes("caller").with_span(value));
        }
        Key::from_expr(value).map(|key| Self(key.0))
    }

    only_after_equals!("an expression, or `caller`,");
}
