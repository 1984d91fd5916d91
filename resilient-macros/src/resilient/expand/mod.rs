//! Plan and function to tokens: a static, a closure with the body, one call, pinned where it stays.
//!
//! Everything generated is placed at the token that a mistake about it belongs to: at the return
//! type, at an argument's type, at a fallback's path.

mod argument;
mod chain;
mod documented;
mod policy;
mod site;
pub(crate) mod span;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{FnArg, Pat, Token, Type};

use self::span::{exactly, glue};
use crate::entries::line;
use crate::project::Project;
use crate::resilient::parse::function::{OpaqueFn, is_nameless, plain_name};
use crate::resilient::plan::Plan;
use argument::{Argument, is_cfg, looks, no_cfg, slots};
use chain::{Chain, chain};
use documented::documented;
pub(crate) use site::dummy_site;
use site::site;

/// A tool that the hook limits, and the record from which the hook reads how.
pub(crate) fn hooked(plan: &Plan, function: &OpaqueFn) -> TokenStream {
    let (OpaqueFn { attrs, vis, sig, body }, documented) = (function, documented(plan));
    let site = hooked_site(plan, function);
    quote!(#(#attrs)* #documented #vis #sig #body #site)
}

/// The function that owns the record of a tool without a guarded function.
pub(crate) fn hooked_site(plan: &Plan, function: &OpaqueFn) -> TokenStream {
    let at = glue(&function.sig.ident);
    let krate = &plan.krate;
    site(plan, line(function.sig.ident.span()), &exactly(quote!(#krate::__private), at), at).1
}

/// The guarded function.
pub(crate) fn expand(plan: &Plan, function: &OpaqueFn, project: &Project) -> TokenStream {
    let Some(output) = function.output() else { return function.to_token_stream() };
    let at = glue(output);
    let krate = &plan.krate;
    let p = exactly(quote!(#krate::__private), at);
    let arguments = Argument::all(function);
    let (site, beside) = site(plan, line(function.sig.ident.span()), &p, at);
    let special = special(output, &p, at);

    let chain = (!plan.fallback.is_empty()).then(|| chain(plan, function, &arguments, output, &p));
    let looks = looks(plan, &arguments);
    let is_repeated = plan.guards.retry.is_some();
    let named = is_repeated || looks.is_some() || chain.as_ref().is_some_and(|chain| chain.needs_arguments);
    let rebind = arguments.iter().filter(|_| named).map(|argument| argument.rebind(is_repeated));
    let body = body(function, plan.is_tool, &rebind.collect(), output, at);
    let (keep, work) = if is_repeated {
        let (keep, next) = slots(function, &arguments, &p);
        let make = quote_spanned!(at=> move |__last: ::core::primitive::bool| {
            #next
            ::core::option::Option::Some(#body)
        });
        (Some(keep), make)
    } else {
        (None, body)
    };
    let request = request(plan, function, &arguments, named, &p, at);
    let asked = request.map(|request| quote_spanned!(at=> .asked(#request)));
    let run = match (is_repeated, &chain) {
        (false, None) => quote_spanned!(at=> #p::once(__call, #work, __special)),
        (true, None) => quote_spanned!(at=> #p::repeat(__call, #work, __special)),
        (false, Some(Chain { steps, .. })) => quote_spanned!(at=> #p::once_or(__call, #work, __special, #steps)),
        (true, Some(Chain { steps, .. })) => quote_spanned!(at=> #p::repeat_or(__call, #work, __special, #steps)),
    };
    let copies = chain.as_ref().map(|chain| &chain.copies);
    let sides = chain.as_ref().map(|_| quote_spanned!(at=> let __sides = #p::sides(__special);));

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
    // The arguments are looked at before they are moved to where an attempt finds them.
    let block = quote_spanned!(at=>
        #watched #site #copies
        let __special = #special;
        #sides
        let __call = #p::pin!(#p::Call::new(__site.entry() #looks #asked));
        #keep
        #run.await
    );
    // Lints take the braces for the end of the function, and say nothing where one of them is generated.
    let block = span::group_like(&function.body, block);
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
    let look = |name: &Ident| quote_spanned!(at=> #p::Arg::of(&#name).__context(__site));
    let (first, others) = (look(first), others.iter().map(|name| look(name)));
    Some(quote_spanned!(at=> #first #(.or_else(|| #others))*))
}

/// What recognises an answer that its type alone does not tell.
fn special(output: &Type, p: &TokenStream, at: Span) -> TokenStream {
    if is_nameless(output) {
        return quote_spanned!(at=> #p::Told::NONE);
    }
    quote_spanned!(at=> #p::Special::<#output>::HERE.__look())
}

/// One attempt: the arguments under the user's names, and the unparsed body.
fn body(function: &OpaqueFn, is_tool: bool, rebind: &TokenStream, output: &Type, at: Span) -> TokenStream {
    let edge = edge(output, at);
    // As it was, to the last brace, at which rustc reports half-typed code once; as the arm of a `match`,
    // since rustc would take the braces of a block in a block for one pair too many.
    let body = &function.body;
    let attempt = quote_spanned!(at=>
        #edge
        #rebind
        match () {
            () => #body
        }
    );
    // Clippy looks at the last expression of a body only if the whole of it was written. In a tool it does not,
    // since rmcp generates what surrounds the body.
    let attempt = span::group_like(body, attempt);
    let begin = if is_tool { at } else { body.span_open() };
    let (asynchronous, moving) = (Token![async](begin), Token![move](at));
    quote!(#asynchronous #moving #attempt)
}

/// A return that is never reached: it ties the block to the return type before rustc looks at the
/// body, so that rustc reports a mismatch where it is.
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
