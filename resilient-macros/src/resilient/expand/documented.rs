//! Adds the policy to the function's documentation.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use resilient_policy::{Beside, BreakerUse, Keyed, describe};

use crate::resilient::parse::value::FallbackStep;
use crate::resilient::plan::{Breaker, Plan};

/// Returns the policy as a list, to be placed after the function's own documentation. Only rustdoc sees it: rmcp uses
/// each doc line for the tool's description, and a `cfg_attr` whose condition is false is removed before rmcp reads the
/// attributes.
pub(crate) fn documented(plan: &Plan) -> TokenStream {
    let breaker = match &plan.guards.breaker {
        Some(Breaker::Named(name, _)) => Some(name.clone()),
        Some(Breaker::Static(path)) => Some(path.to_token_stream().to_string().replace(' ', "")),
        None => None,
    };
    let fallback: Vec<_> = plan.fallback.iter().map(FallbackStep::source).collect();
    let guards = &plan.guards;
    let is_keyed = |wanted| guards.keys.0.iter().any(|(key, _)| *key == wanted);
    let beside = Beside {
        breaker: breaker.as_deref(),
        bulkhead: guards.bulkhead.as_ref().and_then(|bulkhead| bulkhead.name.as_deref()),
        rate_limit: guards.rate_limit.as_ref().and_then(|rate_limit| rate_limit.name.as_deref()),
        fallback: &fallback,
        keyed: Keyed {
            breaker: is_keyed("breaker"),
            bulkhead: is_keyed("bulkhead"),
            rate_limit: is_keyed("rate_limit"),
        },
    };
    let mut policy = plan.policy();
    if let Some(Breaker::Named(_, Some(settings))) = &guards.breaker {
        policy.breaker = Some(BreakerUse::with("", *settings));
    }
    let text = format!("\n\nGuarded by `#[resilient]`:\n\n- {}\n", describe(&policy, &beside).join("\n- "));
    quote!(#[cfg_attr(doc, doc = #text)])
}
