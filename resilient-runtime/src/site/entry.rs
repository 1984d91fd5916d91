//! A call before it starts: its partition keys, its request, its limit and the arguments to log.

use std::time::Duration;

use super::Site;
use crate::context::CallContext;
use crate::error::Refusal;
use crate::keyed_hash::Collected;
use crate::log_fields::LogFields;
use crate::panics::catch_panic;
use crate::requested_time::{RequestedTime, limit_for};
use crate::telemetry;

/// A call of a function, before it starts.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub(crate) site: &'a Site,
    /// Most calls have no details. With this, an entry is two words and stays in registers until the call is created.
    pub(crate) details: Option<Box<EntryDetails>>,
}

/// Data of a call besides its arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct EntryDetails {
    pub(crate) keys: Option<Keys>,
    /// The request that the function received as an argument, if the hook did not provide one.
    pub(crate) request: Option<CallContext>,
    /// The arguments to log.
    pub(crate) arguments: Option<Box<str>>,
    /// The timeout that the arguments request, which the timeout of the policy bounds.
    pub(crate) limit: Option<Duration>,
    /// Why the gate refuses the call of a tool of another server.
    pub(crate) refusal: Option<Refusal>,
    /// How the call is identified if it is deferred, for a function that defers its calls.
    #[cfg(feature = "deferred")]
    pub(crate) deferred_by: Option<DeferredBy>,
}

/// What identifies a deferred call among those of its caller.
#[cfg(feature = "deferred")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeferredBy {
    /// Its arguments.
    Arguments,
    /// The value of `deferred(key = ..)`. Without a value, the call is not deferred.
    Key(Option<String>),
}

/// The hashes of the partition keys of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keys {
    pub(crate) breaker: Option<u128>,
    pub(crate) bulkhead: Option<u128>,
    pub(crate) rate_limit: Option<u128>,
}

impl Entry<'_> {
    /// Runs the call in the context of this request, for a call without the hook.
    #[must_use]
    pub fn asked(mut self, request: Option<CallContext>) -> Self {
        if request.is_some() {
            self.details().request = request;
        }
        self
    }

    /// Ends the call with this refusal, before anything runs.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.details().refusal = Some(refusal);
    }

    fn details(&mut self) -> &mut EntryDetails {
        self.details.get_or_insert_default()
    }

    fn keys(&mut self) -> &mut Keys {
        self.details().keys.get_or_insert_default()
    }

    /// Uses a separate breaker for these values. If `values` panics, the call has no partition key.
    #[must_use]
    pub fn breaker_key(mut self, values: impl FnOnce(&mut Collected)) -> Self {
        self.keys().breaker = Collected::hash(values);
        self
    }

    /// Uses a separate bulkhead for these values, like [`breaker_key`](Self::breaker_key) for breakers.
    #[must_use]
    pub fn bulkhead_key(mut self, values: impl FnOnce(&mut Collected)) -> Self {
        self.keys().bulkhead = Collected::hash(values);
        self
    }

    /// Uses a separate rate limit for these values, like [`breaker_key`](Self::breaker_key) for breakers.
    #[must_use]
    pub fn rate_limit_key(mut self, values: impl FnOnce(&mut Collected)) -> Self {
        self.keys().rate_limit = Collected::hash_for_replicas(values);
        self
    }

    /// Limits the call to the time that its arguments request, and a tenth of that for the way, at most 5 s. The timeout
    /// of the policy bounds it. If `requested` panics, the call has the timeout of the policy.
    #[must_use]
    pub fn timeout_from<T: RequestedTime>(mut self, requested: impl FnOnce() -> T) -> Self {
        if let Some(requested) = catch_panic(|| requested().requested()).flatten() {
            self.details().limit = Some(limit_for(requested));
        }
        self
    }

    /// Lets the call be deferred. Its arguments identify it.
    #[cfg(feature = "deferred")]
    #[must_use]
    pub fn deferred(mut self) -> Self {
        self.details().deferred_by = Some(DeferredBy::Arguments);
        self
    }

    /// Lets the call be deferred. The key identifies it; without one, or if `key` panics, the call is not deferred.
    #[cfg(feature = "deferred")]
    #[must_use]
    pub fn deferred_by(mut self, key: impl FnOnce() -> Option<String>) -> Self {
        self.details().deferred_by = Some(DeferredBy::Key(catch_panic(key).flatten()));
        self
    }

    /// Logs these arguments if spans are enabled. If `arguments` panics, nothing is logged.
    #[must_use]
    pub fn log_args(mut self, arguments: impl FnOnce(&mut LogFields)) -> Self {
        if telemetry::spans_are_enabled() {
            self.details().arguments = LogFields::of(arguments);
        }
        self
    }

    /// Records these arguments in the span of the hook, for a tool without a guarded function.
    pub fn show(self) {
        if let Some(arguments) = self.details.and_then(|details| details.arguments)
            && let Some(context) = CallContext::current()
            && let Some(request) = context.request()
            && let Some(span) = &*request.span()
        {
            span.record("arguments", &*arguments);
        }
    }
}
