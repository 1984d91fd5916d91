//! Generated tokens placed where a mistake about them belongs.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;

/// The place of these tokens, for names that the user cannot see.
pub(crate) fn glue(at: &impl Spanned) -> Span {
    Span::mixed_site().located_at(at.span())
}

/// Other tokens between the brackets of this group.
pub(crate) fn group_like(group: &Group, tokens: TokenStream) -> Group {
    let mut new = Group::new(group.delimiter(), tokens);
    new.set_span(group.span());
    new
}

/// The same tokens at another place, each with the names it could see before.
pub(crate) fn moved(tokens: TokenStream, place: Span) -> TokenStream {
    each_span(tokens, &|span| span.located_at(place))
}

/// A path of the runtime with exactly this span. Two errors about one call are one to rustc only
/// where their spans are the same to the last bit, and a path sees the same names from everywhere.
pub(crate) fn exactly(tokens: TokenStream, place: Span) -> TokenStream {
    each_span(tokens, &|_| place)
}

fn each_span(tokens: TokenStream, change: &dyn Fn(Span) -> Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut new = group_like(&group, each_span(group.stream(), change));
                new.set_span(change(group.span()));
                TokenTree::Group(new)
            }
            mut other => {
                other.set_span(change(other.span()));
                other
            }
        })
        .collect()
}
