//! What the calls inside a run have recorded, for the calls around those that share the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use resilient_policy::{ErrorKind, KindSet};

use super::EnclosingAttempt;
use crate::clock::Moment;
use crate::context::Degraded;

/// The records of a run. A call that shares the run leaves them to the attempts around it, as if the run were inside.
#[derive(Debug, Default)]
pub(crate) struct Records {
    recorded: BTreeMap<usize, bool>,
    queued_past_deadline: bool,
    retried: KindSet,
    pub(crate) degraded: Option<Degraded>,
    /// When the retry was due for which the deadline of the leader left no time.
    pub(crate) cut: Option<Moment>,
}

impl EnclosingAttempt {
    /// Returns the records of a run with this deadline.
    pub(crate) fn records(&self, deadline: Moment) -> Records {
        let shared = self.lock();
        Records {
            recorded: shared.recorded.clone(),
            queued_past_deadline: shared.queued_past_deadline,
            retried: shared.retried,
            degraded: shared.degraded.clone(),
            // A deadline that is earlier than the leader's is a limit inside the run, which each run has.
            cut: shared.cut.filter(|(_, limit)| *limit >= deadline).map(|(due, _)| due),
        }
    }

    /// Adds the records of a run that an inner call has shared.
    pub(crate) fn inherit(self: &Arc<Self>, records: &Records) {
        for attempt in self.chain() {
            let mut shared = attempt.lock();
            for (breaker, failed) in &records.recorded {
                *shared.recorded.entry(*breaker).or_default() |= failed;
            }
            shared.queued_past_deadline |= records.queued_past_deadline;
            let kinds = ErrorKind::ALL.iter().filter(|kind| records.retried.contains(**kind));
            shared.retried = kinds.fold(shared.retried, |kinds, kind| kinds.with(*kind));
        }
    }

    /// Records that a fallback answered an inner call.
    pub(crate) fn degraded(self: &Arc<Self>, degraded: &Degraded) {
        for attempt in self.chain() {
            degraded.keep_oldest(&mut attempt.lock().degraded);
        }
    }

    /// Records that a retry of an inner call was due at a time that its deadline did not allow.
    pub(crate) fn cut(self: &Arc<Self>, due: Moment, deadline: Moment) {
        for attempt in self.chain() {
            attempt.lock().cut = Some((due, deadline));
        }
    }
}
