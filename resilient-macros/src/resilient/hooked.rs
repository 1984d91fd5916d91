//! Tools of a block that the hook limits: their return type cannot carry an error, so the hook enforces the timeout
//! around them. Also attributes that the block could not see.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::{AttrStyle, Attribute, Meta, Type};

use crate::parse::list;
use crate::project::Project;
use crate::resilient::check::{parameters, policy, shape};
use crate::resilient::expand::span::{glue, group_like};
use crate::resilient::parse::args::{self, Args, Property};
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::tool::{self, Tool};
use crate::resilient::plan::{Enforced, Plan};
use crate::resilient::{expand, plan};

/// Returns whether the hook limits this tool of a block, instead of the function itself.
pub(super) fn is_limited(args: &Args, function: &OpaqueFn) -> bool {
    let carries_no_error = args.inserted.is_some() || has_no_error(function);
    args.inherited.is_some() && (carries_no_error && can_be_limited(function) || is_sync_with_words(args, function))
}

/// Returns whether the hook can limit a tool that inherits from its block: rmcp awaits it, and its return type does not
/// seem to carry an error.
pub(super) fn can_be_limited(function: &OpaqueFn) -> bool {
    Tool::find(&function.attrs).is_some_and(|tool| !tool.is_prompt)
        && !tool::can_inherit(function)
        && (function.sig.asyncness.is_some() || returns_a_future(function))
}

/// Returns whether the function returns a future explicitly.
fn returns_a_future(function: &OpaqueFn) -> bool {
    match function.output() {
        Some(Type::ImplTrait(output)) => output.bounds.to_token_stream().to_string().contains("Future"),
        Some(Type::Path(path)) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            matches!(name.as_str(), "Pin" | "BoxFuture" | "LocalBoxFuture" | "MaybeBoxFuture")
        }),
        _ => false,
    }
}

/// Returns whether this is a sync tool whose attribute only has keys that the hook can use.
fn is_sync_with_words(args: &Args, function: &OpaqueFn) -> bool {
    let says_something =
        args.name.is_some() || args.read_only.is_some() || args.idempotent.is_some() || args.log_args.is_some();
    says_something
        && args.timeout.is_none()
        && function.sig.asyncness.is_none()
        && !function.is_boxed_already()
        && Tool::find(&function.attrs).is_some_and(|tool| !tool.is_prompt)
}

/// Returns whether the return type certainly cannot carry an error. Any unknown name may be an alias.
fn has_no_error(function: &OpaqueFn) -> bool {
    const PLAIN: &[&str] = &[
        "String",
        "Json",
        "Vec",
        "Option",
        "Cow",
        "Value",
        "Content",
        "ContentBlock",
        "bool",
        "char",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
        "f32",
        "f64",
    ];
    match function.output() {
        Some(Type::Path(path)) => {
            path.path.segments.last().is_some_and(|last| {
                PLAIN.iter().any(|plain| last.ident == plain) || last.ident == "InputRequiredResult"
            })
        }
        None | Some(Type::Tuple(_) | Type::Reference(_) | Type::Array(_) | Type::Slice(_)) => true,
        Some(_) => false,
    }
}

/// Returns the unchanged tool and the record from which the hook reads its timeout.
pub(super) fn limited(args: &Args, written: TokenStream, function: &OpaqueFn, project: &Project) -> TokenStream {
    let mut errors = Error::accumulator();
    shape::second(&function.attrs, &mut errors);
    needs_an_error(written, &mut errors);
    let plan = plan(args, function, project, &mut errors);
    policy::of_function(&plan, args, project, function.sig.ident.span(), &mut errors);
    parameters::check(function, args, &plan.guards.keys, &mut errors);
    match errors.finish() {
        Ok(()) => expand::hooked(&plan, &show_arguments(&plan, function)),
        Err(errors) => {
            let (item, dummy) = (function.to_token_stream(), expand::dummy_site(function, &plan.krate));
            let errors = errors.write_errors();
            quote!(#item #dummy #errors)
        }
    }
}

fn plan(args: &Args, function: &OpaqueFn, project: &Project, errors: &mut Accumulator) -> Plan {
    let is_awaited = function.sig.asyncness.is_some() || returns_a_future(function);
    let enforced = if is_awaited { Enforced::ByHook } else { Enforced::Nowhere };
    plan::plan(args, enforced, function, project, errors).0
}

/// Evaluates `log_args` at the start of the body, where the parameters have their names.
fn show_arguments(plan: &Plan, function: &OpaqueFn) -> OpaqueFn {
    let mut function = hoisted(function.clone());
    let (Some(first), Some(owner)) = (plan.log_args.first(), &plan.site_fn) else { return function };
    let at = glue(first);
    let shown = plan.log_args.iter().map(|shown| {
        let name = shown.to_token_stream().to_string().replace([' ', '\n'], "");
        let at = glue(shown);
        quote_spanned!(at=> __shown.add(#name, &(#shown));)
    });
    let body = function.body.stream();
    function.body = group_like(
        &function.body,
        quote_spanned!(at=> Self::#owner().entry().log_args(|__shown| { #(#shown)* }).show(); #body),
    );
    function
}

/// Returns the record that the block's router needs, for a tool that opts out in an attribute that the block could not
/// see.
pub(super) fn skipped(args: &Args, function: &OpaqueFn, project: &Project) -> Option<TokenStream> {
    args.inserted.as_ref()?;
    let own = Args { inherited: args.inherited.clone(), reported: args.reported, ..Args::default() };
    let mut nothing = Error::accumulator();
    let plan = plan::plan(&own, Enforced::Nowhere, function, project, &mut nothing).0;
    drop(nothing.into_inner());
    Some(expand::hooked_site(&plan, function))
}

/// Rejects keys that need a return type which can carry an error.
fn needs_an_error(written: TokenStream, errors: &mut Accumulator) {
    for entry in &args::entries(written) {
        let name = list::name_of(entry);
        if args::has(&name, Property::NeedsAnError) && !entry.to_token_stream().to_string().ends_with("= none") {
            let message = format!(
                "`{name}` needs a return type that can carry an error: `Result<T, E>`, `CallToolResult` or \
                 `CallToolResponse`; of the limits, this tool can have `timeout` alone"
            );
            errors.push(Error::custom(message).with_span(&list::span_of(entry)));
        }
    }
}

/// Merges the keys that the block has inserted below an attribute that it could not see: one in `cfg_attr`, or under
/// another name.
pub(super) fn take_in(args: &mut Args, function: &mut OpaqueFn) {
    if args.inherited.is_some() {
        return;
    }
    let below = function.attrs.iter().position(|attr| tool::last_is(attr, "resilient") && inserted(attr).is_some());
    let Some(inserted) = below.map(|below| function.attrs.remove(below)).as_ref().and_then(inserted) else { return };
    args.inherited = inserted.inherited;
    args.reported = inserted.reported;
    args.inserted = inserted.inserted;
}

/// Returns the keys in an attribute that a block has inserted.
fn inserted(attr: &Attribute) -> Option<Args> {
    let Meta::List(list) = &attr.meta else { return None };
    let args = args::parse_silently(list.tokens.clone());
    args.inserted.is_some().then_some(args)
}

/// Moves the inner attributes of the body to the function, if an expression in the body cannot have them. Documentation
/// comes last: rmcp takes doc comments after the last other attribute as the tool's description.
pub(super) fn hoisted(mut function: OpaqueFn) -> OpaqueFn {
    let (inner, rest) = split_inner(function.body.stream());
    if inner.is_empty() {
        return function;
    }
    function.body = group_like(&function.body, rest);
    let (docs, others): (Vec<_>, Vec<_>) = inner.into_iter().partition(|attr| attr.path().is_ident("doc"));
    function.attrs = others.into_iter().chain(function.attrs).chain(docs).collect();
    function
}

/// Splits a body into its inner attributes, as outer ones, and the rest.
fn split_inner(body: TokenStream) -> (Vec<Attribute>, TokenStream) {
    let mut tokens = body.clone().into_iter();
    if !matches!(tokens.next(), Some(TokenTree::Punct(hash)) if hash.as_char() == '#')
        || !matches!(tokens.next(), Some(TokenTree::Punct(not)) if not.as_char() == '!')
    {
        return (Vec::new(), body);
    }
    let split = |input: syn::parse::ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_inner)?;
        Ok((attrs, input.parse::<TokenStream>()?))
    };
    let Ok((mut attrs, rest)) = Parser::parse2(split, body.clone()) else { return (Vec::new(), body) };
    for attr in &mut attrs {
        attr.style = AttrStyle::Outer;
    }
    (attrs, rest)
}
