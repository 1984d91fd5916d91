//! Generates the chain of fallbacks: the inputs of each step, and the key of the cache.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Type;

use super::argument::{Argument, copy, look};
use crate::resilient::expand::span::{exactly, glue, moved};
use crate::resilient::parse::function::{OpaqueFn, is_nameless};
use crate::resilient::parse::value::FallbackStep;
use crate::resilient::plan::{Enforced, Plan};

/// A chain of fallbacks and the code before it.
pub(crate) struct Chain {
    /// Clones of the arguments, made before the body consumes them.
    pub(crate) copies: TokenStream,
    pub(crate) steps: TokenStream,
    /// Whether the chain uses the arguments.
    pub(crate) needs_arguments: bool,
}

pub(crate) fn chain(
    plan: &Plan,
    function: &OpaqueFn,
    arguments: &[Argument<'_>],
    output: &Type,
    p: &TokenStream,
) -> Chain {
    let mut copies = TokenStream::new();
    let mut steps = Vec::new();
    let mut needs_arguments = false;
    for (index, step) in plan.fallback.iter().enumerate() {
        let at = glue(&step.span());
        let p = &exactly(p.clone(), at);
        let tokens = match step {
            FallbackStep::Cached(_) if plan.reads_first() => {
                let whole = glue(output);
                let copy = copy(&quote_spanned!(whole=> __good), p, whole);
                quote_spanned!(at=> #p::Cached::stored(__sides, __site, __key, |__good| #copy))
            }
            FallbackStep::Cached(_) => {
                needs_arguments |= plan.cache_key.is_some() || !plan.is_tool;
                let (key, value) = (format_ident!("__key_{index}", span = at), answer_key(plan, arguments, p, at));
                // Clone before the arguments move into their slots.
                copies.extend(quote_spanned!(at=> let #key = #value;));
                let whole = glue(output);
                let copy = copy(&quote_spanned!(whole=> __good), p, whole);
                let size = size(output, p, at);
                quote_spanned!(at=> #p::Cached::new(__sides, __site, #key, #size, |__good| #copy))
            }
            FallbackStep::Function(path) => {
                needs_arguments = true;
                // Named by index, since two arguments from a `macro_rules!` may have the same name with different
                // hygiene.
                let passed = arguments.iter().enumerate().map(|(number, argument)| {
                    let Argument { cfgs, name, ty, .. } = argument;
                    let its_copy = format_ident!("__copy_{index}_{number}", span = at);
                    let there = glue(ty);
                    let copy = argument.copy(&quote_spanned!(there=> &#name), p);
                    copies.extend(quote_spanned!(there=> #(#cfgs)* let #its_copy = #copy;));
                    quote_spanned!(at=> #(#cfgs)* #its_copy,)
                });
                let passed: TokenStream = passed.collect();
                let receiver = receiver_for(path, function).map(|receiver| {
                    // `self` is only visible with the hygiene of the user's receiver.
                    let receiver = moved(receiver.to_token_stream(), at);
                    quote_spanned!(at=> #receiver,)
                });
                quote_spanned!(at=> #p::Function::new(
                    __sides,
                    move |__error, __limit: #p::Limit| async move {
                        let __answer: ::core::option::Option<#output> = __limit.run(#path(#receiver #passed &__error)).await;
                        (__error, __answer)
                    },
                ))
            }
            FallbackStep::Value(expr) => quote_spanned!(at=> #p::Value::new(__sides, move || #expr)),
            // The pipeline defers the call after the chain.
            FallbackStep::Deferred(_) => continue,
        };
        steps.push((at, tokens));
    }
    let steps = steps.into_iter().rev().fold(quote!(#p::End), |rest, (at, step)| {
        let p = exactly(p.clone(), at);
        quote_spanned!(at=> #p::Then::new(#step, #rest))
    });
    Chain { copies, steps, needs_arguments }
}

/// Returns the receiver, which is the first argument of a function `Self::f`.
pub(super) fn receiver_for<'a>(path: &syn::Path, function: &'a OpaqueFn) -> Option<&'a syn::Token![self]> {
    let is_own = path.segments.len() == 2 && path.segments.first().is_some_and(|first| first.ident == "Self");
    function.sig.receiver().filter(|_| is_own).map(|receiver| &receiver.self_token)
}

/// Returns the function that measures an answer.
pub(crate) fn size(output: &Type, p: &TokenStream, at: Span) -> TokenStream {
    if is_nameless(output) {
        return quote_spanned!(at=> |__good| ::core::mem::size_of_val(__good) as u64);
    }
    quote_spanned!(at=> #p::Kept::<#output>::HERE.__size())
}

/// Returns the key of the cached answer: the parameters of a handler's request, else the value of `cache(key = ..)`,
/// else the raw arguments of a tool, else the arguments of the function.
pub(crate) fn answer_key(plan: &Plan, arguments: &[Argument<'_>], p: &TokenStream, at: Span) -> TokenStream {
    if plan.enforced == Enforced::ByMethod
        && let Some(Argument { name, .. }) = arguments.first()
    {
        return quote_spanned!(at=> #p::AnswerKey::of_parameters(__site, #p::canonical_parameters(&#name)));
    }
    let add = if let Some(key) = &plan.cache_key {
        let look = look(arguments, glue(key));
        quote_spanned!(at=> #look __hash.add(&(#key));)
    } else if plan.is_tool {
        return quote_spanned!(at=> #p::AnswerKey::of_request(__site));
    } else {
        let add = arguments.iter().map(|Argument { cfgs, name, ty, .. }| {
            let place = glue(ty);
            quote_spanned!(place=> #(#cfgs)* __hash.add(&#name);)
        });
        add.collect()
    };
    quote_spanned!(at=> #p::AnswerKey::of_arguments(__site, |__hash| { #add }))
}
