//! `#[resilient]` above `#[tool_handler] impl ServerHandler`. The handler gets its router with each request, so the
//! macro replaces it by one that is built once and that counts calls of unknown tools.

use darling::Error;
use darling::ast::NestedMeta;
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Meta;

use crate::parse::list;
use crate::resilient::parse::args::{self, Args};
use crate::resilient::parse::block::OpaqueImpl;
use crate::resilient::parse::tool;

pub(super) fn expand(args: &Args, written: &TokenStream, mut block: OpaqueImpl) -> darling::Result<TokenStream> {
    only_the_runtime(written)?;
    let Some(attribute) = block.attrs.iter_mut().find(|attr| tool::last_is(attr, "tool_handler")) else {
        let message = "on an `impl` of a trait, `#[resilient]` goes above `#[tool_handler]`; there is none below it";
        let trait_ = block.trait_.as_ref().map(|(trait_, _)| trait_);
        return Err(Error::custom(message).with_span(&trait_));
    };
    let mut errors = Error::accumulator();
    let mut entries = list::of_rmcp(&attribute.meta, &["router"], &mut errors);
    errors.finish()?;
    let mut router = quote!(Self::tool_router());
    entries.retain(|entry| match entry {
        NestedMeta::Meta(Meta::NameValue(pair)) if pair.path.is_ident("router") => {
            router = pair.value.to_token_stream();
            false
        }
        _ => true,
    });
    let krate = args.krate.clone().unwrap_or_default();
    // A router that belongs to a value is built once already, and only the value knows it.
    let router = if mentions_self(router.clone()) {
        quote!(#krate::__private::routed(&(#router)))
    } else {
        let label = router.to_string();
        quote!(#krate::__private::routed(#krate::__private::shared(
            #label, || #router, &[], &[], ::core::option::Option::None, |_| (),
        )))
    };
    let path = attribute.path();
    *attribute = syn::parse_quote!(#[#path(router = #router #(, #entries)*)]);
    Ok(block.into_token_stream())
}

/// Rejects keys on a handler, which has no tools to guard.
fn only_the_runtime(written: &TokenStream) -> darling::Result<()> {
    let mut errors = Error::accumulator();
    for entry in NestedMeta::parse_meta_list(written.clone()).unwrap_or_default() {
        if let NestedMeta::Meta(meta) = &entry
            && meta.path().get_ident().is_some_and(|key| args::is_of_blocks(&key.to_string()))
        {
            let message = "above `#[tool_handler]` only `crate` means anything; write this key above `#[tool_router]`";
            errors.push(Error::custom(message).with_span(meta.path()));
        }
    }
    errors.finish()
}

/// Returns whether `self` is among the tokens. A text may contain it as well, without a use of the value.
fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "self",
        TokenTree::Group(group) => mentions_self(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
