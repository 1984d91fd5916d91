//! Whole numbers and factors.

use darling::{Error, FromMeta};
use syn::spanned::Spanned;
use syn::{Expr, Lit};

use super::{At, expected, without_quotes};
use crate::literal::{self, Wanted};

/// A whole number that counts something.
#[derive(Debug, Clone)]
pub(crate) struct Count(pub(crate) At<u32>);

impl FromMeta for Count {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::Count)? {
            Some(Lit::Int(number)) => {
                number.base10_parse().map(|value| Self(At { value, span: number.span() })).map_err(|_| {
                    let negative = number.base10_digits().starts_with('-');
                    let wanted = if negative { "a number that is not negative" } else { "a number up to 4294967295" };
                    expected(wanted).with_span(number)
                })
            }
            Some(Lit::Str(text)) if text.value().parse::<u32>().is_ok() => {
                Err(without_quotes(&text.value()).with_span(text))
            }
            _ => Err(expected("a whole number").with_span(value)),
        }
    }

    only_after_equals!("a whole number");
}

/// A share in per cent: `"20%"`.
#[derive(Debug, Clone)]
pub(crate) struct Share(pub(crate) At<f64>);

impl FromMeta for Share {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let per_cent = match literal::read(value, Wanted::Text)? {
            Some(Lit::Str(text)) => text.value().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok()),
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
        match literal::read(value, Wanted::Number)? {
            Some(Lit::Str(text)) if text.value().parse::<f64>().is_ok_and(f64::is_finite) => {
                Err(without_quotes(text.value().trim_start_matches('+')).with_span(text))
            }
            lit => lit
                .and_then(number)
                .map(|number| Self(At { value: number, span: value.span() }))
                .ok_or_else(|| expected("a number such as `2.0`").with_span(value)),
        }
    }

    only_after_equals!("a number such as `2.0`");
}

/// A share as a number: `0.5`.
#[derive(Debug, Clone)]
pub(crate) struct Fraction(pub(crate) At<f64>);

impl FromMeta for Fraction {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::Number)? {
            Some(Lit::Str(text)) => Err(match fraction(&text.value()) {
                Some(fraction) => Error::custom(format!("a share is a number here; write `{fraction}`")),
                None => expected("a share such as `0.5`"),
            }
            .with_span(text)),
            lit => lit
                .and_then(number)
                .map(|number| Self(At { value: number, span: value.span() }))
                .ok_or_else(|| expected("a share such as `0.5`").with_span(value)),
        }
    }

    only_after_equals!("a share such as `0.5`");
}

fn number(lit: &Lit) -> Option<f64> {
    match lit {
        Lit::Int(number) => number.base10_parse().ok(),
        Lit::Float(number) => number.base10_parse().ok(),
        _ => None,
    }
}

/// `50%`, or `0.5`, as a number that is a share.
fn fraction(text: &str) -> Option<f64> {
    let text = text.trim();
    let share = match text.strip_suffix('%') {
        Some(per_cent) => per_cent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse::<f64>().ok()?,
    };
    (share > 0.0 && share <= 1.0).then_some(share)
}
