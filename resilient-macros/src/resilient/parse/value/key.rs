//! `key = expr`: what separates the state of one call from that of another.

use darling::{Error, FromMeta};
use syn::Expr;

use super::{is_text, without_quotes};

/// A key expression: each of its values has a separate limit or kept answer.
#[derive(Debug, Clone)]
pub(super) struct Key(Expr);

impl FromMeta for Key {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        Ok(Self(value.clone()))
    }

    only_after_equals!("an expression");
}

impl Key {
    /// The expression. `by_caller`: whether it may be the word `caller`.
    pub(super) fn checked(self, by_caller: bool) -> darling::Result<Expr> {
        let Self(key) = self;
        match is_text(&key, "caller") {
            false => Ok(key),
            true if by_caller => Err(without_quotes("caller").with_span(&key)),
            true => {
                let message = "a text is the same key for every call; expected an expression of the parameters";
                Err(Error::custom(message).with_span(&key))
            }
        }
    }
}
