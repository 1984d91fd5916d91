//! Plan and function to tokens: a static, closures, one call.
//!
//! Everything generated is placed at the token that a mistake about it belongs to: at the return
//! type, at an argument's type, at a fallback's path.

mod argument;
mod chain;
mod documented;
mod site;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{FnArg, Pat, Type};

use super::function::{OpaqueFn, is_nameless, plain_name};
use super::model::Plan;
use super::span::{self, exactly, glue};
use crate::project::Project;
use argument::{Argument, is_cfg, no_cfg, sight};
use chain::{Chain, chain};
use documented::documented;
use site::site;
pub(super) use site::{dummy_site, site_fn};

/// The function as it was.
pub(super) fn untouched(function: &OpaqueFn) -> TokenStream {
    let OpaqueFn { attrs, vis, sig, body } = function;
    quote!(#(#attrs)* #vis #sig #body)
}

/// The guarded function.
pub(super) fn expand(plan: &Plan, function: &OpaqueFn, project: &Project) -> TokenStream {
    let Some(output) = function.output() else { return untouched(function) };
    let at = glue(output);
    let krate = &plan.krate;
    let p = exactly(quote!(#krate::__private), at);
    let arguments = Argument::all(function);
    let (site, beside) = site(plan, span::line(function.sig.ident.span()), &p, at);
    let special = special(output, &p, at);

    let chain = (!plan.fallback.is_empty()).then(|| chain(plan, function, &arguments, output, &p));
    let sight = sight(plan, &arguments);
    let named =
        plan.guards.retry.is_some() || sight.is_some() || chain.as_ref().is_some_and(|chain| chain.needs_arguments);
    let body = body(function, &arguments, output, named, at);
    let (mut before, work) = if plan.guards.retry.is_some() {
        let slots = arguments.iter().map(|argument| argument.slot(&p));
        let next = arguments.iter().map(|argument| argument.next(&p));
        let make = quote_spanned!(at=> move |__last: ::core::primitive::bool| {
            #(#next)*
            ::core::option::Option::Some(#body)
        });
        (quote!(#(#slots)*), make)
    } else {
        (TokenStream::new(), body)
    };
    let mut entry = quote_spanned!(at=> __site.entry());
    if let Some(sight) = sight {
        // Before the arguments are moved to where an attempt finds them.
        before = quote_spanned!(at=> let __entry = #entry #sight; #before);
        entry = quote_spanned!(at=> __entry);
    }
    if let Some(request) = request(plan, function, &arguments, named, &p, at) {
        // Before the arguments are moved to where an attempt finds them.
        before = quote_spanned!(at=> let __request = #request; #before);
        entry = quote_spanned!(at=> #entry.asked(__request));
    }
    let call = match (plan.guards.retry.is_some(), &chain) {
        (false, None) => quote_spanned!(at=> #p::once(#entry, #work, #special)),
        (true, None) => quote_spanned!(at=> #p::repeat(#entry, #work, #special)),
        (false, Some(Chain { steps, .. })) => {
            quote_spanned!(at=> #p::once_or(#entry, #work, #special, #steps))
        }
        (true, Some(Chain { steps, .. })) => {
            quote_spanned!(at=> #p::repeat_or(#entry, #work, #special, #steps))
        }
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
            // What is allowed or expected of the argument is so where the body sees it.
            input.attrs.retain(is_cfg);
        }
    }
    let watched = project.watched();
    let block = quote_spanned!(at=> { #watched #site #copies #before #call.await });
    let documented = documented(plan);
    quote!(#(#attrs)* #documented #vis #sig #block #beside)
}

/// The request among a tool's arguments, for when it runs without the hook. Only an argument with
/// a plain name is looked at: what a pattern takes apart is no request.
fn request(
    plan: &Plan,
    function: &OpaqueFn,
    arguments: &[Argument<'_>],
    named: bool,
    p: &TokenStream,
    at: Span,
) -> Option<TokenStream> {
    let all = function.arguments().zip(arguments).filter(|(written, _)| plan.is_tool && no_cfg(written));
    let looked_at: Vec<_> = all
        .filter_map(|(written, argument)| plain_name(written).map(|own| if named { &argument.name } else { own }))
        .collect();
    let (first, others) = looked_at.split_first()?;
    let look = |name: &Ident| quote_spanned!(at=> (&&#p::Asked(&#name)).context(__site));
    let (first, others) = (look(first), others.iter().map(|name| look(name)));
    Some(quote_spanned!(at=> {
        use #p::requests::*;
        #first #(.or_else(|| #others))*
    }))
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
    // As it was, to the last brace, at which half-typed code is told once; as the arm of a `match`,
    // since rustc would take the braces of a block in a block for one pair too many.
    let body = &function.body;
    quote_spanned!(at=> async move {
        #edge
        #(#rebind)*
        match () {
            () => #body
        }
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
