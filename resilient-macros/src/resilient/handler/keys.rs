//! The keys that have a meaning for the requests of a handler, on the block and on its methods.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use resilient_policy::{CacheSettings, Settings as _};
use syn::Meta;

use crate::parse::list;
use crate::resilient::parse::args::{self, Args};
use crate::resilient::parse::method::{Kind, Method};

/// The keys of a block.
const OF_BLOCK: &[&str] = &["timeout", "rate_limit", "bulkhead", "authorize", "crate"];

/// The keys of a method that serves a request.
const OF_METHOD: &[&str] =
    &["timeout", "retry", "breaker", "rate_limit", "bulkhead", "read_only", "idempotent", "retry_unsafe"];

/// Parses the keys of a block. Mistakes go to `errors`, and all valid keys with a meaning are returned.
pub(super) fn of_block(written: TokenStream, errors: &mut Accumulator) -> Args {
    for entry in args::entries(written.clone()) {
        let name = list::name_of(&entry);
        if !OF_BLOCK.contains(&&*name) {
            let message = format!(
                "`{name}` has no meaning for the requests of a handler; above its `impl` stand `timeout`, `rate_limit`, \
                 `bulkhead`, `authorize` and `crate`, above one of its methods also `retry` and `breaker`, and the keys of tools stand \
                 above `#[tool_router]`"
            );
            errors.push(Error::custom(message).with_span(entry.path()));
        }
    }
    let all = args::parse(written.clone(), errors);
    for key in all.limits().filter_map(|limit| limit.key.as_ref()) {
        let message =
            "`key` looks at one method's parameters; write the limit in the `#[resilient(..)]` above that method";
        errors.push(Error::custom(message).with_span(key));
    }
    if let Some(from) = all.timeout_from() {
        let message =
            "`from` looks at one method's parameters; write the timeout in the `#[resilient(..)]` above that method";
        errors.push(Error::custom(message).with_span(&from.span));
    }
    args::parse_silently(valid(written))
}

/// Returns the valid keys of a block, each after a comma.
pub(super) fn valid(written: TokenStream) -> TokenStream {
    let mut valid = TokenStream::new();
    for entry in args::entries(written) {
        let tokens = entry.to_token_stream();
        let is_valid = args::silently(|errors| {
            let read = args::parse(tokens.clone(), errors);
            let is_of_one_method = read.timeout_from().is_some() || read.limits().any(|limit| limit.key.is_some());
            !read.is_incomplete && !is_of_one_method
        });
        if is_valid && OF_BLOCK.contains(&&*list::name_of(&entry)) {
            let comma = (!valid.is_empty()).then(|| quote!(,));
            valid.extend(quote!(#comma #tokens));
        }
    }
    valid
}

/// Parses the keys in the attribute of a method, and rejects those that have no meaning for it.
pub(super) fn of_method(attribute: &syn::Attribute, method: &Method, errors: &mut Accumulator) -> Args {
    let written = match &attribute.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            let message = "expected keys in brackets: `#[resilient(timeout = \"5s\")]`";
            errors.push(Error::custom(message).with_span(attribute.path()));
            return Args::default();
        }
    };
    let mut is_allowed = true;
    for entry in args::entries(written.clone()) {
        let name = list::name_of(&entry);
        let message = match method.kind {
            Kind::CallTool if name == "retry" || name == "retry_unsafe" => format!(
                "`{name}` on `call_tool` would run the tools again beside their own retries; write it above the tools"
            ),
            Kind::Request | Kind::CallTool if OF_METHOD.contains(&&*name) => continue,
            Kind::Request if name == "cache" && method.is("read_resource") => {
                is_allowed &= of_cache(&entry, errors);
                continue;
            }
            Kind::Request if name == "cache" => {
                "`cache` has no meaning for this request: of the methods of a handler, only `read_resource` may answer \
                 from a cache; remove the key"
                    .to_owned()
            }
            Kind::Request | Kind::CallTool => format!(
                "`{name}` has no meaning for a request; above a method of a handler stand `timeout`, `retry`, `breaker`, \
                 `rate_limit`, `bulkhead`, `idempotent` and `retry_unsafe`"
            ),
            Kind::Subscription => format!("`{name}` has no meaning for a subscription, which lasts; remove it"),
            Kind::Notification => format!("`{name}` has no meaning for a notification, which has no answer; remove it"),
        };
        is_allowed = false;
        errors.push(Error::custom(message).with_span(entry.path()));
    }
    let args = args::parse(written, errors);
    if is_allowed { args } else { Args { reported: Some(proc_macro2::Span::call_site()), ..Args::default() } }
}

/// Rejects the parts of a `cache` that a method cannot have. Returns whether there are none.
fn of_cache(cache: &Meta, errors: &mut Accumulator) -> bool {
    let Meta::List(list) = cache else { return true };
    let known: Vec<_> = CacheSettings::names(false).into_iter().chain(["key"]).collect();
    // The parser of all keys reports parts that cannot be read.
    let mut unreadable = Error::accumulator();
    let parts = list::entries(list.tokens.clone(), &known, None, &mut unreadable);
    let is_complete = unreadable.finish().is_ok();
    let mut is_allowed = true;
    for part in &parts {
        let message = match &*list::name_of(part) {
            "key" => "the key of this cache is the parameters of the request, all of them; remove `key`",
            "stale_if_error" => {
                "`stale_if_error` needs `fallback = cached`, which methods of a handler do not have; remove it"
            }
            "stale_while_revalidate" => {
                "a refresh has no request, which the method takes as its argument; remove `stale_while_revalidate`, or \
                 call a function that has the key itself"
            }
            _ => continue,
        };
        is_allowed = false;
        errors.push(Error::custom(message).with_span(part.path()));
    }
    if is_allowed && is_complete && !parts.iter().any(|part| part.path().is_ident("fresh")) {
        is_allowed = false;
        let message = "nothing reads this cache; add `fresh` in the brackets, or remove `cache`";
        errors.push(Error::custom(message).with_span(cache.path()));
    }
    is_allowed
}
