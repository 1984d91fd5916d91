//! Adds the policy to the function's documentation.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use resilient_policy::{Beside, BreakerUse, Keyed, describe};

use crate::resilient::check::policy::names;
use crate::resilient::parse::value::FallbackStep;
use crate::resilient::plan::{Breaker, Plan};

/// Returns the policy as a list, to be placed after the function's own documentation. Only rustdoc sees it: rmcp uses
/// each doc line for the tool's description, and a `cfg_attr` whose condition is false is removed before rmcp reads the
/// attributes.
pub(crate) fn documented(plan: &Plan) -> TokenStream {
    let guards = &plan.guards;
    let of_user = match &guards.breaker {
        Some(Breaker::Static(path)) => Some(path.to_token_stream().to_string().replace(' ', "")),
        Some(Breaker::Named { .. }) | None => None,
    };
    let (names, fallback) = (names(guards), plan.fallback.iter().map(FallbackStep::source).collect::<Vec<_>>());
    let is_keyed = |wanted| guards.keys.iter().any(|(key, _)| *key == wanted);
    let beside = Beside {
        breaker: of_user.as_deref().or(names.breaker),
        fallback: &fallback,
        keyed: Keyed {
            breaker: is_keyed("breaker"),
            bulkhead: is_keyed("bulkhead"),
            rate_limit: is_keyed("rate_limit"),
        },
        ..names
    };
    let mut policy = plan.policy();
    if let Some(Breaker::Named { settings, distributed, .. }) = &guards.breaker {
        let mut wanted = BreakerUse::named("");
        wanted.settings = *settings;
        wanted.distributed = distributed.is_some();
        policy.breaker = Some(wanted);
    }
    let authorized = plan.authorized.iter().map(|path| {
        let path = path.to_token_stream().to_string().replace(' ', "");
        format!("authorized by `{path}` first")
    });
    let mut lines: Vec<_> = authorized.chain(describe(&policy, &beside)).collect();
    if !plan.invalidates.is_empty() {
        lines.push(format!("each call invalidates the cached answers of `{}`", plan.invalidates.join("`, `")));
    }
    let text = format!("\n\nGuarded by `#[resilient]`:\n\n- {}\n", lines.join("\n- "));
    quote!(#[cfg_attr(doc, doc = #text)])
}
