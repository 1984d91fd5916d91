//! Adds the policy to the function's documentation.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use resilient_policy::{Beside, BreakerUse, Keyed, describe};

use super::policy::source;
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
    let fallback: Vec<_> = plan.fallback.iter().map(source).collect();
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
