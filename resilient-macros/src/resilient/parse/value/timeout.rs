//! Reads `timeout = "30s"` and `timeout(max = "120s", from = req.wait)`.

use std::time::Duration;

use darling::Error;
use syn::{Expr, Meta};

use super::{At, duration, expected};
use crate::parse::list;

/// The value of `timeout`.
#[derive(Debug, Clone)]
pub(crate) struct TimeoutArgs {
    /// The limit of every call.
    pub(crate) max: At<Duration>,
    /// The expression of the parameters that requests a shorter limit, with the location of its key.
    pub(crate) from: Option<At<Expr>>,
}

/// Reads a limit, or parts in brackets.
pub(crate) fn timeout(entry: &Meta) -> darling::Result<TimeoutArgs> {
    let Meta::List(list) = entry else { return Ok(TimeoutArgs { max: duration(entry)?, from: None }) };
    let mut errors = Error::accumulator();
    let (mut max, mut from) = (None, None);
    for part in list::entries(list.tokens.clone(), &["max", "from"], Some("max"), &mut errors) {
        match &part {
            max_ if list::name_of(max_) == "max" => max = errors.handle(duration(max_)),
            Meta::NameValue(pair) => {
                let span = syn::spanned::Spanned::span(&pair.path);
                from = Some(At { value: pair.value.clone(), span });
            }
            other => errors.push(expected("an expression after `=`").with_span(other)),
        }
    }
    // A limit that could not be read has its own message.
    errors.finish()?;
    match (max, from) {
        (Some(max), from) => Ok(TimeoutArgs { max, from }),
        (None, Some(At { span, .. })) => {
            let message = "`from` needs `max`, the longest limit of any call; write `max = \"120s\", from`";
            Err(Error::custom(message).with_span(&span))
        }
        (None, None) => Err(expected("a limit: `timeout = \"120s\"`").with_span(&list.path)),
    }
}
