//! Generates the look for a kept answer before the body runs, and the refresh of one.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{GenericParam, Ident, Receiver, ReceiverKind, Type};

use super::argument::{Argument, copy};
use super::chain::{answer_key, size};
use crate::resilient::expand::span::{exactly, glue, moved};
use crate::resilient::parse::function::{OpaqueFn, is_nameless};
use crate::resilient::plan::Plan;

/// The code of a function with `cache(fresh ..)`.
pub(crate) struct Reading {
    /// The look for a kept answer, before the arguments are moved.
    pub(crate) look: TokenStream,
    /// The function that refreshes a kept answer.
    pub(crate) beside: TokenStream,
    /// Whether the look uses the arguments.
    pub(crate) needs_arguments: bool,
}

pub(crate) fn reading(
    plan: &Plan,
    function: &OpaqueFn,
    arguments: &[Argument<'_>],
    output: &Type,
    p: &TokenStream,
    at: Span,
) -> Reading {
    let key = answer_key(plan, arguments, p, at);
    let size = size(output, p, at);
    let errors = if is_nameless(output) {
        quote_spanned!(at=> #p::ErrorSharing::NONE)
    } else {
        quote_spanned!(at=> #p::Kept::<#output>::HERE.__errors())
    };
    let whole = glue(output);
    let copy = copy(&quote_spanned!(whole=> __good), p, whole);
    let written = plan.guards.origins.span_of("cache.stale_while_revalidate").map(|span| glue(&span));
    let refreshed = plan.cache.is_some_and(|cache| cache.stale_while_revalidate.is_some());
    let refresh = refreshed.then(|| Refresh::new(plan, function, arguments, p, written.unwrap_or(at)));
    let begin = refresh.as_ref().map_or_else(|| quote_spanned!(at=> |_| {}), |refresh| refresh.begin.clone());
    let look = quote_spanned!(at=>
        let __read = #p::Read::new(__site, __sides, |__site| #key, #size, #errors, |__good| #copy);
        if let ::core::option::Option::Some(__kept) = __read.kept(__call.as_mut(), #begin) {
            return __kept;
        }
        let __key = __read.key();
    );
    Reading {
        look,
        needs_arguments: refresh.is_some() || plan.cache_key.is_some() || !plan.is_tool,
        beside: refresh.map(|refresh| refresh.beside).unwrap_or_default(),
    }
}

/// The refresh of a kept answer.
struct Refresh {
    /// The closure that begins it.
    begin: TokenStream,
    /// The function that spawns it. The function itself cannot: inside an `async fn` rustc does not know yet whether
    /// its future is `Send`.
    beside: TokenStream,
}

impl Refresh {
    fn new(plan: &Plan, function: &OpaqueFn, arguments: &[Argument<'_>], p: &TokenStream, at: Span) -> Self {
        let p = &exactly(p.clone(), at);
        let sig = &function.sig;
        let name = &sig.ident;
        // In the `impl` of a trait rustc shows this name, at the key.
        let owner = syn::ext::IdentExt::unraw(name);
        let owner = format_ident!("__stale_while_revalidate_of_{}_needs_an_impl_without_trait", owner, span = at);
        let within = is_method(plan, function).then(|| quote_spanned!(at=> Self::));
        let (generics, bounds) = (&sig.generics.params, &sig.generics.where_clause);
        let generics = (!generics.is_empty()).then(|| quote!(<#generics>));
        let named: Vec<_> = sig.generics.params.iter().filter_map(named).collect();
        let named = (!named.is_empty()).then(|| quote_spanned!(at=> ::<#(#named),*>));

        let (mut parameters, mut copies, mut passed) = (TokenStream::new(), TokenStream::new(), TokenStream::new());
        if let Some(receiver) = sig.receiver() {
            let this = moved(receiver.self_token.to_token_stream(), at);
            let (ty, is_reference) = owned_receiver(receiver, at);
            let reference = is_reference.then(|| quote_spanned!(at=> &));
            parameters.extend(quote_spanned!(at=> __this: #ty,));
            // A reference to the receiver is what a method is called with.
            let look = if is_reference { quote_spanned!(at=> #this) } else { quote_spanned!(at=> &#this) };
            copies.extend(quote_spanned!(at=> #p::refreshable::<#ty>(#look),));
            passed.extend(quote_spanned!(at=> #reference __this,));
        }
        for (index, Argument { cfgs, name, ty, .. }) in arguments.iter().enumerate() {
            let part = Ident::new(&format!("__part_{index}"), at);
            match ty {
                Type::Reference(reference) => {
                    let ty = &reference.elem;
                    parameters.extend(quote_spanned!(at=>
                        #(#cfgs)* #part: <#ty as ::std::borrow::ToOwned>::Owned,
                    ));
                    copies.extend(quote_spanned!(at=> #(#cfgs)* <#ty as ::std::borrow::ToOwned>::to_owned(#name),));
                    passed.extend(quote_spanned!(at=> #(#cfgs)* ::core::borrow::Borrow::<#ty>::borrow(&#part),));
                }
                ty => {
                    parameters.extend(quote_spanned!(at=> #(#cfgs)* #part: #ty,));
                    copies.extend(quote_spanned!(at=> #(#cfgs)* #p::Refreshed::of(&#name).__copy(),));
                    passed.extend(quote_spanned!(at=> #(#cfgs)* #part,));
                }
            }
        }
        let begin = quote_spanned!(at=> |__refresh| #within #owner #named(__refresh, #copies));
        let beside = quote_spanned!(at=>
            #[doc(hidden)]
            #[allow(deprecated, clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
            fn #owner #generics(__refresh: #p::Refresh, #parameters) #bounds {
                #p::Refresh::spawn(__refresh, async move {
                    ::core::mem::drop(#within #name #named(#passed).await);
                });
            }
        );
        Self { begin, beside }
    }
}

/// Returns the type of a receiver that a refresh owns, and whether the function takes a reference to it.
fn owned_receiver(receiver: &Receiver, at: Span) -> (TokenStream, bool) {
    match &receiver.kind {
        ReceiverKind::Reference(..) => (quote_spanned!(at=> Self), true),
        ReceiverKind::Typed(_, ty) => match &**ty {
            Type::Reference(reference) => (reference.elem.to_token_stream(), true),
            ty => (ty.to_token_stream(), false),
        },
        _ => (quote_spanned!(at=> Self), false),
    }
}

/// Returns whether the function is one of a type: it has a receiver, is a tool of a block, or names `Self`.
fn is_method(plan: &Plan, function: &OpaqueFn) -> bool {
    let names_self = || names_self(function.sig.to_token_stream(), &[]) || names_self(function.body.stream(), ITEMS);
    function.sig.receiver().is_some() || plan.site_fn.is_some() || names_self()
}

/// The words that begin an item with another `Self`.
const ITEMS: &[&str] = &["impl", "trait", "struct", "enum"];

/// Returns whether these tokens name `Self` outside of items that begin with one of these words.
fn names_self(tokens: TokenStream, items: &[&str]) -> bool {
    let mut is_in_item = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) if is_in_item => {
            is_in_item = group.delimiter() != Delimiter::Brace;
            false
        }
        TokenTree::Group(group) => names_self(group.stream(), items),
        TokenTree::Ident(word) => {
            is_in_item |= items.iter().any(|item| word == item);
            !is_in_item && word == "Self"
        }
        TokenTree::Punct(mark) => {
            is_in_item &= mark.as_char() != ';';
            false
        }
        TokenTree::Literal(_) => false,
    })
}

/// Returns the name of a generic parameter. rustc does not accept those of lifetimes everywhere.
fn named(parameter: &GenericParam) -> Option<&Ident> {
    match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    }
}
