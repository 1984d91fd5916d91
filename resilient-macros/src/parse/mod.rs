//! Cuts lists of keys into entries, and converts their values to the nodes that `resilient-policy` reads. The attribute
//! and the derive share it.

pub(crate) mod entries;
pub(crate) mod list;
pub(crate) mod literal;
pub(crate) mod node;

use proc_macro2::{TokenStream, TokenTree};
use syn::Attribute;

/// Returns whether one of these words is among the tokens.
pub(crate) fn mentions(tokens: TokenStream, words: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => words.iter().any(|known| word == known),
        TokenTree::Group(group) => mentions(group.stream(), words),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Returns whether one of these words is in the brackets of an attribute.
pub(crate) fn attribute_mentions(attribute: &Attribute, words: &[&str]) -> bool {
    attribute.meta.require_list().is_ok_and(|list| mentions(list.tokens.clone(), words))
}
