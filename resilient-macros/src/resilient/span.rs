//! Generated tokens placed where a mistake about them belongs.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;

/// The place of these tokens, for names that the user cannot see.
pub(super) fn glue(at: &impl Spanned) -> Span {
    Span::mixed_site().located_at(at.span())
}

/// The same tokens at another place, each with the names it could see before.
pub(super) fn moved(tokens: TokenStream, place: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut new = Group::new(group.delimiter(), moved(group.stream(), place));
                new.set_span(group.span().located_at(place));
                TokenTree::Group(new)
            }
            mut other => {
                other.set_span(other.span().located_at(place));
                other
            }
        })
        .collect()
}
