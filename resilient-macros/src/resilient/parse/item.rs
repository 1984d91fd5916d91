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
    const BEFORE: &[&str] = &["#", "pub", "async", "unsafe", "const", "extern", "default", "crate"];
    let mut last = Span::call_site();
    for token in item.clone() {
        last = token.span();
        let text = token.to_string();
        match (&token, text.as_str()) {
            // `#[..]`, `pub(..)`, `extern "C"`
            (TokenTree::Group(_) | TokenTree::Literal(_), _) => {}
            (_, "fn") => return Item::Function,
            (_, "impl") => return Item::Block,
            (_, other) if BEFORE.contains(&other) => {}
            (_, other) => return Item::Other(last, format!("`{other}`")),
        }
    }
    Item::Other(last, "nothing".into())
}
