//! `#[resilient]` above `impl ServerHandler`: each method that serves a request runs within one call of the runtime.
//!
//! rmcp's `#[tool_handler]` and `#[prompt_handler]` generate methods, which this macro can only see after them. So it
//! expands twice: above them it replaces the router by one that is built once and that counts calls of unknown tools, and
//! inserts itself below them, where it wraps the methods.

mod keys;
mod method;
mod tasks;

use darling::Error;
use darling::ast::NestedMeta;
use darling::error::Accumulator;
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::Attribute;
use syn::Meta;

use super::with_errors;
use crate::krate::Krate;
use crate::parse::{attribute_mentions, list, mentions};
use crate::project::Project;
use crate::resilient::check::shape;
use crate::resilient::parse::args::{self, Args};
use crate::resilient::parse::block::{Member, OpaqueImpl};
use crate::resilient::parse::function::{OpaqueFn, last_name};
use crate::resilient::parse::tool;

/// The first token of the attribute that this macro inserts below rmcp's macros. Users do not write it.
const BELOW: &str = "__below_handlers";

/// Returns whether the attribute was inserted below rmcp's macros.
pub(super) fn is_below(written: &TokenStream) -> bool {
    matches!(written.clone().into_iter().next(), Some(TokenTree::Ident(word)) if word == BELOW)
}

/// Returns the attribute that wraps the methods of a handler whose other methods rmcp's macros generate, with the keys
/// of the block. The `call_tool` that rmcp generates only calls the router, whose hooks do everything.
pub(super) fn below(krate: &Krate, keys: &TokenStream, has_call_tool: bool) -> TokenStream {
    let (below, call_tool) = (format_ident!("{BELOW}"), has_call_tool.then(|| format_ident!("call_tool")));
    quote!(#[#krate::resilient(#below(#call_tool) #keys)])
}

/// Expands the attribute above an impl block of a trait.
pub(super) fn expand(written: &TokenStream, mut block: OpaqueImpl, project: &Project) -> darling::Result<TokenStream> {
    let is_of_rmcp = |attr: &Attribute| tool::last_is(attr, "tool_handler") || tool::last_is(attr, "prompt_handler");
    let is_unseen = |attr: &Attribute| {
        tool::last_is(attr, "cfg_attr") && attribute_mentions(attr, &["tool_handler", "prompt_handler"])
    };
    let last = block.attrs.iter().rposition(|attr| is_of_rmcp(attr) || is_unseen(attr));
    let is_handler =
        block.trait_.as_ref().and_then(|(trait_, _)| last_name(trait_)).is_some_and(|it| it == "ServerHandler");
    if last.is_none() && !is_handler {
        let message =
            "on an `impl` of a trait, `#[resilient]` goes above `impl ServerHandler`, and this is another trait";
        let trait_ = block.trait_.as_ref().map(|(trait_, _)| trait_);
        return Err(Error::custom(message).with_span(&trait_));
    }
    let mut errors = Error::accumulator();
    shape::second(&block.attrs, &mut errors);
    let args = keys::of_block(written.clone(), &mut errors);
    if block.attrs.iter().any(|attr| tool::last_is(attr, "resilient")) {
        return errors.finish_with(TokenStream::new());
    }
    let Some(last) = last else {
        let wrapped = wrapped(&args, block, true, project, &mut errors);
        return Ok(with_errors(&wrapped, errors));
    };
    let krate = args.krate.clone().unwrap_or_default();
    let has_tasks = tasks::can_be_added(&block);
    if let Some(attribute) = block.attrs.iter_mut().find(|attr| tool::last_is(attr, "tool_handler")) {
        share_router(attribute, has_tasks, &krate, &mut errors);
    }
    // Below a condition, rmcp's macro has a router that this macro cannot replace, so its `call_tool` is wrapped.
    let is_conditional =
        block.attrs.iter().any(|attr| tool::last_is(attr, "cfg_attr") && attribute_mentions(attr, &["tool_handler"]));
    let has_call_tool = is_conditional || block.functions().any(|function| function.sig.ident == "call_tool");
    let below = below(&krate, &keys::valid(written.clone()), has_call_tool);
    block.attrs.insert(last + 1, syn::parse_quote!(#below));
    Ok(with_errors(&block.to_token_stream(), errors))
}

/// Expands the attribute that was inserted below rmcp's macros. The first expansion has reported the mistakes in its keys.
pub(super) fn expand_below(written: TokenStream, block: OpaqueImpl, project: &Project) -> TokenStream {
    let mut tokens = written.into_iter().skip(1);
    let has_call_tool = tokens.next().is_some_and(|found| found.to_string().contains("call_tool"));
    let args = args::parse_silently(tokens.collect());
    let mut errors = Error::accumulator();
    let wrapped = wrapped(&args, block, has_call_tool, project, &mut errors);
    with_errors(&wrapped, errors)
}

/// Returns the block with its methods wrapped, and with those for the tasks of deferred writes.
fn wrapped(
    args: &Args,
    mut block: OpaqueImpl,
    has_call_tool: bool,
    project: &Project,
    errors: &mut Accumulator,
) -> TokenStream {
    let project = project.of_handler();
    let krate = args.krate.clone().unwrap_or_default();
    let has_tasks = tasks::can_be_added(&block);
    let mut wrap = |function: &OpaqueFn, has_tasks: bool| {
        if has_tasks && tasks::is_info(function) {
            return Some(tasks::advertised(function, &krate));
        }
        method::wrap(args, function, has_tasks, &project, errors)
    };
    let missing = if has_tasks { tasks::missing(&block, &krate) } else { Vec::new() };
    for member in &mut block.members {
        let Member::Function(function) = member else { continue };
        if function.sig.ident == "call_tool" && !has_call_tool {
            continue;
        }
        if let Some(wrapped) = wrap(function, has_tasks) {
            *member = Member::Other(wrapped);
        }
    }
    if !missing.is_empty() {
        // They answer for deferred writes in their bodies, so that the keys of the block apply.
        let missing = missing
            .iter()
            .map(|function| wrap(function, tasks::is_info(function)).unwrap_or_else(|| function.to_token_stream()));
        block.members.push(Member::Other(quote!(#krate::__private::with_deferred! { #(#missing)* })));
    }
    block.into_token_stream()
}

/// Replaces the router of `#[tool_handler]` by one that is built once and that records calls of unknown tools.
fn share_router(attribute: &mut Attribute, has_tasks: bool, krate: &Krate, errors: &mut Accumulator) {
    let mut found = Error::accumulator();
    let mut entries = list::of_rmcp(&attribute.meta, &["router"], &mut found);
    if let Err(mistakes) = found.finish() {
        errors.push(mistakes);
        return;
    }
    let mut router = quote!(Self::tool_router());
    entries.retain(|entry| match entry {
        NestedMeta::Meta(Meta::NameValue(pair)) if pair.path.is_ident("router") => {
            router = pair.value.to_token_stream();
            false
        }
        _ => true,
    });
    // A router that belongs to a value is built once already, and only the value knows it. A text may contain `self` as
    // well, without a use of the value.
    let without_tasks = (!has_tasks).then(|| quote!(.without_tasks()));
    let router = if mentions(router.clone(), &["self"]) {
        quote!(#krate::__private::routed(&(#router)) #without_tasks)
    } else {
        let label = router.to_string();
        quote!(#krate::__private::routed(#krate::__private::shared(
            #label, || #router, &[], &[], ::core::option::Option::None, |_| (),
        )) #without_tasks)
    };
    let path = attribute.path();
    *attribute = syn::parse_quote!(#[#path(router = #router #(, #entries)*)]);
}
