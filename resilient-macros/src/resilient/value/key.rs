//! `key = expr`: what tells one call from another.

use darling::FromMeta;
use syn::Expr;

/// Any expression, a text in quotes too.
#[derive(Debug, Clone)]
pub(crate) struct Key(pub(crate) Expr);

impl FromMeta for Key {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        Ok(Self(value.clone()))
    }

    only_after_equals!("an expression");
}
