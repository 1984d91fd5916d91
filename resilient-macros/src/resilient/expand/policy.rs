//! Generates the policy as a `static`: a call for each value that is not the default.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use resilient_policy::{Effect, ErrorKind, Rate, RateLimitSettings, Setting, Settings, Window};
use syn::Expr;

use crate::resilient::expand::span::{exactly, glue};
use crate::resilient::plan::{Breaker, Limit, Plan};

/// Returns `Policy::new()` with a call for each setting.
pub(crate) fn tokens(plan: &Plan, p: &TokenStream) -> TokenStream {
    let guards = &plan.guards;
    let breaker = match &guards.breaker {
        Some(Breaker::Named { name, settings, distributed }) => {
            let wanted = settings.as_ref().map_or_else(
                || quote!(#p::BreakerUse::named(#name)),
                |settings| {
                    let settings = self::settings(settings, p);
                    quote!(#p::BreakerUse::with(#name, #settings))
                },
            );
            Some(self::distributed(*distributed, wanted, p))
        }
        Some(Breaker::Static(_)) | None => None,
    };
    let bulkhead = guards.bulkhead.as_ref().map(|bulkhead| {
        let (settings, named) = (settings(&bulkhead.settings, p), named(bulkhead.name.as_deref()));
        quote!(#p::BulkheadUse::new(#settings) #named)
    });
    let fallback = plan.fallback.iter().map(|step| variant(p, "Source", &format!("{:?}", step.source())));
    let calls = [
        ("timeout", guards.timeout.map(|timeout| duration(timeout, p))),
        ("attempt_timeout", guards.attempt_timeout.map(|timeout| duration(timeout, p))),
        ("retry", guards.retry.as_ref().map(|retry| settings(retry, p))),
        ("breaker", breaker),
        ("bulkhead", bulkhead),
        ("rate_limit", guards.rate_limit.as_ref().map(|rate_limit| self::rate_limit(rate_limit, p))),
        ("fallback", (!plan.fallback.is_empty()).then(|| quote!(&[#(#fallback),*]))),
        ("cache", plan.cache.as_ref().map(|cache| settings(cache, p))),
        ("deferred", plan.deferred.as_ref().map(|deferred| settings(deferred, p))),
        ("effect", (plan.effect != Effect::Unknown).then(|| variant(p, "Effect", &format!("{:?}", plan.effect)))),
    ];
    let calls = calls.into_iter().filter_map(|(name, value)| {
        let name = format_ident!("{name}");
        value.map(|value| quote!(.#name(#value)))
    });
    let before = plan.before.as_ref().map(|_| quote!(.with_before()));
    quote!(#p::Policy::new() #(#calls)* #before)
}

/// Returns the path of an enum's variant.
pub(super) fn variant(p: &TokenStream, type_name: &str, variant: &str) -> TokenStream {
    let (type_name, variant) = (format_ident!("{type_name}"), format_ident!("{variant}"));
    quote!(#p::#type_name::#variant)
}

fn named(name: Option<&str>) -> Option<TokenStream> {
    name.map(|name| quote!(.named(#name)))
}

/// Returns the constructor with a call for each part that is not the default.
fn settings<S: Settings>(settings: &S, p: &TokenStream) -> TokenStream {
    let (name, default) = (format_ident!("{}", S::NAME), S::defaults());
    let mut parts = S::PARTS.iter();
    let argument = parts.by_ref().take(usize::from(S::FIRST_IS_ARGUMENT)).map(|part| code((part.get)(settings), p));
    let argument: TokenStream = argument.collect();
    let calls = parts.filter_map(|part| {
        let value = (part.get)(settings);
        let (set, unset) = (format_ident!("{}", part.name), format_ident!("without_{}", part.name));
        match value {
            value if value == (part.get)(&default) => None,
            Setting::None => Some(quote!(.#unset())),
            value => {
                let value = code(value, p);
                Some(quote!(.#set(#value)))
            }
        }
    });
    quote!(#p::#name::new(#argument) #(#calls)*)
}

/// Returns a value as the arguments of its setter.
fn code(value: Setting, p: &TokenStream) -> TokenStream {
    match value {
        Setting::None => quote!(::core::option::Option::None),
        Setting::Flag(value) => quote!(#value),
        Setting::Count(value) => quote!(#value),
        Setting::Number(value) if value.is_finite() => quote!(#value),
        // No token has such a value. The mistake was reported, for the tool or for its block.
        Setting::Number(_) => quote!(0.0),
        Setting::Duration(value) => duration(value, p),
        Setting::Bytes(value) => quote!(#value),
        Setting::Window(Window::Count(size)) => quote!(#p::Window::Count(#size)),
        Setting::Window(Window::Time(length)) => {
            let length = duration(length, p);
            quote!(#p::Window::Time(#length))
        }
        Setting::Rate(Rate { calls, period }) => {
            let period = duration(period, p);
            quote!(#calls, #period)
        }
        Setting::Kinds(kinds) => {
            let kinds = ErrorKind::ALL.iter().filter(|kind| kinds.contains(**kind));
            let kinds = kinds.map(|kind| variant(p, "ErrorKind", kind.variant_name()));
            quote!(#p::KindSet::EMPTY #(.with(#kinds))*)
        }
        Setting::Word(word) => variant(p, word.type_name, word.variant),
    }
}

/// Returns a duration in the largest unit that needs no fraction.
pub(crate) fn duration(duration: Duration, p: &TokenStream) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos == 0 {
        quote!(#p::Duration::from_secs(#seconds))
    } else if nanos.is_multiple_of(1_000_000) {
        let millis = seconds.saturating_mul(1_000).saturating_add(u64::from(nanos / 1_000_000));
        quote!(#p::Duration::from_millis(#millis))
    } else {
        quote!(#p::Duration::new(#seconds, #nanos))
    }
}

/// If the runtime was built without rate limits, rustc reports an error at the key.
fn rate_limit(rate_limit: &Limit<RateLimitSettings>, p: &TokenStream) -> TokenStream {
    let settings = settings(&rate_limit.settings, p);
    let named = named(rate_limit.name.as_deref());
    let by_caller = rate_limit.by_caller.then(|| quote!(.by_caller()));
    let at = glue(&rate_limit.span);
    let here = exactly(p.clone(), at);
    let wanted = quote!(#p::RateLimitUse::new(#settings) #named #by_caller);
    let wanted = distributed(rate_limit.distributed, wanted, p);
    quote_spanned!(at=> #here::rate_limit!(#wanted))
}

/// If the runtime was built without what replicas share, rustc reports an error at the word.
fn distributed(word: Option<Span>, wanted: TokenStream, p: &TokenStream) -> TokenStream {
    let Some(word) = word else { return wanted };
    let at = glue(&word);
    let here = exactly(p.clone(), at);
    quote_spanned!(at=> #here::distributed!(#wanted))
}

/// Returns the calls that add the keys to the entry. `look` binds the parameters for an expression.
pub(crate) fn keys(keys: &[(&str, Expr)], look: impl Fn(Span) -> TokenStream) -> TokenStream {
    let calls = keys.iter().map(|(settings, key)| {
        let (method, at) = (format_ident!("{settings}_key"), glue(key));
        let look = look(at);
        quote_spanned!(at=> .#method(|__hash| {
            #look
            __hash.add(&(#key));
        }))
    });
    calls.collect()
}
