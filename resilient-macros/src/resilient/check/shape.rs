//! Checks the function itself: whether it can be guarded, and whether it can run more than once.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::{Span, TokenStream};
use resilient_policy::Override;
use syn::{Attribute, GenericArgument, PathArguments, Type, TypeParamBound, TypePath};

use crate::parse::list;
use crate::resilient::parse::args::{self, Args, Property};
use crate::resilient::parse::function::{OpaqueFn, last_name};
use crate::resilient::parse::tool::{self, Tool};

pub(crate) fn check(function: &OpaqueFn, errors: &mut Accumulator) {
    if function.is_boxed_already() {
        let message = if function.is_of_async_trait() {
            "`#[async_trait]` has already made a boxed future of this method, which cannot be guarded; move the body \
             into an `async fn` with `#[resilient]` outside of the trait, and call that here"
        } else {
            "place `#[resilient]` above `#[tool]` or `#[prompt]`: below it, the function and its annotations are no \
             longer to be seen"
        };
        errors.push(Error::custom(message).with_span(&Span::call_site()));
        return;
    }
    second(&function.attrs, errors);
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        errors
            .push(Error::custom("a `const fn` cannot wait for anything; expected an `async fn`").with_span(constness));
    } else if let Some(abi) = &sig.abi {
        errors.push(Error::custom("an `extern fn` cannot be guarded; expected an `async fn`").with_span(abi));
    } else if sig.asyncness.is_none() {
        errors.push(Error::custom("expected an `async fn`").with_span(&sig.fn_token));
    } else if function.output().is_none() {
        let message = "expected a return type: `Result<T, E>`, `CallToolResult` or `CallToolResponse`";
        errors.push(Error::custom(message).with_span(&sig.ident));
    }
}

/// Rejects a second attribute on one item, which would guard it twice.
pub(crate) fn second(attrs: &[Attribute], errors: &mut Accumulator) {
    if let Some(second) = attrs.iter().find(|attr| tool::last_is(attr, "resilient")) {
        let message = "`#[resilient]` stands here a second time; write all keys in one";
        errors.push(Error::custom(message).with_span(second.path()));
    }
}

/// Rejects keys that only the hook can apply, on a function without it: one that is no tool, or a tool of a block
/// without the attribute.
pub(crate) fn without_hook(function: &OpaqueFn, written: TokenStream, is_inherited: bool, errors: &mut Accumulator) {
    let is_tool = Tool::find(&function.attrs).is_some_and(|tool| !tool.is_prompt);
    // A tool that is boxed already has its own message.
    if is_tool && is_inherited || function.is_boxed_already() {
        return;
    }
    let why = if is_tool {
        "and this tool has none; place `#[resilient]` above the `#[tool_router]` of its block"
    } else {
        "which only tools have; remove the key, or write it above the `#[tool]` that it is about"
    };
    for entry in &args::entries(written) {
        let name = list::name_of(entry);
        if args::has(&name, Property::NeedsHook) {
            errors.push(Error::custom(format!("`{name}` needs the hook, {why}")).with_span(entry.path()));
        }
    }
}

/// Rejects keys that only the hook can apply, on a block of prompts.
pub(crate) fn prompts_have_no_hook(written: TokenStream, errors: &mut Accumulator) {
    for entry in &args::entries(written) {
        let name = list::name_of(entry);
        if args::has(&name, Property::NeedsHook) {
            let message = format!("`{name}` needs the hook, which prompts do not have; remove the key");
            errors.push(Error::custom(message).with_span(entry.path()));
        }
    }
}

/// Checks a tool that opts out of its block's keys.
pub(crate) fn skipped(function: &OpaqueFn, skip: Span, is_inherited: bool, errors: &mut Accumulator) {
    second(&function.attrs, errors);
    let message = if Tool::find(&function.attrs).is_none() {
        "`skip` is for a tool of a block, and this is no tool; remove the attribute"
    } else if !is_inherited {
        "`skip` refuses what `#[resilient]` above `#[tool_router]` gives to a tool, and there is none; remove the \
         attribute"
    } else {
        return;
    };
    errors.push(Error::custom(message).with_span(&skip));
}

/// Checks the receiver and the arguments of a function with retries: an attempt must not consume or change what the
/// next one needs.
pub(crate) fn repeatable(function: &OpaqueFn, errors: &mut Accumulator) {
    const REFUSE: &str = "or refuse the retries with `retry = none`";
    if let Some(receiver) = function.sig.receiver()
        && !function.receiver_can_be_shared()
    {
        let message = format!(
            "`retry` may call the body again, which a receiver other than `&self` does not allow; take `&self`, {REFUSE}"
        );
        errors.push(Error::custom(message).with_span(&receiver.self_token));
    }
    for argument in function.arguments() {
        let why = match &*argument.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                "this attempt may have changed the argument; take it by value or by `&`"
            }
            Type::Path(path) if is_boxed_closure(path) => {
                "what is in a `Box<dyn ..>` cannot be copied; take an `Arc<dyn ..>` or a reference"
            }
            _ => continue,
        };
        let message = format!("`retry` may call the body again, and {why}, {REFUSE}");
        errors.push(Error::custom(message).with_span(&argument.ty));
    }
}

/// Rejects a cache without `key` on a function whose answers may depend on more than its arguments.
pub(crate) fn has_key(function: &OpaqueFn, args: &Args, errors: &mut Accumulator) {
    let Some(cache) = args.cache.as_ref().and_then(Override::value) else { return };
    let generics = &function.sig.generics;
    let missing = if function.sig.receiver().is_some() {
        "`self` is"
    } else if generics.params.len() > generics.lifetimes().count() {
        "a type parameter is"
    } else {
        return;
    };
    let message = format!("{missing} not part of the key; say what tells answers apart with `key = ..`");
    errors.push(Error::custom(message).with_span(&cache.span));
}

/// Rejects `before` on a function whose failures are no errors, which the function before a retry could see.
pub(crate) fn has_error(function: &OpaqueFn, before: Span, errors: &mut Accumulator) {
    let last = function.output().and_then(last_name).unwrap_or_default();
    if matches!(last.as_str(), "CallToolResult" | "CallToolResponse") {
        let message =
            format!("`before` gets the error of the attempt, and a `{last}` has none; return `Result<{last}, E>`");
        errors.push(Error::custom(message).with_span(&before));
    }
}

/// Returns whether the type is like `Box<dyn Fn(..)>`, for which no crate can implement `Clone`. A crate can do so for
/// a box of a trait that it defines.
fn is_boxed_closure(path: &TypePath) -> bool {
    const OF_STD: &[&str] = &["Any", "Error", "Fn", "FnMut", "FnOnce", "Future", "Iterator", "Read", "Write"];
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Box") else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let Some(GenericArgument::Type(Type::TraitObject(object))) = arguments.args.first() else { return false };
    object.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|last| OF_STD.iter().any(|name| last.ident == name))
        }
        _ => false,
    })
}
