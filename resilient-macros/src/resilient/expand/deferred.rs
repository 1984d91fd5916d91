//! Generates what lets a call be deferred: what identifies it, and the check that its arguments need no caller.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::argument::{Argument, look};
use crate::resilient::expand::span::{exactly, glue};
use crate::resilient::parse::function::is_nameless;
use crate::resilient::plan::Plan;

/// Marks a call as one that may be deferred, if the function has `fallback = deferred`. If the runtime was built without
/// it, rustc reports an error at that word.
pub(crate) fn deferrable(
    plan: &Plan,
    arguments: &[Argument<'_>],
    entry: TokenStream,
    p: &TokenStream,
    at: Span,
) -> TokenStream {
    let Some(written) = plan.defers() else { return entry };
    let checks = arguments.iter().filter(|argument| !is_nameless(argument.ty)).map(|Argument { cfgs, ty, .. }| {
        let at = glue(ty);
        let p = exactly(p.clone(), at);
        quote_spanned!(at=> #(#cfgs)* #p::Delivered::<#ty>::HERE.__without_caller();)
    });
    let checks: TokenStream = checks.collect();
    let entry = if checks.is_empty() { entry } else { quote_spanned!(at=> { #checks #entry }) };
    let defers = plan.deferred_key.as_ref().map_or_else(
        || quote!(.deferred()),
        |key| {
            let at = glue(key);
            let (p, look) = (exactly(p.clone(), at), look(arguments, at));
            quote_spanned!(at=> .deferred_by(|| { #look #p::defer_key(&(#key)) }))
        },
    );
    let at = glue(&written);
    let p = exactly(p.clone(), at);
    quote_spanned!(at=> #p::deferred!(#entry, #defers))
}
