//! Generates the policy as a `static`: a call for each value that is not the default.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use resilient_policy::{BulkheadSettings, Effect, ErrorKind, Rate, RateLimitSettings, Setting, Settings, Window, Word};

use crate::resilient::expand::span::{exactly, glue};
use crate::resilient::parse::value::FallbackStep;
use crate::resilient::plan::{Breaker, Keys, Limit, Plan};

/// Returns `Policy::new()` with a call for each setting.
pub(crate) fn tokens(plan: &Plan, p: &TokenStream) -> TokenStream {
    let guards = &plan.guards;
    let mut policy = quote!(#p::Policy::new());
    if let Some(timeout) = guards.timeout {
        let timeout = duration(timeout, p);
        policy.extend(quote!(.timeout(#timeout)));
    }
    if let Some(attempt_timeout) = guards.attempt_timeout {
        let attempt_timeout = duration(attempt_timeout, p);
        policy.extend(quote!(.attempt_timeout(#attempt_timeout)));
    }
    if let Some(retry) = &guards.retry {
        let retry = settings(retry, p);
        policy.extend(quote!(.retry(#retry)));
    }
    if let Some(Breaker::Named(name, settings)) = &guards.breaker {
        let wanted = match settings {
            None => quote!(#p::BreakerUse::named(#name)),
            Some(settings) => {
                let settings = self::settings(settings, p);
                quote!(#p::BreakerUse::with(#name, #settings))
            }
        };
        policy.extend(quote!(.breaker(#wanted)));
    }
    if let Some(bulkhead) = &guards.bulkhead {
        let bulkhead = self::bulkhead(bulkhead, p);
        policy.extend(quote!(.bulkhead(#bulkhead)));
    }
    if let Some(rate_limit) = &guards.rate_limit {
        let rate_limit = self::rate_limit(rate_limit, p);
        policy.extend(quote!(.rate_limit(#rate_limit)));
    }
    if !plan.fallback.is_empty() {
        let sources = plan.fallback.iter().map(|step| match step {
            FallbackStep::Cached(_) => quote!(#p::Source::Cache),
            FallbackStep::Function(_) => quote!(#p::Source::Function),
            FallbackStep::Value(_) => quote!(#p::Source::Value),
        });
        policy.extend(quote!(.fallback(&[#(#sources),*])));
    }
    if let Some(cache) = &plan.cache {
        let cache = settings(cache, p);
        policy.extend(quote!(.cache(#cache)));
    }
    match plan.effect {
        Effect::Unknown => {}
        Effect::ReadOnly => policy.extend(quote!(.effect(#p::Effect::ReadOnly))),
        Effect::Idempotent => policy.extend(quote!(.effect(#p::Effect::Idempotent))),
        Effect::Writes => policy.extend(quote!(.effect(#p::Effect::Writes))),
    }
    policy
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
            let kinds = ErrorKind::ALL.iter().filter(|kind| kinds.contains(**kind)).map(|kind| {
                let variant = format_ident!("{}", kind.variant_name());
                quote!(.with(#p::ErrorKind::#variant))
            });
            quote!(#p::KindSet::EMPTY #(#kinds)*)
        }
        Setting::Word(Word { type_name, variant, .. }) => {
            let (type_name, variant) = (format_ident!("{type_name}"), format_ident!("{variant}"));
            quote!(#p::#type_name::#variant)
        }
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

fn bulkhead(bulkhead: &Limit<BulkheadSettings>, p: &TokenStream) -> TokenStream {
    let settings = settings(&bulkhead.settings, p);
    let named = bulkhead.name.as_ref().map(|name| quote!(.named(#name)));
    quote!(#p::BulkheadUse::new(#settings) #named)
}

/// If the runtime was built without rate limits, rustc reports an error at the key.
fn rate_limit(rate_limit: &Limit<RateLimitSettings>, p: &TokenStream) -> TokenStream {
    let settings = settings(&rate_limit.settings, p);
    let named = rate_limit.name.as_ref().map(|name| quote!(.named(#name)));
    let by_caller = rate_limit.by_caller.then(|| quote!(.by_caller()));
    let at = glue(&rate_limit.span);
    let here = exactly(p.clone(), at);
    let wanted = quote!(#p::RateLimitUse::new(#settings) #named #by_caller);
    quote_spanned!(at=> #here::rate_limit!(#wanted))
}

impl Keys {
    /// Returns the calls that add the keys to the entry. `look` binds the parameters for an expression.
    pub(crate) fn tokens(&self, look: impl Fn(Span) -> TokenStream) -> TokenStream {
        let keys = self.0.iter();
        keys.map(|(settings, key)| {
            let method = format_ident!("{settings}_key");
            let at = glue(key);
            let look = look(at);
            quote_spanned!(at=> .#method(|__hash| {
                #look
                __hash.add(&(#key));
            }))
        })
        .collect()
    }
}
