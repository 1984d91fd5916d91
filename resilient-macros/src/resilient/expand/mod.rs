//! Generates the code of a plan: a static, a closure with the body, and one call, pinned on the stack.
//!
//! Generated tokens have the span at which a mistake in them belongs: the return type, the type of an argument, the
//! path of a fallback.

mod argument;
mod before;
mod chain;
mod deferred;
mod documented;
mod method;
mod policy;
mod read;
mod site;
pub(crate) mod span;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Token, Type};

use self::span::{exactly, glue};
use crate::parse::entries::line;
use crate::project::Project;
use crate::resilient::parse::function::{OpaqueFn, is_nameless};
use crate::resilient::plan::Plan;
pub(crate) use argument::log_args;
use argument::{Argument, looks, slots};
use before::before;
use chain::chain;
use deferred::deferrable;
use documented::documented;
use method::rename;
pub(crate) use method::{Served, method};
use read::reading;
use site::site;
pub(crate) use site::unguarded;

/// Returns a tool that the hook limits, and the record from which the hook reads its settings.
pub(crate) fn hooked(plan: &Plan, function: &OpaqueFn) -> TokenStream {
    let (OpaqueFn { attrs, vis, sig, body }, documented) = (function, documented(plan));
    let site = hooked_site(plan, function);
    quote!(#(#attrs)* #documented #vis #sig #body #site)
}

/// Returns the function that owns the record of a tool that is not guarded itself.
pub(crate) fn hooked_site(plan: &Plan, function: &OpaqueFn) -> TokenStream {
    let at = glue(&function.sig.ident);
    let krate = &plan.krate;
    site(plan, line(function.sig.ident.span()), &exactly(quote!(#krate::__private), at), at).1
}

/// Returns the guarded function.
pub(crate) fn expand(plan: &Plan, function: &OpaqueFn, project: &Project) -> TokenStream {
    let Some(Guarded { block, named, beside }) = guarded(plan, function, project, false) else {
        return function.to_token_stream();
    };
    let OpaqueFn { attrs, vis, sig, .. } = function;
    let mut sig = sig.clone();
    if named {
        rename(&mut sig, &Argument::all(function));
    }
    // Lints use the braces' spans as the end of the function, and are silent if one of them is generated.
    let block = span::group_like(&function.body, block);
    let documented = documented(plan);
    quote!(#(#attrs)* #documented #vis #sig #block #beside)
}

/// The parts of a guarded function.
struct Guarded {
    /// The code in its body.
    block: TokenStream,
    /// Whether the code needs the arguments under the names of [`Argument`].
    named: bool,
    /// The code beside the function.
    beside: TokenStream,
}

/// Returns the parts of a guarded function, unless it has no return type.
fn guarded(plan: &Plan, function: &OpaqueFn, project: &Project, named: bool) -> Option<Guarded> {
    let output = function.output()?;
    let at = glue(output);
    let krate = &plan.krate;
    let p = exactly(quote!(#krate::__private), at);
    let arguments = Argument::all(function);
    let (site, beside) = site(plan, line(function.sig.ident.span()), &p, at);
    let special = classified(plan, special(output, &p, at), &p);

    let chain = (!plan.fallback.is_empty()).then(|| chain(plan, function, &arguments, output, &p));
    let looks = looks(plan, &arguments);
    let is_repeated = plan.guards.retry.is_some();
    let reading = plan.reads_first().then(|| reading(plan, function, &arguments, output, &p, at));
    let named = named
        || is_repeated
        || looks.is_some()
        || plan.deferred_key.is_some()
        || chain.as_ref().is_some_and(|chain| chain.needs_arguments)
        || reading.as_ref().is_some_and(|reading| reading.needs_arguments);
    let rebind = arguments.iter().filter(|_| named).map(|argument| argument.rebind(is_repeated));
    let invalidates = !plan.invalidates.is_empty();
    let begins = invalidates.then(|| quote_spanned!(at=> __writes.begin();));
    let body = body(function, plan.is_tool, &begins.into_iter().chain(rebind).collect(), output, at);
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
    let request = if plan.is_tool { request(&arguments, named, &p, at) } else { None };
    let way = if is_repeated { "repeat" } else { "once" };
    let before = before(plan, function, output, &p);
    let needs_sides = chain.is_some() || reading.is_some();
    let is_plain = !(needs_sides || before.is_some());
    // Most calls without further steps end in their first poll, and most of those with a kept answer before that. They
    // need no state machine.
    let place = format_ident!("{}", if is_plain || reading.is_some() { "CallCell" } else { "Call" }, span = at);
    let (way, steps) = if is_plain {
        (format_ident!("{way}", span = at), None)
    } else {
        let suffix = match (&reading, &before) {
            (None, None) => "or",
            (Some(_), None) => "read",
            (None, Some(_)) => "before",
            (Some(_), Some(_)) => "read_before",
        };
        let before = before.map(|before| quote_spanned!(at=> , #before));
        let read = reading.is_some().then(|| quote_spanned!(at=> , __read));
        let steps = chain.as_ref().map_or_else(|| quote_spanned!(at=> #p::End), |chain| chain.steps.clone());
        (format_ident!("{way}_{suffix}", span = at), Some(quote_spanned!(at=> #before #read, #steps)))
    };
    let copies = chain.as_ref().map(|chain| &chain.copies);
    // A call that a kept answer ends copies nothing.
    let (copies, late_copies) = if reading.is_some() { (None, copies) } else { (copies, None) };
    let sides = needs_sides.then(|| quote_spanned!(at=> let __sides = #p::sides(__special);));
    let writes = invalidates.then(|| quote_spanned!(at=> let __writes = &#p::Writes::of(__site);));
    let (look, refresh) = reading.map(|reading| (reading.look, reading.beside)).unzip();
    let mutable = look.is_some().then(|| Token![mut](at));

    let watched = project.watched();
    // The hook has authorized the call, or the function answers with an error.
    let unauthorized = (!plan.authorized.is_empty()).then(|| {
        quote_spanned!(at=>
            if let ::core::option::Option::Some(__refused) = #p::unauthorized(__site) {
                return __refused;
            }
        )
    });
    let entry = deferrable(plan, &arguments, quote_spanned!(at=> __site.entry() #looks #request), &p, at);
    // Evaluate the expressions before the arguments move into their slots.
    let block = quote_spanned!(at=>
        #watched #site #unauthorized #writes #copies
        let __special = #special;
        #sides
        let #mutable __call = #p::pin!(#p::#place::new(#entry));
        #look
        #late_copies
        #keep
        #p::#way(__call, #work, __special #steps).await
    );
    Some(Guarded { block, named, beside: quote!(#beside #refresh) })
}

/// Passes the request among a tool's arguments, for calls without the hook. Only arguments with a plain name are
/// considered, since a pattern does not destructure a request.
fn request(arguments: &[Argument<'_>], named: bool, p: &TokenStream, at: Span) -> Option<TokenStream> {
    let mut looks = arguments.iter().filter(|argument| argument.cfgs.is_empty()).filter_map(|argument| {
        let own = argument.own?;
        let name = if named { &argument.name } else { own };
        Some(quote_spanned!(at=> #p::Arg::of(&#name).__context(__site)))
    });
    let first = looks.next()?;
    Some(quote_spanned!(at=> .asked(#first #(.or_else(|| #looks))*)))
}

/// Returns the code that classifies an answer if its type alone is not sufficient.
fn special(output: &Type, p: &TokenStream, at: Span) -> TokenStream {
    if is_nameless(output) {
        return quote_spanned!(at=> #p::Told::NONE);
    }
    quote_spanned!(at=> #p::Special::<#output>::HERE.__look())
}

/// Adds the user's function that finds failures among good answers to the code that classifies answers.
fn classified(plan: &Plan, special: TokenStream, p: &TokenStream) -> TokenStream {
    let Some(path) = &plan.classify else { return special };
    let at = glue(path);
    let p = exactly(p.clone(), at);
    let kind = if path.is_ident("tool_error") {
        quote_spanned!(at=> #p::failure_of_result(__good))
    } else {
        quote_spanned!(at=> #path(__good))
    };
    // A closure without captures, which becomes a function pointer.
    quote_spanned!(at=> #special.with_read(|__answer| {
        #p::failure_of(__answer, |__good| #kind).or_else(|| #special.read(__answer))
    }))
}

/// Returns one attempt: the arguments under the user's names, and the unparsed body.
fn body(function: &OpaqueFn, is_tool: bool, rebind: &TokenStream, output: &Type, at: Span) -> TokenStream {
    let edge = edge(output, at);
    // The body keeps all its tokens, up to the last brace, where rustc reports half-typed code once. It is the arm of a
    // `match`, since rustc would report redundant braces for a block within a block.
    let body = &function.body;
    let attempt = quote_spanned!(at=>
        #edge
        #rebind
        match () {
            () => #body
        }
    );
    // Clippy checks the last expression of a body only if the user wrote the whole body. In a tool it does not, since
    // rmcp generates the surrounding code.
    let attempt = span::group_like(body, attempt);
    let begin = if is_tool { at } else { body.span_open() };
    let (asynchronous, moving) = (Token![async](begin), Token![move](at));
    quote!(#asynchronous #moving #attempt)
}

/// A return that is never reached. It ties the block to the return type before rustc checks the body, so that rustc
/// reports a mismatch at its location in the body.
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
