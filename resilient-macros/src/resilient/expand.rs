//! Plan and function to tokens: a static, closures, one call.
//!
//! Everything generated is placed at the token that a mistake about it belongs to: at the return
//! type, at an argument's type, at a fallback's path.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use resilient_policy::{Beside, BreakerUse, Keyed, Source, describe};
use syn::{Attribute, FnArg, Pat, PatType, Type};

use super::function::{OpaqueFn, is_nameless, plain_name};
use super::model::{Breaker, Plan};
use super::policy;
use super::span::{self, exactly, glue, moved};
use super::value::FallbackStep;
use crate::krate::Krate;
use crate::project::Project;

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
    let call = match request(plan, function, &arguments, named, &p, at) {
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
            // What is allowed or expected of the argument is so where the body sees it.
            input.attrs.retain(is_cfg);
        }
    }
    let watched = project.watched();
    let block = quote_spanned!(at=> { #watched #site #copies #before #call.await });
    let documented = documented(plan);
    quote!(#(#attrs)* #documented #vis #sig #block #beside)
}

/// The policy in the function's documentation. Only there: rmcp takes every line of documentation
/// for the tool's description, and a condition that does not hold is gone before it looks.
fn documented(plan: &Plan) -> TokenStream {
    let breaker = match &plan.guards.breaker {
        Some(Breaker::Named(name, _)) => Some(name.clone()),
        Some(Breaker::Static(path)) => Some(path.to_token_stream().to_string().replace(' ', "")),
        None => None,
    };
    let fallback: Vec<_> = plan
        .fallback
        .iter()
        .map(|step| match step {
            FallbackStep::Cached(_) => Source::Cache,
            FallbackStep::Function(_) => Source::Function,
            FallbackStep::Value(_) => Source::Value,
        })
        .collect();
    let guards = &plan.guards;
    let beside = Beside {
        breaker: breaker.as_deref(),
        bulkhead: guards.bulkhead.as_ref().and_then(|bulkhead| bulkhead.name.as_deref()),
        rate_limit: guards.rate_limit.as_ref().and_then(|rate_limit| rate_limit.name.as_deref()),
        fallback: &fallback,
        keyed: Keyed {
            breaker: guards.keys.breaker.is_some(),
            bulkhead: guards.keys.bulkhead.is_some(),
            rate_limit: guards.keys.rate_limit.is_some(),
        },
    };
    let mut policy = plan.policy();
    if let Some(Breaker::Named(_, Some(settings))) = &guards.breaker {
        policy.breaker = Some(BreakerUse::with("", *settings));
    }
    let text = format!("\n\nGuarded by `#[resilient]`:\n\n- {}\n", describe(&policy, &beside).join("\n- "));
    quote!(#[cfg_attr(doc, doc = #text)])
}

/// What is asked of the parameters before the first attempt.
fn sight(plan: &Plan, arguments: &[Argument<'_>]) -> Option<TokenStream> {
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

/// The static record of the function: what stands in its body, and what stands beside it. The
/// record of a tool in a block is owned by a function beside it, which the block's router asks, so
/// that everything is known before the first call.
fn site(plan: &Plan, line: Option<u32>, p: &TokenStream, at: Span) -> (TokenStream, TokenStream) {
    let name = &plan.name;
    // Two functions of one name in two modules are two; a tool's name is its own.
    let label = if plan.tool_name.is_some() || plan.is_named {
        quote_spanned!(at=> #name)
    } else {
        quote_spanned!(at=> ::core::concat!(::core::module_path!(), "::", #name))
    };
    let tool = plan.tool_name.as_ref().map(|tool| quote_spanned!(at=> .of_tool(#tool)));
    let profiles = &plan.profiles;
    let profiles = (!profiles.is_empty()).then(|| quote_spanned!(at=> .of_profiles(&[#(#profiles),*])));
    let policy = policy::tokens(plan, p);
    let breaker = match &plan.guards.breaker {
        Some(Breaker::Static(path)) => {
            let place = glue(path);
            quote_spanned!(place=> .guarded_by(&#path))
        }
        Some(Breaker::Named(..)) | None => TokenStream::new(),
    };
    // `line!()` would say where the block begins.
    let line = line.map_or_else(|| quote_spanned!(at=> ::core::line!()), |line| quote!(#line));
    let record = quote_spanned!(at=>
        static __RESILIENT_SITE: #p::Site = #p::Site::new(
            #label,
            #p::Location {
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: #line,
            },
            #policy,
        ) #tool #breaker #profiles;
    );
    let Some(owner) = &plan.site_fn else {
        let here = quote_spanned!(at=> #record let __site = &__RESILIENT_SITE;);
        return (here, TokenStream::new());
    };
    let beside = quote_spanned!(at=>
        #[doc(hidden)]
        fn #owner() -> &'static #p::Site {
            #record
            &__RESILIENT_SITE
        }
    );
    (quote_spanned!(at=> let __site = Self::#owner();), beside)
}

/// Beside a function that was refused: what the block's router asks for, so that it is not told as
/// missing as well.
pub(super) fn dummy_site(function: &OpaqueFn, krate: &Krate) -> TokenStream {
    let owner = site_fn(&function.sig.ident);
    quote!(fn #owner() -> &'static #krate::__private::Site { loop {} })
}

/// The name of the function that owns the record of a tool in a block.
pub(super) fn site_fn(tool: &Ident) -> Ident {
    format_ident!("__resilient_{}_site", syn::ext::IdentExt::unraw(tool), span = Span::call_site())
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
    let plain = function.arguments().zip(arguments).filter(|(written, _)| plan.is_tool && no_cfg(written));
    let names: Vec<_> = plain
        .filter_map(|(written, argument)| plain_name(written).map(|name| if named { &argument.name } else { name }))
        .collect();
    let (first, others) = names.split_first()?;
    let look = |name: &Ident| quote_spanned!(at=> (&&#p::Asked(&#name)).context(__site));
    let (first, others) = (look(first), others.iter().map(|name| look(name)));
    Some(quote_spanned!(at=> {
        use #p::requests::*;
        #first #(.or_else(|| #others))*
    }))
}

fn no_cfg(argument: &PatType) -> bool {
    !argument.attrs.iter().any(is_cfg)
}

fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
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

/// One argument of the function.
struct Argument<'a> {
    /// `#[cfg(..)]`s, which hold for all that is said about the argument.
    cfgs: Vec<&'a Attribute>,
    /// The others, which are about the argument in the body.
    lints: Vec<&'a Attribute>,
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
fn copy(reference: &TokenStream, p: &TokenStream, at: Span) -> TokenStream {
    quote_spanned!(at=> {
        use #p::copies::*;
        (&&&#p::Arg(#reference)).copy()
    })
}

/// The arguments under the user's names, by reference.
fn look(arguments: &[Argument<'_>], place: Span) -> TokenStream {
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
        let at = glue(&step.span());
        let p = &exactly(p.clone(), at);
        let tokens = match step {
            FallbackStep::Cached(_) => {
                let key = answer_key(plan, arguments, p, at);
                needs_arguments |= key.needs_arguments;
                // Before the arguments are moved to where an attempt finds them.
                let tokens = key.tokens;
                let key = format_ident!("__key_{index}", span = at);
                copies.extend(quote_spanned!(at=> let #key = #tokens;));
                let whole = glue(output);
                let copy = copy(&quote_spanned!(whole=> __good), &exactly(p.clone(), whole), whole);
                quote_spanned!(at=> #p::Cached::new(
                    __site,
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
                quote_spanned!(at=> #p::Function::new(
                    move |__error: <#output as #p::Fallible>::Error, __limit: #p::Limit| async move {
                        let __answer: ::core::option::Option<#output> = __limit.run(#path(#receiver #(#names,)* &__error)).await;
                        (__error, __answer)
                    },
                ))
            }
            FallbackStep::Value(expr) => {
                quote_spanned!(at=> #p::Value::new(move || -> <#output as #p::Fallible>::Good { #expr }))
            }
        };
        steps.push((at, tokens));
    }
    let end = quote!(#p::End);
    let steps = steps.into_iter().rev().fold(end, |rest, (at, step)| {
        let p = exactly(p.clone(), at);
        quote_spanned!(at=> #p::Then::new(#step, #rest))
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
        let look = look(arguments, glue(key));
        let tokens = quote_spanned!(at=> #p::AnswerKey::of_arguments(__site, |__hash| {
            #look
            __hash.add(&(#key));
        }));
        return AnswerKey { tokens, needs_arguments: true };
    }
    if plan.is_tool {
        return AnswerKey { tokens: quote_spanned!(at=> #p::AnswerKey::of_request(__site)), needs_arguments: false };
    }
    let add = arguments.iter().map(|Argument { cfgs, name, ty, .. }| {
        let place = glue(ty);
        quote_spanned!(place=> #(#cfgs)* __hash.add(&#name);)
    });
    let tokens = quote_spanned!(at=> #p::AnswerKey::of_arguments(__site, |__hash| { #(#add)* }));
    AnswerKey { tokens, needs_arguments: true }
}
