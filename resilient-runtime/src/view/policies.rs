//! The effective policy of each guarded function, for operators.

use resilient_policy::{Policy, Settings, format_duration};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::registry::{PolicyDescriptor, Registry};

/// The policies of this server, with values as files and variables write them.
#[derive(Debug, Serialize)]
pub(crate) struct Policies {
    /// One entry for each known function.
    policies: Vec<PolicyEntry>,
}

#[derive(Debug, Serialize)]
struct PolicyEntry {
    /// The name under which the function is counted.
    name: &'static str,
    /// The name of the tool, if the function is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'static str>,
    /// The time within which every call gets a response, unless the guards are disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers_within: Option<String>,
    /// The limit of a call. Absent if the guards are disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Parts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<Parts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bulkhead: Option<Parts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<Parts>,
    /// The fallbacks, in order.
    fallback: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Parts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deferred: Option<Parts>,
}

/// The parts of a key, by name.
type Parts = Map<String, Value>;

impl Policies {
    pub(crate) fn of(registry: &Registry) -> Self {
        Self { policies: registry.policies().iter().map(PolicyEntry::from).collect() }
    }
}

impl From<&PolicyDescriptor> for PolicyEntry {
    fn from(described: &PolicyDescriptor) -> Self {
        let policy = &described.policy;
        let named = |name: Option<&str>, mut parts: Parts| {
            if let Some(name) = name {
                parts.insert("name".into(), name.into());
            }
            parts
        };
        let distributed = |is_distributed: bool, mut parts: Parts| {
            if is_distributed {
                parts.insert("distributed".into(), "true".into());
            }
            parts
        };
        let limited = policy.timeout <= Policy::LONGEST_TIMEOUT;
        Self {
            name: described.name,
            tool: described.tool,
            answers_within: described.latest_answer().map(format_duration),
            timeout: limited.then(|| format_duration(policy.timeout)),
            attempt_timeout: policy.attempt_limit().map(format_duration),
            retry: policy.retry.as_ref().map(parts),
            breaker: described.breaker.as_ref().map(|settings| {
                let is_distributed = policy.breaker.is_some_and(|breaker| breaker.distributed);
                distributed(is_distributed, named(described.breaker_name, parts(settings)))
            }),
            bulkhead: policy.bulkhead.map(|bulkhead| named(bulkhead.name, parts(&bulkhead.settings))),
            rate_limit: policy
                .rate_limit
                .map(|limit| distributed(limit.distributed, named(limit.name, parts(&limit.settings)))),
            fallback: policy.fallback.iter().map(|source| source.as_str()).collect(),
            cache: policy.cache.as_ref().map(parts),
            deferred: policy.deferred.as_ref().map(parts),
        }
    }
}

fn parts<S: Settings>(settings: &S) -> Parts {
    S::PARTS.iter().map(|part| (part.name.into(), (part.get)(settings).to_string().into())).collect()
}
