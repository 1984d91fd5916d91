//! The calls that are in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of calls that are in flight.
#[derive(Debug, Default)]
pub(super) struct Calls(Arc<AtomicU32>);

/// A call that is in flight until this is dropped.
#[derive(Debug)]
#[must_use = "the call ends when this is dropped"]
pub(crate) struct InFlight(Arc<AtomicU32>);

impl Calls {
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Begins a call, unless as many are in flight as `limit` admits. Only critical calls use the reserve.
    pub(super) fn begin(&self, limit: Option<u32>, is_critical: bool) -> Option<InFlight> {
        let most = limit.map_or(u32::MAX, |limit| if is_critical { limit } else { limit - reserve(limit) });
        let begin = |count: u32| (count < most).then(|| count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, begin).ok()?;
        Some(InFlight(Arc::clone(&self.0)))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns how many of these calls are reserved for critical tools: a fifth, and at least one of two or more.
const fn reserve(limit: u32) -> u32 {
    match (limit / 5, limit) {
        (0, 2..) => 1,
        (fifth, _) => fifth,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fifth_is_reserved_and_at_least_one_of_two() {
        assert_eq!([0, 1, 2, 4, 5, 9, 10, 20, 50].map(reserve), [0, 0, 1, 1, 1, 1, 2, 4, 10]);
    }

    proptest! {
        #[test]
        fn no_more_calls_run_than_the_limit_admits_and_a_lower_limit_ends_none(
            steps in proptest::collection::vec((any::<bool>(), any::<bool>(), 1_u32..8), 1..40),
        ) {
            let calls = Calls::default();
            let mut running = Vec::new();
            for (begins, is_critical, limit) in steps {
                if begins {
                    let before = calls.count();
                    let most = if is_critical { limit } else { limit - reserve(limit) };
                    let begun = calls.begin(Some(limit), is_critical);
                    prop_assert_eq!(begun.is_some(), before < most);
                    running.extend(begun);
                } else {
                    running.pop();
                }
                prop_assert_eq!(calls.count() as usize, running.len());
            }
            drop(running);
            prop_assert_eq!(calls.count(), 0);
        }
    }
}
