//! Plan and function to tokens: a static, closures, one call.
//!
//! Everything generated is placed at the token that a mistake about it belongs to: at the return
//! type, at an argument's type, at a fallback's path.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, FnArg, Pat, PatType, Type};

use super::function::{OpaqueFn, is_nameless, plain_name};
use super::model::{Breaker, Plan, step_span};
use super::policy;
use super::span::{exactly, glue, moved};
use super::value::FallbackStep;

/// The function as it was.
pub(super) fn untouched(function: &OpaqueFn) -> TokenStream {
    let OpaqueFn { attrs, vis, sig, body } = function;
    quote!(#(#attrs)* #vis #sig #body)
}

/// The guarded function.
pub(super) fn expand(plan: &Plan, function: &OpaqueFn) -> TokenStream {
    let Some(output) = function.output() else { return untouched(function) };
    let at = glue(output);
    let krate = &plan.krate;
    let p = exactly(quote!(#krate::__private), at);
    let arguments = Argument::all(function);
    let site = site(plan, &p, at);
    let special = special(output, &p, at);

    let chain = (!plan.fallback.is_empty()).then(|| chain(plan, function, &arguments, output, &p));
    let named = plan.retry.is_some() || chain.as_ref().is_some_and(|chain| chain.needs_arguments);
    let body = body(function, &arguments, output, named, at);
    let (mut before, work) = if plan.retry.is_some() {
        let slots = arguments.iter().map(|argument| argument.slot(&p));
        let next = arguments.iter().map(|argument| argument.next(&p));
        let make = quote_spanned!(at=> move |__last: bool| {
            #(#next)*
            ::core::option::Option::Some(#body)
        });
        (quote!(#(#slots)*), make)
    } else {
        (TokenStream::new(), body)
    };
    let entry = quote_spanned!(at=> __RESILIENT_SITE.entry());
    let call = match (plan.retry.is_some(), &chain) {
        (false, None) => quote_spanned!(at=> #p::once(#entry, #work, #special)),
        (true, None) => quote_spanned!(at=> #p::repeat(#entry, #work, #special)),
        (false, Some(Chain { steps, .. })) => {
            quote_spanned!(at=> #p::once_or(#entry, #work, #special, #steps))
        }
        (true, Some(Chain { steps, .. })) => {
            quote_spanned!(at=> #p::repeat_or(#entry, #work, #special, #steps))
        }
    };
    let call = match request(plan, function, &p, at) {
        Some(request) => {
            // Before the arguments are moved to where an attempt finds them.
            before = quote_spanned!(at=> let __request = #request; #before);
            quote_spanned!(at=> #p::asked(__request, #call))
        }
        None => call,
    };
    let copies = chain.as_ref().map(|chain| &chain.copies);

    let OpaqueFn { attrs, vis, sig, .. } = function;
    let mut sig = sig.clone();
    if named {
        let inputs = sig.inputs.iter_mut().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        for (input, argument) in inputs.zip(&arguments) {
            let name = &argument.name;
            *input.pat = Pat::Verbatim(name.to_token_stream());
        }
    }
    let block = quote_spanned!(at=> { #site #copies #before #call.await });
    quote!(#(#attrs)* #vis #sig #block)
}

/// The static record of the function.
fn site(plan: &Plan, p: &TokenStream, at: Span) -> TokenStream {
    let name = &plan.name;
    let policy = policy::tokens(plan, p);
    let breaker = match &plan.breaker {
        Some(Breaker::Static(path)) => {
            let place = glue(path);
            quote_spanned!(place=> .guarded_by(&#path))
        }
        Some(Breaker::Named(..)) | None => TokenStream::new(),
    };
    quote_spanned!(at=>
        static __RESILIENT_SITE: #p::Site = #p::Site::new(
            #name,
            #p::Location {
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
            },
            #policy,
        ) #breaker;
    )
}

/// The request among a tool's arguments, for when it runs without the hook. Only an argument with
/// a plain name is looked at: what a pattern takes apart is no request.
fn request(plan: &Plan, function: &OpaqueFn, p: &TokenStream, at: Span) -> Option<TokenStream> {
    let names: Vec<_> =
        function.arguments().filter(|argument| plan.is_tool && no_cfg(argument)).filter_map(plain_name).collect();
    let (first, others) = names.split_first()?;
    let look = |name: &Ident| quote_spanned!(at=> (&&#p::Asked(&#name)).context(&__RESILIENT_SITE));
    let (first, others) = (look(first), others.iter().map(|name| look(name)));
    Some(quote_spanned!(at=> {
        use #p::requests::*;
        #first #(.or_else(|| #others))*
    }))
}

fn no_cfg(argument: &PatType) -> bool {
    !argument.attrs.iter().any(|attr| attr.path().is_ident("cfg"))
}

/// What recognises an answer that its type alone does not tell.
fn special(output: &Type, p: &TokenStream, at: Span) -> TokenStream {
    if is_nameless(output) {
        return quote_spanned!(at=> |_| ::core::option::Option::None);
    }
    quote_spanned!(at=> |__answer: &#output| {
        use #p::special::*;
        (&&#p::Special(__answer)).special()
    })
}

/// One attempt: the arguments under the user's names, and the body, which nobody has parsed.
fn body(function: &OpaqueFn, arguments: &[Argument<'_>], output: &Type, named: bool, at: Span) -> TokenStream {
    let rebind = arguments.iter().filter(|_| named).map(Argument::rebind);
    let edge = edge(output, at);
    let mut body = Group::new(function.body.delimiter(), function.body.stream());
    // Otherwise rustc takes the braces for the user's, and one pair too many.
    body.set_span(Span::mixed_site().located_at(function.body.span()));
    quote_spanned!(at=> async move {
        #edge
        #(#rebind)*
        #body
    })
}

/// A return that is never reached: it ties the block to the return type before rustc looks at the
/// body, so that a mismatch is told where it is.
fn edge(output: &Type, at: Span) -> TokenStream {
    if is_nameless(output) {
        return TokenStream::new();
    }
    quote_spanned!(at=>
        #[allow(unreachable_code, clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
        if false {
            let __return: #output = loop {};
            return __return;
        }
    )
}

/// One argument of the function.
struct Argument<'a> {
    /// `#[cfg(..)]`s, which hold for all that is said about the argument.
    cfgs: Vec<&'a Attribute>,
    /// Its name outside the body.
    name: Ident,
    slot: Ident,
    pattern: &'a Pat,
    ty: &'a Type,
}

impl<'a> Argument<'a> {
    fn all(function: &'a OpaqueFn) -> Vec<Self> {
        function.arguments().enumerate().map(|(index, argument)| Self::new(index, argument)).collect()
    }

    fn new(index: usize, argument: &'a PatType) -> Self {
        let hidden = |name: String| Ident::new(&name, glue(&argument.ty));
        Self {
            cfgs: argument.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect(),
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
    fn slot(&self, p: &TokenStream) -> TokenStream {
        let Self { cfgs, name, slot, ty, .. } = self;
        let at = glue(ty);
        quote_spanned!(at=> #(#cfgs)* let mut #slot = #p::Slot::new(#name);)
    }

    /// The argument for the next attempt.
    fn next(&self, p: &TokenStream) -> TokenStream {
        let Self { cfgs, name, slot, ty, .. } = self;
        let at = glue(ty);
        let p = exactly(p.clone(), at);
        let copy = copy(&quote_spanned!(at=> __argument), &p, at);
        quote_spanned!(at=> #(#cfgs)* let #name = #slot.next(__last, |__argument| #copy)?;)
    }

    /// Gives the argument the user's name inside the body.
    fn rebind(&self) -> TokenStream {
        let Self { cfgs, name, pattern, ty, .. } = self;
        let at = glue(ty);
        let ty = (!is_nameless(ty)).then(|| quote_spanned!(at=> : #ty));
        quote_spanned!(at=>
            #(#cfgs)*
            #[allow(clippy::no_effect_underscore_binding)]
            let #pattern #ty = #name;
        )
    }
}

/// A copy of what a reference points to.
fn copy(reference: &TokenStream, p: &TokenStream, at: Span) -> TokenStream {
    quote_spanned!(at=> {
        use #p::copies::*;
        (&&&#p::Arg(#reference)).copy()
    })
}

/// A chain of fallbacks and what it needs.
struct Chain {
    /// Copies of the arguments, made before the body uses them up.
    copies: TokenStream,
    steps: TokenStream,
    /// Whether it looks at the arguments.
    needs_arguments: bool,
}

fn chain(plan: &Plan, function: &OpaqueFn, arguments: &[Argument<'_>], output: &Type, p: &TokenStream) -> Chain {
    let mut copies = TokenStream::new();
    let mut steps = Vec::new();
    let mut needs_arguments = false;
    for (index, step) in plan.fallback.iter().enumerate() {
        let at = glue(&step_span(step));
        let p = &exactly(p.clone(), at);
        let tokens = match step {
            FallbackStep::Cached(_) => {
                let key = answer_key(plan, arguments, p, at);
                needs_arguments |= key.needs_arguments;
                let key = key.tokens;
                let whole = glue(output);
                let copy = copy(&quote_spanned!(whole=> __good), &exactly(p.clone(), whole), whole);
                quote_spanned!(at=> #p::Cached::new(
                    &__RESILIENT_SITE,
                    #key,
                    |__good: &<#output as #p::Fallible>::Good| #copy,
                ))
            }
            FallbackStep::Function(path) => {
                needs_arguments = true;
                let names =
                    arguments.iter().map(|argument| format_ident!("__copy_{index}_{}", argument.name, span = at));
                let names: Vec<_> = names.collect();
                for (argument, name) in arguments.iter().zip(&names) {
                    let Argument { cfgs, name: original, ty, .. } = argument;
                    let there = glue(ty);
                    let copy = copy(&quote_spanned!(there=> &#original), &exactly(p.clone(), there), there);
                    copies.extend(quote_spanned!(there=> #(#cfgs)* let #name = #copy;));
                }
                let receiver = receiver_for(path, function).map(|receiver| {
                    // `self` can only be seen under the very name that the user gave it.
                    let receiver = moved(receiver.to_token_stream(), at);
                    quote_spanned!(at=> #receiver,)
                });
                quote_spanned!(at=> #p::Function(
                    move |__error: <#output as #p::Fallible>::Error, __limit: #p::Limit| async move {
                        let __answer: ::core::option::Option<#output> = __limit.run(#path(#receiver #(#names,)* &__error)).await;
                        (__error, __answer)
                    },
                ))
            }
            FallbackStep::Value(expr) => {
                quote_spanned!(at=> #p::Value(move || -> <#output as #p::Fallible>::Good { #expr }))
            }
        };
        steps.push((at, tokens));
    }
    let end = quote!(#p::End);
    let steps = steps.into_iter().rev().fold(end, |rest, (at, step)| {
        let p = exactly(p.clone(), at);
        quote_spanned!(at=> #p::Then(#step, #rest))
    });
    Chain { copies, steps, needs_arguments }
}

/// A fallback that is a method of the same type is given the receiver first.
fn receiver_for<'a>(path: &syn::Path, function: &'a OpaqueFn) -> Option<&'a syn::Token![self]> {
    let is_own = path.segments.len() == 2 && path.segments.first().is_some_and(|first| first.ident == "Self");
    function.sig.receiver().filter(|_| is_own).map(|receiver| &receiver.self_token)
}

struct AnswerKey {
    tokens: TokenStream,
    needs_arguments: bool,
}

/// Under which key an answer is kept: a tool's raw arguments, else those of the function, else
/// what `cache(key = ..)` says.
fn answer_key(plan: &Plan, arguments: &[Argument<'_>], p: &TokenStream, at: Span) -> AnswerKey {
    if let Some(key) = &plan.cache_key {
        let place = glue(key);
        let look = arguments.iter().map(|Argument { cfgs, name, pattern, .. }| {
            quote_spanned!(place=> #(#cfgs)* #[allow(unused_variables)] let #pattern = &#name;)
        });
        let tokens = quote_spanned!(at=> #p::AnswerKey::of_arguments(&__RESILIENT_SITE, |__hash| {
            #(#look)*
            __hash.add(&(#key));
        }));
        return AnswerKey { tokens, needs_arguments: true };
    }
    if plan.is_tool {
        return AnswerKey {
            tokens: quote_spanned!(at=> #p::AnswerKey::of_request(&__RESILIENT_SITE)),
            needs_arguments: false,
        };
    }
    let add = arguments.iter().map(|Argument { cfgs, name, ty, .. }| {
        let place = glue(ty);
        quote_spanned!(place=> #(#cfgs)* __hash.add(&#name);)
    });
    let tokens = quote_spanned!(at=> #p::AnswerKey::of_arguments(&__RESILIENT_SITE, |__hash| { #(#add)* }));
    AnswerKey { tokens, needs_arguments: true }
}
