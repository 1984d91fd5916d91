//! Reads `authorize = path::to::f`.

use darling::Error;
use resilient_policy::without_quotes;
use syn::{Expr, ExprLit, ExprPath, Lit, Meta};

use super::{expected, is_word};

/// Reads the path of the function that authorizes calls.
pub(crate) fn authorize(entry: &Meta) -> darling::Result<ExprPath> {
    match entry {
        Meta::NameValue(pair) => path(&pair.value),
        _ => Err(expected("the path of a function: `authorize = Self::may_call`").with_span(entry)),
    }
}

fn path(value: &Expr) -> darling::Result<ExprPath> {
    match value {
        // An invisible group around a metavariable of `macro_rules!`.
        Expr::Group(group) => path(&group.expr),
        value if is_word(value, "none") => {
            let message = "a tool cannot refuse the `authorize` of its block, and its own runs in addition; remove this \
                           key, or move the tool to a block without `authorize`";
            Err(Error::custom(message).with_span(value))
        }
        Expr::Path(path) => Ok(path.clone()),
        Expr::Call(call) => {
            let what = "the function's path without a call: it is given the request and its arguments";
            Err(expected(what).with_span(&call.func))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if is_path(&text.value()) => {
            Err(Error::custom(without_quotes(&text.value())).with_span(text))
        }
        other => Err(expected("the path of a function").with_span(other)),
    }
}

fn is_path(text: &str) -> bool {
    syn::parse_str::<ExprPath>(text).is_ok()
}
