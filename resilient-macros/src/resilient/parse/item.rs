//! Determines the kind of item below the attribute from its first tokens.

use proc_macro2::{Span, TokenStream, TokenTree};

/// The item below the attribute.
pub(crate) enum Item {
    Function,
    Block,
    /// Something else: its location and its description.
    Other(Span, String),
}

pub(crate) fn of(item: &TokenStream) -> Item {
    let mut tokens = item.clone().into_iter().peekable();
    let mut last = Span::call_site();
    while let Some(token) = tokens.next() {
        last = token.span();
        match &token {
            // `#[..]`
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                tokens.next();
            }
            // `pub(..)`, `extern "C"`
            TokenTree::Group(_) | TokenTree::Literal(_) => {}
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "fn" => return Item::Function,
                "impl" => return Item::Block,
                "pub" | "async" | "unsafe" | "const" | "extern" | "default" | "crate" => {}
                other => return Item::Other(word.span(), format!("`{other}`")),
            },
            TokenTree::Punct(other) => return Item::Other(other.span(), format!("`{other}`")),
        }
    }
    Item::Other(last, "nothing".into())
}
