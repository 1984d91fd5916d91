//! Whole numbers and factors.

use darling::FromMeta;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::{At, expected};

/// A whole number that counts something.
#[derive(Debug, Clone)]
pub(crate) struct Count(pub(crate) At<u32>);

impl FromMeta for Count {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match value {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number
                .base10_parse()
                .map(|value| Self(At { value, span: number.span() }))
                .map_err(|_| expected("a number that fits into 32 bits").with_span(number)),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().parse::<u32>().is_ok() => {
                Err(expected(&format!("a number without quotes: `{}`", text.value())).with_span(text))
            }
            other => Err(expected("a whole number").with_span(other)),
        }
    }

    only_after_equals!("a whole number");
}

/// A share in per cent: `"20%"`.
#[derive(Debug, Clone)]
pub(crate) struct Share(pub(crate) At<f64>);

impl FromMeta for Share {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let per_cent = match value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                text.value().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok())
            }
            _ => None,
        };
        per_cent
            .map(|per_cent| Self(At { value: per_cent / 100.0, span: value.span() }))
            .ok_or_else(|| expected("a share such as `\"20%\"`, or `none`").with_span(value))
    }

    only_after_equals!("a share such as `\"20%\"`, or `none`,");
}

/// A number with or without a fraction.
#[derive(Debug, Clone)]
pub(crate) struct Factor(pub(crate) At<f64>);

impl FromMeta for Factor {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let parsed = match value {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
            Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse().ok(),
            _ => None,
        };
        parsed
            .map(|number| Self(At { value: number, span: value.span() }))
            .ok_or_else(|| expected("a number such as `2.0`").with_span(value))
    }

    only_after_equals!("a number such as `2.0`");
}
