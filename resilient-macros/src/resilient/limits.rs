//! Bulkheads, rate limits, and the keys that keep the limits of one call apart from another's.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use resilient_policy::{BulkheadSettings, RateLimitSettings};
use syn::Expr;

use super::policy::duration;
use super::span::{exactly, glue};

/// The bulkhead of a function.
#[derive(Debug)]
pub(super) struct Bulkhead {
    pub(super) name: Option<String>,
    pub(super) settings: BulkheadSettings,
}

/// The rate limit of a function.
#[derive(Debug)]
pub(super) struct RateLimit {
    pub(super) name: Option<String>,
    pub(super) settings: RateLimitSettings,
    pub(super) by_caller: bool,
    pub(super) span: Span,
}

/// The expressions that give each of their values a limit of its own.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) breaker: Option<Expr>,
    pub(super) bulkhead: Option<Expr>,
    pub(super) rate_limit: Option<Expr>,
}

impl Bulkhead {
    /// It as code that can stand in a `static`.
    pub(super) fn tokens(&self, p: &TokenStream) -> TokenStream {
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
    pub(super) fn tokens(&self, p: &TokenStream) -> TokenStream {
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
    pub(super) fn is_empty(&self) -> bool {
        self.named().next().is_none()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Expr> {
        self.named().map(|(_, key)| key)
    }

    fn named(&self) -> impl Iterator<Item = (TokenStream, &Expr)> {
        let Self { breaker, bulkhead, rate_limit } = self;
        [
            breaker.as_ref().map(|key| (quote!(breaker_key), key)),
            bulkhead.as_ref().map(|key| (quote!(bulkhead_key), key)),
            rate_limit.as_ref().map(|key| (quote!(rate_limit_key), key)),
        ]
        .into_iter()
        .flatten()
    }

    /// The keys of a call, added to its entry: `look` shows an expression the parameters.
    pub(super) fn tokens(&self, look: impl Fn(Span) -> TokenStream) -> TokenStream {
        self.named()
            .map(|(method, key)| {
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
