//! Sets the spans of generated tokens.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;

/// Returns the span of these tokens, with a hygiene that hides names from the user.
pub(crate) fn glue(at: &impl Spanned) -> Span {
    Span::mixed_site().located_at(at.span())
}

/// Returns a group like this one with other tokens.
pub(crate) fn group_like(group: &Group, tokens: TokenStream) -> Group {
    let mut new = Group::new(group.delimiter(), tokens);
    new.set_span(group.span());
    new
}

/// Moves tokens to another location. Each token keeps its hygiene.
pub(crate) fn moved(tokens: TokenStream, place: Span) -> TokenStream {
    each_span(tokens, &|span| span.located_at(place))
}

/// Sets exactly this span for a path of the runtime. rustc only merges two errors about one call if their spans are
/// identical, and an absolute path does not depend on hygiene.
pub(crate) fn exactly(tokens: TokenStream, place: Span) -> TokenStream {
    each_span(tokens, &|_| place)
}

fn each_span(tokens: TokenStream, change: &dyn Fn(Span) -> Span) -> TokenStream {
    let changed = tokens.into_iter().map(|mut token| {
        let span = change(token.span());
        if let TokenTree::Group(group) = &token {
            token = TokenTree::Group(Group::new(group.delimiter(), each_span(group.stream(), change)));
        }
        token.set_span(span);
        token
    });
    changed.collect()
}
