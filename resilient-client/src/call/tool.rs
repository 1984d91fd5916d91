//! What is known of a tool, and the guard of its calls.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use resilient_policy::{BreakerSettings, BreakerUse, Effect, ErrorKind, KindSet, Policy, Retry};
use resilient_runtime::Guard;
use resilient_runtime::error::POLICY_META;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::CallSettings;
use crate::interned::{breaker_name, interned};

/// What the list of tools says of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// Whether the tool was in a list.
    pub(super) is_listed: bool,
    /// Whether a call may be repeated, if the annotations are trusted.
    pub(super) effect: Effect,
    /// Whether the server retries by itself.
    pub(super) retries_itself: bool,
}

#[derive(Deserialize)]
struct List<'l> {
    #[serde(borrow)]
    tools: Vec<&'l RawValue>,
}

#[derive(Deserialize)]
struct Listed<'l> {
    #[serde(borrow)]
    name: Cow<'l, str>,
    #[serde(default)]
    annotations: Option<Annotations>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<BTreeMap<Cow<'l, str>, &'l RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Annotations {
    read_only_hint: Option<bool>,
    idempotent_hint: Option<bool>,
}

/// The policy that servers of `resilient-runtime` publish.
#[derive(Deserialize)]
struct Published {
    max_attempts: u32,
}

/// Reads the tools of a list. A tool that cannot be read is left out.
pub(super) fn read(result: &str) -> Option<Vec<(Cow<'_, str>, Facts)>> {
    let list: List<'_> = serde_json::from_str(result).ok()?;
    let read = |tool: &'_ RawValue| {
        let tool: Listed<'_> = serde_json::from_str(tool.get()).ok()?;
        let annotations = tool.annotations.unwrap_or_default();
        let effect = match annotations {
            Annotations { read_only_hint: Some(true), .. } => Effect::ReadOnly,
            Annotations { idempotent_hint: Some(true), .. } => Effect::Idempotent,
            Annotations { .. } => Effect::Unknown,
        };
        let policy = tool.meta.as_ref().and_then(|meta| meta.get(POLICY_META));
        let policy: Option<Published> = policy.and_then(|policy| serde_json::from_str(policy.get()).ok());
        let retries_itself = policy.is_some_and(|policy| policy.max_attempts > 1);
        Some((Cow::Owned(tool.name.into_owned()), Facts { is_listed: true, effect, retries_itself }))
    };
    Some(list.tools.into_iter().filter_map(read).collect())
}

/// One tool of a server.
pub(super) struct Tool {
    guard: Guard,
    /// What the list said.
    listed: Facts,
    /// What holds, with or without trust.
    facts: Facts,
}

impl Tool {
    pub(super) fn new(server: &str, settings: &CallSettings, name: &str, listed: Facts) -> Self {
        let effect = if settings.trust_annotations { listed.effect } else { Effect::Unknown };
        let facts = Facts { effect, ..listed };
        let policy = policy(settings.timeout, effect).breaker(breaker(server, name));
        let name = interned(&format!("{}{name}", settings.prefix));
        let guard = Guard::new(name, policy).as_tool();
        guard.bind();
        Self { guard, listed, facts }
    }

    /// Returns whether the list still says the same.
    pub(super) fn has(&self, listed: Facts) -> bool {
        self.listed == listed
    }

    pub(super) const fn facts(&self) -> Facts {
        self.facts
    }

    pub(super) const fn guard(&self) -> &Guard {
        &self.guard
    }
}

/// Returns the policy of a tool without settings. A long call is a call like any other: an attempt may use nearly the whole
/// timeout.
pub(super) fn policy(timeout: Duration, effect: Effect) -> Policy {
    let mut retry = Retry::new(3);
    (retry.base, retry.cap) = (Duration::from_millis(200).min(timeout / 50), timeout / 10);
    // A lost connection fails all calls under way, and each may be repeated.
    retry.budget = Some(1.0);
    if !effect.is_repeatable() {
        // An attempt that has timed out may have taken effect.
        retry.on = KindSet::EMPTY.with(ErrorKind::Connection).with(ErrorKind::Unavailable).with(ErrorKind::RateLimited);
    }
    Policy::new().timeout(timeout).attempt_timeout(timeout.mul_f64(0.9)).retry(retry).effect(effect)
}

/// Returns the policies that the guards of tools begin with, for tools that read and for tools that may write: for
/// [`Resilience::tools_found_later`](resilient_runtime::Resilience::tools_found_later).
#[must_use]
pub fn base_policies(timeout: Duration) -> [Policy; 2] {
    [Effect::ReadOnly, Effect::Unknown].map(|effect| policy(timeout, effect).breaker(breaker("server", "tool")))
}

/// Returns the breaker of a tool: `server.tool`.
fn breaker(server: &str, tool: &str) -> BreakerUse {
    let mut settings = BreakerSettings::new();
    (settings.failures, settings.open, settings.successes) = (5, Duration::from_secs(30), 1);
    BreakerUse::with(breaker_name(&format!("{server}.{tool}")), settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotations_say_which_tools_may_be_repeated() {
        let read_list = read(
            r#"{"tools":[{"name":"a","annotations":{"readOnlyHint":true}},{"name":"b","annotations":{"idempotentHint":true}},
            {"name":"c","annotations":{"destructiveHint":false}},{"nameless":1},
            {"name":"d","_meta":{"io.crates.resilient-runtime/policy":{"max_attempts":4}}}]}"#,
        );
        let effects: Vec<_> =
            read_list.unwrap().into_iter().map(|(name, facts)| (name, facts.effect, facts.retries_itself)).collect();
        let expected = [
            ("a".into(), Effect::ReadOnly, false),
            ("b".into(), Effect::Idempotent, false),
            ("c".into(), Effect::Unknown, false),
            ("d".into(), Effect::Unknown, true),
        ];
        assert_eq!(effects, expected);
    }

    #[test]
    fn the_policy_of_a_tool_works_with_any_timeout() {
        for millis in [100, 2_000, 60_000, 3_600_000] {
            for effect in [Effect::ReadOnly, Effect::Unknown] {
                let policy = policy(Duration::from_millis(millis), effect);
                assert!(Guard::checked("any", policy).is_ok(), "{:?}", Guard::checked("any", policy));
            }
        }
    }
}
