//! Tests that each mistake gives one message, counted in the expansion.

use syn::{Item, Macro};

use super::*;

mod expansion;
mod rules;
mod shape;

/// Returns the messages of an expansion, which has to consist of items.
fn messages(input: TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(derive(input)).expect("items");
    let is_error = |mac: &Macro| mac.path.segments.last().is_some_and(|last| last.ident == "compile_error");
    file.items
        .into_iter()
        .filter_map(|item| match item {
            Item::Macro(item) if is_error(&item.mac) => item.mac.parse_body::<syn::LitStr>().ok(),
            _ => None,
        })
        .map(|message| message.value())
        .collect()
}

/// Returns the only message of an expansion.
fn message(input: TokenStream) -> String {
    let mut messages = messages(input);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    messages.remove(0)
}

/// Returns the message for an enum with only this variant.
fn in_variant(variant: impl quote::ToTokens) -> String {
    message(quote::quote! { enum E { #variant } })
}

fn is_fine(input: TokenStream) {
    assert_eq!(messages(input), Vec::<String>::new());
}
