//! Texts in quotes.

use darling::FromMeta;
use syn::{Expr, ExprLit, Lit};

use super::{At, expected};

/// A text in quotes.
#[derive(Debug, Clone)]
pub(crate) struct Text(pub(crate) At<String>);

impl FromMeta for Text {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(Self(At { value: text.value(), span: text.span() })),
            other => Err(expected("a text in quotes").with_span(other)),
        }
    }

    only_after_equals!("a text in quotes");
}
