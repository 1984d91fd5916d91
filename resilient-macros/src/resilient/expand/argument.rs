//! The arguments of a function: kept between attempts, copied, looked at, given back their names.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Pat, PatType, Type};

use super::super::function::{OpaqueFn, is_nameless, plain_name};
use super::super::model::Plan;
use super::super::span::{exactly, glue};

/// What is asked of the parameters before the first attempt.
pub(super) fn sight(plan: &Plan, arguments: &[Argument<'_>]) -> Option<TokenStream> {
    let keys = &plan.guards.keys;
    if keys.is_empty() && plan.log_args.is_empty() {
        return None;
    }
    let mut sight = keys.tokens(|place| look(arguments, place));
    if let Some(first) = plan.log_args.first() {
        let at = glue(first);
        let look = look(arguments, at);
        let shown = plan.log_args.iter().map(|shown| {
            let name = shown.to_token_stream().to_string().replace([' ', '\n'], "");
            let at = glue(shown);
            quote_spanned!(at=> __shown.add(#name, &(#shown));)
        });
        sight.extend(quote_spanned!(at=> .log_args(|__shown| {
            #look
            #(#shown)*
        })));
    }
    Some(sight)
}

/// One argument of the function.
pub(super) struct Argument<'a> {
    /// `#[cfg(..)]`s, which hold for all that is said about the argument.
    pub(super) cfgs: Vec<&'a Attribute>,
    /// The others, which are about the argument in the body.
    lints: Vec<&'a Attribute>,
    /// Its name outside the body.
    pub(super) name: Ident,
    pub(super) slot: Ident,
    pub(super) pattern: &'a Pat,
    pub(super) ty: &'a Type,
}

impl<'a> Argument<'a> {
    pub(super) fn all(function: &'a OpaqueFn) -> Vec<Self> {
        function.arguments().enumerate().map(|(index, argument)| Self::new(index, argument)).collect()
    }

    fn new(index: usize, argument: &'a PatType) -> Self {
        let hidden = |name: String| Ident::new(&name, glue(&argument.ty));
        let (cfgs, lints) = argument.attrs.iter().partition(|attr| is_cfg(attr));
        Self {
            cfgs,
            lints,
            name: plain_name(argument)
                // A name that says that it is not used must not be seen to be used.
                .filter(|name| !name.to_string().starts_with('_'))
                .cloned()
                .unwrap_or_else(|| hidden(format!("__argument_{index}"))),
            slot: hidden(format!("__slot_{index}")),
            pattern: &argument.pat,
            ty: &argument.ty,
        }
    }

    /// Keeps the argument between attempts.
    pub(super) fn slot(&self, p: &TokenStream) -> TokenStream {
        let Self { cfgs, name, slot, ty, .. } = self;
        let at = glue(ty);
        quote_spanned!(at=> #(#cfgs)* let mut #slot = #p::Slot::new(#name);)
    }

    /// The argument for the next attempt.
    pub(super) fn next(&self, p: &TokenStream) -> TokenStream {
        let Self { cfgs, name, slot, ty, .. } = self;
        let at = glue(ty);
        let p = exactly(p.clone(), at);
        let copy = copy(&quote_spanned!(at=> __argument), &p, at);
        quote_spanned!(at=> #(#cfgs)* let #name = #slot.next(__last, |__argument| #copy)?;)
    }

    /// Gives the argument the user's name inside the body.
    pub(super) fn rebind(&self) -> TokenStream {
        let Self { cfgs, lints, name, pattern, ty, .. } = self;
        let at = glue(ty);
        let ty = (!is_nameless(ty)).then(|| quote_spanned!(at=> : #ty));
        quote_spanned!(at=>
            #(#cfgs)*
            #[allow(clippy::no_effect_underscore_binding)]
            #(#lints)*
            let #pattern #ty = #name;
        )
    }
}

/// A copy of what a reference points to.
pub(super) fn copy(reference: &TokenStream, p: &TokenStream, at: Span) -> TokenStream {
    quote_spanned!(at=> {
        use #p::copies::*;
        (&&&#p::Arg(#reference)).copy()
    })
}

/// The arguments under the user's names, by reference.
pub(super) fn look(arguments: &[Argument<'_>], place: Span) -> TokenStream {
    let look = arguments.iter().map(|Argument { cfgs, name, pattern, .. }| {
        let pattern = seen_by_reference(pattern.to_token_stream());
        quote_spanned!(place=>
            #(#cfgs)*
            #[allow(unused_variables, unused_mut, clippy::no_effect_underscore_binding)]
            let #pattern = &#name;
        )
    });
    quote!(#(#look)*)
}

/// A pattern without what cannot stand in one for something that is seen by reference: `mut`, `ref`, `&`.
fn seen_by_reference(pattern: TokenStream) -> TokenStream {
    let kept = pattern.into_iter().filter_map(|token| match token {
        TokenTree::Ident(word) if word == "mut" || word == "ref" => None,
        TokenTree::Punct(and) if and.as_char() == '&' => None,
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), seen_by_reference(group.stream()));
            inner.set_span(group.span());
            Some(TokenTree::Group(inner))
        }
        other => Some(other),
    });
    kept.collect()
}

pub(super) fn no_cfg(argument: &PatType) -> bool {
    !argument.attrs.iter().any(is_cfg)
}

pub(super) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}
