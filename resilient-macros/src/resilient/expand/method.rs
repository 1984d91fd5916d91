//! Generates a method of a handler, whose body runs within one call of the runtime.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use resilient_policy::Effect;
use syn::{FnArg, Pat, Type};

use super::argument::{Argument, is_cfg};
use super::span::{exactly, glue, group_like, moved};
use super::{Guarded, body, guarded, policy};
use crate::project::Project;
use crate::resilient::parse::function::{OpaqueFn, last_name};
use crate::resilient::parse::method::{Kind, Method};
use crate::resilient::plan::{Enforced, Plan};

/// A method of a handler, as it is served.
pub(crate) struct Served<'a> {
    pub(crate) method: &'a Method,
    /// The runtime enforces the timeout, unless the method is a guarded function itself.
    pub(crate) timeout: Option<Duration>,
    pub(crate) enforced: Enforced,
    /// Whether the handler answers for the tasks of deferred writes.
    pub(crate) has_tasks: bool,
}

/// Returns the method, with its timeout.
pub(crate) fn method(mut plan: Plan, way: &Served<'_>, function: &OpaqueFn, project: &Project) -> TokenStream {
    let Served { method, enforced, has_tasks, .. } = *way;
    let at = glue(&function.sig.ident);
    let krate = &plan.krate;
    let p = exactly(quote!(#krate::__private), at);
    let arguments = Argument::all(function);
    let Some(context) = arguments.last() else { return function.to_token_stream() };
    let (context, first) = (&context.name, arguments.first().map(|first| &first.name));
    let record = record(&plan, way, &p, at);
    let called = if method.kind == Kind::CallTool {
        quote_spanned!(at=> ::core::option::Option::Some(&#first))
    } else {
        quote_spanned!(at=> ::core::option::Option::None)
    };
    let serve = match method.kind {
        Kind::Notification => quote_spanned!(at=> observe),
        Kind::Request | Kind::CallTool | Kind::Subscription => quote_spanned!(at=> serve),
    };
    let is_guarded = enforced == Enforced::ByMethod;
    let authorized = authorized(&plan, method, function, (first, context), &p);
    if authorized.is_some() {
        // It precedes the guarded function, which need not look for it.
        plan.authorized.clear();
    }
    let work = if is_guarded {
        let Some(Guarded { block, .. }) = guarded(&plan, function, project, true) else {
            return function.to_token_stream();
        };
        quote_spanned!(at=> async move { #block })
    } else {
        unguarded(function, &arguments, at)
    };
    let work = if has_tasks { of_tasks(method, first, work, &p, at) } else { work };
    let marked = if has_tasks { marked(method, function, context, &p, at) } else { None };
    let served = quote_spanned!(at=>
        #marked
        let __incoming = #p::request(&__RESILIENT_METHOD, &#context, #called);
        #authorized
        __incoming.#serve(#work).await
    );
    let (output, served) = served_as(function, served, at);
    let block = quote_spanned!(at=> #record #served);
    let block = group_like(&function.body, block);
    let OpaqueFn { attrs, vis, sig, .. } = function;
    let mut sig = sig.clone();
    rename(&mut sig, &arguments);
    if let Some(output) = output {
        sig.output = syn::parse_quote_spanned!(at=> -> #output);
    }
    quote!(#(#attrs)* #vis #sig #block)
}

/// Returns the statement that marks a tool call, since its client can poll a task.
fn marked(method: &Method, function: &OpaqueFn, context: &Ident, p: &TokenStream, at: Span) -> Option<TokenStream> {
    let receiver = function.sig.receiver().filter(|_| method.kind == Kind::CallTool)?;
    let receiver = moved(receiver.self_token.to_token_stream(), at);
    Some(quote_spanned!(at=> #p::with_deferred! {
        let #context = #p::tasks::through_handler(#context, |__name| {
            #p::rmcp::ServerHandler::get_tool(#receiver, __name).is_some()
        });
    }))
}

/// Returns the work of a method for tasks: the runtime does it for deferred writes.
fn of_tasks(method: &Method, first: Option<&Ident>, work: TokenStream, p: &TokenStream, at: Span) -> TokenStream {
    let Some(of_runtime) = method.of_tasks(at) else { return work };
    quote_spanned!(at=> async move {
        #p::with_deferred! {
            if let ::core::option::Option::Some(__answered) = #p::tasks::#of_runtime(&#first).await {
                return __answered;
            }
        }
        (#work).await
    })
}

/// Returns the record of the method.
fn record(plan: &Plan, way: &Served<'_>, p: &TokenStream, at: Span) -> TokenStream {
    let Served { method, timeout, enforced, .. } = *way;
    let serves = method.serves;
    let effect = (plan.effect != Effect::Unknown).then(|| {
        let effect = policy::variant(p, "Effect", &format!("{:?}", plan.effect));
        quote_spanned!(at=> .effect(#effect))
    });
    let timeout = timeout.map(|timeout| {
        let timeout = policy::duration(timeout, p);
        match enforced {
            Enforced::ByMethod => quote_spanned!(at=> .authorized_within(#timeout)),
            Enforced::ByFunction | Enforced::ByHook | Enforced::Nowhere => quote_spanned!(at=> .timeout(#timeout)),
        }
    });
    let waits = matches!(method.kind, Kind::Subscription | Kind::Notification);
    let waits = waits.then(|| quote_spanned!(at=> .waits_for_cancellation()));
    quote_spanned!(at=>
        static __RESILIENT_METHOD: #p::ServedMethod = #p::ServedMethod::new(#serves) #effect #timeout #waits;
    )
}

/// Returns the future of a body that runs once.
fn unguarded(function: &OpaqueFn, arguments: &[Argument<'_>], at: Span) -> TokenStream {
    let rebind: TokenStream = arguments.iter().map(|argument| argument.rebind(false)).collect();
    if function.sig.asyncness.is_some() {
        return match function.output() {
            Some(output) => body(function, false, &rebind, output, at),
            None => body(function, false, &rebind, &syn::parse_quote!(()), at),
        };
    }
    // The body returns a future. It runs within the call too, as it may panic.
    let body = &function.body;
    quote_spanned!(at=> async move {
        let __future = (move || {
            #rebind
            match () {
                () => #body
            }
        })();
        __future.await
    })
}

/// Returns the call of the function that authorizes the request. rustc reports mistakes in it at the path.
fn authorized(
    plan: &Plan,
    method: &Method,
    function: &OpaqueFn,
    (first, context): (Option<&Ident>, &Ident),
    p: &TokenStream,
) -> Option<TokenStream> {
    let (path, receiver) = (plan.authorized.first()?, function.sig.receiver()?);
    let at = glue(path);
    let p = exactly(p.clone(), at);
    // `self` is only visible with the hygiene of the user's receiver.
    let receiver = moved(receiver.self_token.to_token_stream(), at);
    let (parameters, request) = if method.kind == Kind::Subscription {
        (quote_spanned!(at=> #p::subscribed(&#context)), quote_spanned!(at=> #context.request_context()))
    } else if method.is("on_custom_request") {
        (quote_spanned!(at=> #p::parameters(&#first.params)), quote_spanned!(at=> &#context))
    } else {
        (quote_spanned!(at=> #p::parameters(&#first)), quote_spanned!(at=> &#context))
    };
    Some(quote_spanned!(at=>
        let __parameters = #parameters;
        let __authorizes: #p::Authorize<Self> =
            |__server, __request, __parameters| #p::authorizing(#path(__server, __request, __parameters));
        let __incoming = match __incoming.authorize(#receiver, #request, &__parameters, __authorizes).await {
            ::core::result::Result::Ok(__incoming) => __incoming,
            ::core::result::Result::Err(__unserved) => return __unserved.response(),
        };
    ))
}

/// Returns how the method returns its future, and another return type if the written one cannot hold it.
fn served_as(function: &OpaqueFn, served: TokenStream, at: Span) -> (Option<TokenStream>, TokenStream) {
    if function.sig.asyncness.is_some() {
        return (None, served);
    }
    let served = quote_spanned!(at=> async move { #served });
    match function.output() {
        Some(Type::ImplTrait(_)) | None => (None, served),
        Some(output) if last_name(output).is_some_and(|name| name == "Pin" || name.ends_with("BoxFuture")) => {
            (None, quote_spanned!(at=> ::std::boxed::Box::pin(#served)))
        }
        Some(output) => {
            let future = quote_spanned!(at=> ::core::future::Future);
            (Some(quote_spanned!(at=> impl #future<Output = <#output as #future>::Output>)), served)
        }
    }
}

/// Gives the arguments the names under which the generated code knows them.
pub(super) fn rename(sig: &mut syn::Signature, arguments: &[Argument<'_>]) {
    let inputs = sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    for (input, argument) in inputs.zip(arguments) {
        *input.pat = Pat::Verbatim(argument.name.to_token_stream());
        // Lint attributes on the argument apply to its binding in the body.
        input.attrs.retain(is_cfg);
    }
}
