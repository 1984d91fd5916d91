//! Texts in quotes.

use darling::FromMeta;
use syn::{Expr, Lit};

use super::{At, expected};
use crate::literal::{self, Wanted};

/// A text in quotes.
#[derive(Debug, Clone)]
pub(crate) struct Text(pub(crate) At<String>);

impl FromMeta for Text {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::Text)? {
            Some(Lit::Str(text)) => Ok(Self(At { value: text.value(), span: text.span() })),
            _ => Err(expected("a text in quotes").with_span(value)),
        }
    }

    only_after_equals!("a text in quotes");
}
