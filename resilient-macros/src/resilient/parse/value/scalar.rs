//! Parses durations and texts.

use std::time::Duration;

use darling::{Error, FromMeta};
use resilient_policy::{Form, Setting, Syntax, read_text};
use syn::spanned::Spanned;
use syn::{Expr, Meta};

use super::{At, expected};
use crate::parse::node;

/// A duration: `"30s"`.
#[derive(Debug, Clone)]
pub(crate) struct DurationArg(pub(crate) At<Duration>);

impl FromMeta for DurationArg {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::NameValue(pair) = item else {
            let key = item.path().get_ident().map_or_else(|| "timeout".into(), ToString::to_string);
            return Err(expected(&format!("a duration: `{key} = \"30s\"`")).with_span(item));
        };
        match Form::DURATION.read("", &node::node(&pair.value), Syntax::Attribute) {
            Ok(Setting::Duration(value)) => Ok(Self(At { value, span: pair.value.span() })),
            Ok(_) => Err(expected("a duration such as `\"30s\"`").with_span(&pair.value)),
            Err(mistakes) => Err(Error::multiple(mistakes.iter().map(node::error).collect())),
        }
    }
}

/// A text in quotes.
#[derive(Debug, Clone)]
pub(crate) struct Text(pub(crate) At<String>);

impl FromMeta for Text {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match read_text(&node::node(value).value) {
            Ok(text) => Ok(Self(At { value: text.to_owned(), span: value.span() })),
            Err(why) => Err(Error::custom(why).with_span(value)),
        }
    }

    only_after_equals!("a text in quotes");
}
