//! `on(timeout, unavailable)`: the kinds of errors that are retried.

use darling::Error;
use proc_macro2::TokenStream;
use resilient_policy::{ErrorKind, KindSet, retried_kind};
use syn::{LitStr, Meta};

use super::{expected, without_quotes};
use crate::mcp_error::case::{dashed, snake};
use crate::resilient::parse::list;

/// The kinds between the brackets of `item`.
pub(crate) fn read(tokens: TokenStream, item: &Meta) -> darling::Result<KindSet> {
    let mut errors = Error::accumulator();
    let words = list::split(tokens, "kind", &mut errors);
    if words.is_empty() {
        errors.push(expected("at least one kind: `on(timeout, unavailable)`").with_span(item));
    }
    let mut kinds = KindSet::EMPTY;
    for word in words {
        if let Some(more) = errors.handle(self::word(&word, kinds)) {
            kinds = more;
        }
    }
    errors.finish_with(kinds)
}

/// The kinds with one more.
fn word(tokens: &TokenStream, so_far: KindSet) -> darling::Result<KindSet> {
    if let Ok(word) = syn::parse2::<syn::Ident>(tokens.clone()) {
        let name = word.to_string();
        return retried_kind(&name, so_far).map_err(|why| {
            let right = Some(snake(&name)).filter(|right| *right != name && retried_kind(right, so_far).is_ok());
            Error::custom(match right {
                Some(right) => format!("unknown kind `{name}`; write `{right}`"),
                None => why,
            })
            .with_span(&word)
        });
    }
    if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
        let name = text.value();
        return Err(match retried_kind(&name, so_far) {
            Ok(_) => without_quotes(&name),
            Err(why) => Error::custom(why),
        }
        .with_span(&text));
    }
    Err(match meant(tokens) {
        Some(kind) => expected(&format!("the name of the kind alone: `{kind}`")),
        None => expected("the name of a kind, such as `timeout`"),
    }
    .with_span(tokens))
}

/// The kind in `ErrorKind::Timeout` or `bad-response`.
fn meant(tokens: &TokenStream) -> Option<ErrorKind> {
    let path = syn::parse2::<syn::Path>(tokens.clone()).ok();
    let last = path.and_then(|path| Some(path.segments.last()?.ident.to_string()));
    snake(&last.or_else(|| dashed(tokens))?).parse().ok()
}
