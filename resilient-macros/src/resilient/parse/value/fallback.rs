//! `fallback = cached`, `fallback = path::to::f`, `fallback = value(expr)`, `fallback = [cached, f]`.

use darling::error::Accumulator;
use darling::{Error, FromMeta};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta, Path};

use super::{expected, is_word, without_quotes};

/// One fallback.
#[derive(Debug, Clone)]
pub(crate) enum FallbackStep {
    Cached(Span),
    Function(Path),
    Value(Box<Expr>),
}

impl FallbackStep {
    /// Returns the location, at which its type errors are reported.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Cached(span) => *span,
            Self::Function(path) => path.span(),
            Self::Value(expr) => expr.span(),
        }
    }
}

/// The value of `fallback`: the fallbacks, in order.
#[derive(Debug, Clone)]
pub(crate) struct FallbackArgs(pub(crate) Vec<FallbackStep>);

const SHAPE: &str = "`cached`, a function's path, `value(expr)`, or a list of these";

impl FromMeta for FallbackArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::NameValue(pair) => Self::from_expr(&pair.value),
            other => Err(expected(&format!("`fallback = ` and {SHAPE}")).with_span(other)),
        }
    }

    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let mut steps = Vec::new();
        match value {
            Expr::Array(list) => {
                if list.elems.is_empty() {
                    errors.push(expected("at least one fallback").with_span(list));
                }
                steps.extend(list.elems.iter().filter_map(|element| errors.handle(step(element))));
            }
            single => steps.extend(errors.handle(step(single))),
        }
        twice(&steps, &mut errors);
        errors.finish_with(Self(steps))
    }
}

fn step(value: &Expr) -> darling::Result<FallbackStep> {
    match value {
        // An invisible group around a metavariable of `macro_rules!`.
        Expr::Group(group) => step(&group.expr),
        value if is_word(value, "cached") => Ok(FallbackStep::Cached(value.span())),
        Expr::Path(path) if path.qself.is_none() => Ok(FallbackStep::Function(path.path.clone())),
        Expr::Call(call) if is_word(&call.func, "value") => match (call.args.first(), call.args.len()) {
            (Some(value), 1) => Ok(FallbackStep::Value(Box::new(value.clone()))),
            _ => Err(expected("one expression: `value(expr)`").with_span(&call.func)),
        },
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value() == "cached" => {
            Err(without_quotes("cached").with_span(text))
        }
        Expr::Call(call) => {
            Err(expected("the function's path without a call: it is given the parameters and the error")
                .with_span(&call.func))
        }
        other => Err(expected(SHAPE).with_span(other)),
    }
}

/// Reports fallbacks that are never used: a second `cached`, and any after a value.
fn twice(steps: &[FallbackStep], errors: &mut Accumulator) {
    let mut cached = false;
    let mut value = false;
    for step in steps {
        let span = step.span();
        if value {
            errors.push(Error::custom("nothing after `value(..)` is ever asked").with_span(&span));
        } else if cached && matches!(step, FallbackStep::Cached(_)) {
            errors.push(Error::custom("`cached` stands here a second time").with_span(&span));
        }
        cached |= matches!(step, FallbackStep::Cached(_));
        value |= matches!(step, FallbackStep::Value(_));
    }
}
