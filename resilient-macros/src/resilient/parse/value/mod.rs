//! Reads the values of the keys, with their locations. Each message shows an example of the expected form.

mod fallback;
mod settings;

use std::time::Duration;

use darling::Error;
use proc_macro2::Span;
use resilient_policy::{Form, Node, Override, SettingType, Syntax, Value, check_name, is_none, read_text};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Meta, MetaNameValue, Token};

pub(crate) use fallback::{FallbackStep, fallback};
pub(crate) use settings::{BreakerArgs, SettingsArgs, breaker, settings};

use crate::parse::{list, node};

/// A value and its location.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// Returns a function that reads `none`, or a value with `read`.
pub(crate) fn or_none<T>(read: impl Fn(&Meta) -> darling::Result<T>) -> impl Fn(&Meta) -> darling::Result<Override<T>> {
    move |entry| match is_none(&node::value(entry).value, Syntax::Attribute) {
        Ok(true) => Ok(Override::None),
        Ok(false) => read(entry).map(Override::Is),
        Err(why) => Err(Error::custom(why).with_span(&node::value(entry).location)),
    }
}

/// Reads a key without a value: `read_only`.
pub(crate) fn word(entry: &Meta) -> darling::Result<Span> {
    match entry {
        Meta::Path(path) => Ok(path.span()),
        other => Err(expected("the key alone, without a value").with_span(other)),
    }
}

/// Reads a text in quotes.
pub(crate) fn text(entry: &Meta) -> darling::Result<At<String>> {
    text_of(node::value(entry))
}

fn text_of(Node { value, location: span }: Node<Span>) -> darling::Result<At<String>> {
    let text = match &value {
        Value::Alone | Value::List(_) => Err("expected a text in quotes after `=`".into()),
        value => read_text(value),
    };
    let text = text.map_err(|why: String| Error::custom(why).with_span(&span))?;
    Ok(At { value: text.to_owned(), span })
}

/// Reads the names of features: `"exports"`, or `["exports", "slow"]`.
pub(crate) fn features(entry: &Meta) -> darling::Result<Vec<At<String>>> {
    names(entry, "feature", check_name)
}

/// Reads the names of tools: `"list"`, or `["list", "search"]`. Only rmcp limits them.
pub(crate) fn invalidates(entry: &Meta) -> darling::Result<Vec<At<String>>> {
    names(entry, "tool", |_| Ok(()))
}

/// Reads a name, or a list of names.
fn names(entry: &Meta, what: &str, check: impl Fn(&str) -> Result<(), String>) -> darling::Result<Vec<At<String>>> {
    let written: Vec<_> = match entry {
        Meta::NameValue(MetaNameValue { value: Expr::Array(list), .. }) if list.elems.is_empty() => {
            return Err(expected(&format!("at least one {what}")).with_span(list));
        }
        Meta::NameValue(MetaNameValue { value: Expr::Array(list), .. }) => list.elems.iter().map(node::node).collect(),
        other => vec![node::value(other)],
    };
    let (mut errors, mut names) = (Error::accumulator(), Vec::<At<String>>::new());
    for written in written {
        let Some(At { value, span }) = errors.handle(text_of(written)) else { continue };
        let is_repeated = names.iter().any(|known| known.value == value);
        match check(&value) {
            Err(why) => errors.push(Error::custom(why).with_span(&span)),
            Ok(()) if is_repeated => {
                errors.push(Error::custom(format!("the {what} `{value}` is written twice")).with_span(&span));
            }
            Ok(()) => names.push(At { value, span }),
        }
    }
    errors.finish_with(names)
}

/// Reads a duration: `"30s"`.
pub(crate) fn duration(entry: &Meta) -> darling::Result<At<Duration>> {
    let value = node::value(entry);
    let duration = node::read(Form::DURATION, &list::name_of(entry), &value)?;
    let duration = Duration::from_setting(&duration).ok_or_else(|| expected("a duration"))?;
    Ok(At { value: duration, span: value.location })
}

/// Reads `log_args(req.team_id, req.limit)`: the arguments that the log may show, as expressions over the parameters.
pub(crate) fn log_args(entry: &Meta) -> darling::Result<Vec<Expr>> {
    let Meta::List(list) = entry else {
        return Err(expected("arguments in brackets: `log_args(req.team_id, req.limit)`").with_span(entry));
    };
    let shown = list::parse("log_args", Punctuated::<Expr, Token![,]>::parse_terminated, &list.tokens)?;
    if shown.is_empty() {
        return Err(expected("at least one argument: `log_args(req.team_id)`").with_span(entry));
    }
    Ok(shown.into_iter().collect())
}

/// Returns the expression in `plain(..)`, which is logged although its name is that of a secret: `plain(req.session)`.
pub(crate) fn plain(shown: &Expr) -> Option<&Expr> {
    let Expr::Call(call) = shown else { return None };
    let only = call.args.first().filter(|_| call.args.len() == 1);
    only.filter(|_| call.attrs.is_empty() && is_word(&call.func, "plain"))
}

/// Returns whether an expression is this one word.
fn is_word(value: &Expr, word: &str) -> bool {
    matches!(value, Expr::Path(path) if path.path.is_ident(word))
}

fn expected(what: &str) -> Error {
    Error::custom(format!("expected {what}"))
}
