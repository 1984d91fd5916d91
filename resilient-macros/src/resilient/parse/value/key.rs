//! Parses `key = expr`, whose values separate the state of calls.

use darling::{Error, FromMeta};
use syn::Expr;

use super::{is_text, without_quotes};

/// A key expression. Each of its values has a separate limit or cached answer.
#[derive(Debug, Clone)]
pub(super) struct Key(Expr);

impl FromMeta for Key {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        Ok(Self(value.clone()))
    }

    only_after_equals!("an expression");
}

impl Key {
    /// Returns the expression. `by_caller`: whether it may be the word `caller`.
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
