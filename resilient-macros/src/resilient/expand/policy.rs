//! A policy as code that can stand in a `static`: what is not the default, and nothing else.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use resilient_policy::{
    BreakerSettings, BulkheadSettings, CacheSettings, Effect, ErrorKind, Jitter, KindSet, RateLimitSettings, Retry,
    Scope, Window,
};

use crate::resilient::expand::span::{exactly, glue};
use crate::resilient::parse::value::FallbackStep;
use crate::resilient::plan::{Breaker, Bulkhead, Keys, Plan, RateLimit};

/// `Policy::new()` and a call for each setting.
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
        let retry = self::retry(retry, p);
        policy.extend(quote!(.retry(#retry)));
    }
    if let Some(Breaker::Named(name, settings)) = &guards.breaker {
        let wanted = match settings {
            None => quote!(#p::BreakerUse::named(#name)),
            Some(settings) => {
                let settings = breaker(settings, p);
                quote!(#p::BreakerUse::with(#name, #settings))
            }
        };
        policy.extend(quote!(.breaker(#wanted)));
    }
    if let Some(bulkhead) = &guards.bulkhead {
        let bulkhead = bulkhead.tokens(p);
        policy.extend(quote!(.bulkhead(#bulkhead)));
    }
    if let Some(rate_limit) = &guards.rate_limit {
        let rate_limit = rate_limit.tokens(p);
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
        let cache = self::cache(cache, p);
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

fn retry(retry: &Retry, p: &TokenStream) -> TokenStream {
    let max = retry.max;
    let default = Retry::new(max);
    let mut tokens = quote!(#p::Retry::new(#max));
    if retry.base != default.base {
        let base = duration(retry.base, p);
        tokens.extend(quote!(.base(#base)));
    }
    if (retry.factor - default.factor).abs() > f64::EPSILON {
        let factor = retry.factor;
        tokens.extend(quote!(.factor(#factor)));
    }
    if retry.cap != default.cap {
        let cap = duration(retry.cap, p);
        tokens.extend(quote!(.cap(#cap)));
    }
    match retry.jitter {
        Jitter::Equal => {}
        Jitter::Off => tokens.extend(quote!(.jitter(#p::Jitter::Off))),
        Jitter::Full => tokens.extend(quote!(.jitter(#p::Jitter::Full))),
    }
    match (retry.budget, default.budget) {
        (None, _) => tokens.extend(quote!(.without_budget())),
        (Some(share), Some(default)) if (share - default).abs() > f64::EPSILON => {
            tokens.extend(quote!(.budget(#share)));
        }
        (Some(_), _) => {}
    }
    if retry.on != KindSet::RETRYABLE {
        let kinds = ErrorKind::ALL.iter().filter(|kind| retry.on.contains(**kind)).map(|kind| {
            let variant = format_ident!("{}", kind.variant_name());
            quote!(.with(#p::ErrorKind::#variant))
        });
        tokens.extend(quote!(.on(#p::KindSet::EMPTY #(#kinds)*)));
    }
    tokens
}

fn breaker(settings: &BreakerSettings, p: &TokenStream) -> TokenStream {
    let default = BreakerSettings::new();
    let mut tokens = quote!(#p::BreakerSettings::new());
    if settings.failures != default.failures {
        let failures = settings.failures;
        tokens.extend(quote!(.failures(#failures)));
    }
    if let Some(rate) = settings.rate {
        tokens.extend(quote!(.rate(#rate)));
    }
    if settings.window != default.window {
        let window = match settings.window {
            Window::Count(size) => quote!(#p::Window::Count(#size)),
            Window::Time(length) => {
                let length = duration(length, p);
                quote!(#p::Window::Time(#length))
            }
        };
        tokens.extend(quote!(.window(#window)));
    }
    if let Some(min_calls) = settings.min_calls {
        tokens.extend(quote!(.min_calls(#min_calls)));
    }
    if let Some(slow) = settings.slow {
        let slow = duration(slow, p);
        tokens.extend(quote!(.slow(#slow)));
    }
    if (settings.slow_rate - default.slow_rate).abs() > f64::EPSILON {
        let slow_rate = settings.slow_rate;
        tokens.extend(quote!(.slow_rate(#slow_rate)));
    }
    if settings.open != default.open {
        let open = duration(settings.open, p);
        tokens.extend(quote!(.open(#open)));
    }
    if settings.probes != default.probes {
        let probes = settings.probes;
        tokens.extend(quote!(.probes(#probes)));
    }
    if settings.successes != default.successes {
        let successes = settings.successes;
        tokens.extend(quote!(.successes(#successes)));
    }
    if settings.max_keys != default.max_keys {
        let max_keys = settings.max_keys;
        tokens.extend(quote!(.max_keys(#max_keys)));
    }
    tokens
}

fn cache(settings: &CacheSettings, p: &TokenStream) -> TokenStream {
    let default = CacheSettings::new();
    let mut tokens = quote!(#p::CacheSettings::new());
    if settings.max_age != default.max_age {
        let max_age = duration(settings.max_age, p);
        tokens.extend(quote!(.max_age(#max_age)));
    }
    if settings.max != default.max {
        let max = settings.max;
        tokens.extend(quote!(.max(#max)));
    }
    if settings.scope == Scope::Shared {
        tokens.extend(quote!(.scope(#p::Scope::Shared)));
    }
    tokens
}

/// A duration in the largest unit that needs no fraction.
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

impl Bulkhead {
    /// It as code that can stand in a `static`.
    pub(crate) fn tokens(&self, p: &TokenStream) -> TokenStream {
        let BulkheadSettings { max, queue, wait, max_keys, .. } = self.settings;
        let mut settings = quote!(#p::BulkheadSettings::new(#max));
        if queue > 0 {
            settings.extend(quote!(.queue(#queue)));
        }
        if let Some(wait) = wait {
            let wait = duration(wait, p);
            settings.extend(quote!(.wait(#wait)));
        }
        if max_keys != BulkheadSettings::new(max).max_keys {
            settings.extend(quote!(.max_keys(#max_keys)));
        }
        let named = self.name.as_ref().map(|name| quote!(.named(#name)));
        quote!(#p::BulkheadUse::new(#settings) #named)
    }
}

impl RateLimit {
    /// It as code that can stand in a `static`. Where the runtime was built without rate limits,
    /// that is an error at the key.
    pub(crate) fn tokens(&self, p: &TokenStream) -> TokenStream {
        let RateLimitSettings { calls, period, burst, max_keys, .. } = self.settings;
        let default = RateLimitSettings::new(calls, period);
        let period = duration(period, p);
        let mut settings = quote!(#p::RateLimitSettings::new(#calls, #period));
        if let Some(burst) = burst {
            settings.extend(quote!(.burst(#burst)));
        }
        if max_keys != default.max_keys {
            settings.extend(quote!(.max_keys(#max_keys)));
        }
        let named = self.name.as_ref().map(|name| quote!(.named(#name)));
        let by_caller = self.by_caller.then(|| quote!(.by_caller()));
        let at = glue(&self.span);
        let here = exactly(p.clone(), at);
        let wanted = quote!(#p::RateLimitUse::new(#settings) #named #by_caller);
        quote_spanned!(at=> #here::rate_limit!(#wanted))
    }
}

impl Keys {
    /// The keys of a call, added to its entry: `look` shows an expression the parameters.
    pub(crate) fn tokens(&self, look: impl Fn(Span) -> TokenStream) -> TokenStream {
        self.named()
            .map(|(method, key)| {
                let method = format_ident!("{method}");
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
