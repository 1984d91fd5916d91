//! The ids of the latest events, so that a repetition is not taken again.
//!
//! They are in memory: after a restart an event that was taken is taken again if its sender has received no response. Keep
//! them in a database if the work must not be repeated; here it only reads.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The number of ids of taken events that are kept.
const MOST: usize = 10_000;

/// The ids of events.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    being_taken: HashSet<String>,
    taken: HashSet<String>,
    /// The taken ones, the oldest first.
    order: VecDeque<String>,
}

/// What is known of an event.
#[derive(Debug)]
pub(super) enum Sight<'a> {
    /// Nothing: this request takes it.
    New(Taking<'a>),
    /// Another request is taking it.
    BeingTaken,
    Taken,
}

impl Seen {
    /// Looks for an event, and marks a new one as being taken.
    pub(super) fn look(&self, id: &str) -> Sight<'_> {
        let mut ids = self.lock();
        if ids.taken.contains(id) {
            Sight::Taken
        } else if ids.being_taken.insert(id.to_owned()) {
            Sight::New(Taking { seen: self, id: id.to_owned() })
        } else {
            Sight::BeingTaken
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event that is being taken. Dropped without [`done`](Self::done), it counts as new again.
#[derive(Debug)]
pub(super) struct Taking<'a> {
    seen: &'a Seen,
    id: String,
}

impl Taking<'_> {
    /// Marks the event as taken.
    pub(super) fn done(self) {
        let mut ids = self.seen.lock();
        ids.taken.insert(self.id.clone());
        ids.order.push_back(self.id.clone());
        if ids.order.len() > MOST
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.taken.remove(&oldest);
        }
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.seen.lock().being_taken.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taking<'a>(seen: &'a Seen, id: &str) -> Taking<'a> {
        match seen.look(id) {
            Sight::New(taking) => taking,
            other => panic!("{id}: {other:?}"),
        }
    }

    #[test]
    fn an_event_is_taken_once_and_by_one_request_at_a_time() {
        let seen = Seen::default();
        let first = taking(&seen, "a");
        assert!(matches!(seen.look("a"), Sight::BeingTaken));
        drop(first);
        taking(&seen, "a").done();
        assert!(matches!(seen.look("a"), Sight::Taken));
        drop(taking(&seen, "b"));
    }

    #[test]
    fn the_number_of_ids_is_bounded() {
        let seen = Seen::default();
        for id in 0..=MOST {
            taking(&seen, &id.to_string()).done();
        }
        let ids = seen.lock();
        assert_eq!((ids.taken.len(), ids.order.len(), ids.being_taken.len()), (MOST, MOST, 0));
        assert!(!ids.taken.contains("0") && ids.taken.contains("1"));
    }
}
