//! Reads `fallback = cached`, `fallback = path::to::f`, `fallback = value(expr)`, `fallback = deferred`,
//! `fallback = [cached, f]`.

use darling::Error;
use proc_macro2::Span;
use resilient_policy::{Source, without_quotes};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta, Path};

use super::{expected, is_word};

/// One fallback.
#[derive(Debug, Clone)]
pub(crate) enum FallbackStep {
    Cached(Span),
    Function(Path),
    Value(Box<Expr>),
    Deferred(Span),
}

impl FallbackStep {
    /// Returns the location, at which its type errors are reported.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Cached(span) | Self::Deferred(span) => *span,
            Self::Function(path) => path.span(),
            Self::Value(expr) => expr.span(),
        }
    }

    /// Returns the source of the answer.
    pub(crate) fn source(&self) -> Source {
        match self {
            Self::Cached(_) => Source::Cache,
            Self::Function(_) => Source::Function,
            Self::Value(_) => Source::Value,
            Self::Deferred(_) => Source::Deferred,
        }
    }
}

const SHAPE: &str = "`cached`, a function's path, `value(expr)`, `deferred`, or a list of these";

/// Reads the fallbacks, in order. Reports fallbacks that are never used: a second `cached`, and any after a value or
/// after `deferred`.
pub(crate) fn fallback(entry: &Meta) -> darling::Result<Vec<FallbackStep>> {
    let Meta::NameValue(pair) = entry else {
        return Err(expected(&format!("`fallback = ` and {SHAPE}")).with_span(entry));
    };
    let written: Vec<&Expr> = match &pair.value {
        Expr::Array(list) if list.elems.is_empty() => return Err(expected("at least one fallback").with_span(list)),
        Expr::Array(list) => list.elems.iter().collect(),
        single => vec![single],
    };
    let mut errors = Error::accumulator();
    let steps: Vec<_> = written.into_iter().filter_map(|written| errors.handle(step(written))).collect();
    let (mut has_cached, mut has_value, mut deferred) = (false, false, None);
    for step in &steps {
        let is_cached = step.source() == Source::Cache;
        if let Some(deferred) = deferred.take() {
            let message = "`deferred` is not the last fallback: the write is stored, and nothing after it runs; move it \
                           to the end of the list, or remove the others after it";
            errors.push(Error::custom(message).with_span(&deferred));
        } else if has_value {
            errors.push(Error::custom("nothing after `value(..)` is ever asked").with_span(&step.span()));
        } else if has_cached && is_cached {
            errors.push(Error::custom("`cached` stands here a second time").with_span(&step.span()));
        }
        has_cached |= is_cached;
        has_value |= step.source() == Source::Value;
        if let FallbackStep::Deferred(span) = step {
            deferred = Some(*span);
        }
    }
    errors.finish_with(steps)
}

fn step(value: &Expr) -> darling::Result<FallbackStep> {
    match value {
        // An invisible group around a metavariable of `macro_rules!`.
        Expr::Group(group) => step(&group.expr),
        value if is_word(value, "cached") => Ok(FallbackStep::Cached(value.span())),
        value if is_word(value, "deferred") => Ok(FallbackStep::Deferred(value.span())),
        Expr::Path(path) if path.qself.is_none() => Ok(FallbackStep::Function(path.path.clone())),
        Expr::Call(call) if is_word(&call.func, "value") => match (call.args.first(), call.args.len()) {
            (Some(value), 1) => Ok(FallbackStep::Value(Box::new(value.clone()))),
            _ => Err(expected("one expression: `value(expr)`").with_span(&call.func)),
        },
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if ["cached", "deferred"].contains(&&*text.value()) => {
            Err(Error::custom(without_quotes(&text.value())).with_span(text))
        }
        Expr::Call(call) => {
            Err(expected("the function's path without a call: it is given the parameters and the error")
                .with_span(&call.func))
        }
        other => Err(expected(SHAPE).with_span(other)),
    }
}
