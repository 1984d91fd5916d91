//! Publishes tool policies in the tool list: how long to wait for a response, and which errors are already retried.

use resilient_policy::{ErrorKind, Policy, Source, latest_answer};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::MetaObject;
use serde_json::{Value, json};

use crate::clock::saturating_millis;
use crate::error::POLICY_META;
use crate::site::Site;

/// Adds the policy of each guarded tool to its `_meta`.
pub(super) fn publish_policies<S: Send + Sync + 'static>(router: &mut ToolRouter<S>, guarded: &[&'static Site]) {
    for route in router.map.values_mut() {
        let site = guarded.iter().find(|site| site.has_policy() && site.tool() == Some(&*route.attr.name));
        if let Some(site) = site {
            let meta = route.attr.meta.get_or_insert_with(MetaObject::default);
            // Keeps a value that the tool sets itself.
            meta.0.entry(POLICY_META).or_insert_with(|| policy(site.bind_globally().policy()));
        }
    }
}

fn policy(policy: &Policy) -> Value {
    let mut meta = json!({ "max_attempts": policy.retries() + 1 });
    let Some(members) = meta.as_object_mut() else { return meta };
    // A timeout that is switched off gives no latest time.
    if policy.timeout <= Policy::LONGEST_TIMEOUT {
        members.insert("answers_within_ms".into(), saturating_millis(latest_answer(policy)).into());
    }
    if let Some(retry) = &policy.retry {
        let kinds = ErrorKind::ALL.iter().filter(|kind| retry.on.contains(**kind));
        members.insert("retries_on".into(), kinds.map(|kind| kind.as_str()).collect());
    }
    if let Some(rate_limit) = &policy.rate_limit {
        let rate = rate_limit.settings.rate;
        let limit = json!({ "calls": rate.calls, "period_ms": saturating_millis(rate.period) });
        members.insert("rate_limit".into(), limit);
    }
    if !policy.fallback.is_empty() {
        members.insert("fallback".into(), policy.fallback.iter().copied().map(Source::as_str).collect());
    }
    meta
}
