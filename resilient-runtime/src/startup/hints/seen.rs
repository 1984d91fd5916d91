//! The openings of a breaker in other replicas that this one has seen.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::replicas::OpeningId;

/// The maximum number of replicas whose openings are remembered.
const REPLICAS: usize = 1_000;

/// How long the opening of a replica is remembered after the last reading that contained it.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// The last opening of each replica. One alone would not do: a replica that got no answer publishes its opening once more,
/// perhaps after another replica has published one.
#[derive(Debug, Default)]
pub(super) struct SeenOpenings(HashMap<u128, Seen>);

#[derive(Debug)]
struct Seen {
    number: u64,
    read_at: Instant,
}

impl SeenOpenings {
    /// Returns whether an opening is later than those of the same replica before, and remembers it.
    pub(super) fn is_new(&mut self, id: OpeningId, now: Instant) -> bool {
        if let Some(seen) = self.0.get_mut(&id.replica) {
            let is_new = id.number > seen.number;
            *seen = Seen { number: id.number.max(seen.number), read_at: now };
            return is_new;
        }
        self.make_room(now);
        self.0.insert(id.replica, Seen { number: id.number, read_at: now });
        true
    }

    /// Forgets openings that were read long ago, and the oldest one if there is no room for another.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, seen| now.saturating_duration_since(seen.read_at) < REMEMBERED);
        if self.0.len() >= REPLICAS {
            let oldest = self.0.iter().min_by_key(|(_, seen)| seen.read_at).map(|(replica, _)| *replica);
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn opening(replica: u128, number: u64) -> OpeningId {
        OpeningId { replica, number }
    }

    #[test]
    fn an_opening_is_new_once_whatever_other_replicas_publish_in_between() {
        let (mut seen, now) = (SeenOpenings::default(), Instant::now());
        assert!(seen.is_new(opening(1, 1), now) && seen.is_new(opening(2, 1), now));
        assert!(!seen.is_new(opening(1, 1), now) && !seen.is_new(opening(2, 1), now));
        assert!(seen.is_new(opening(1, 3), now));
        assert!(!seen.is_new(opening(1, 2), now), "it comes too late");
        assert!(!seen.is_new(opening(1, 3), now));
    }

    #[test]
    fn openings_that_were_not_read_for_an_hour_are_forgotten_when_there_is_another_replica() {
        let (mut seen, now) = (SeenOpenings::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        assert!(seen.is_new(opening(1, 1), now) && seen.is_new(opening(2, 1), now));
        assert!(!seen.is_new(opening(2, 1), later));
        assert!(seen.is_new(opening(3, 1), now + REMEMBERED));
        assert_eq!(seen.0.len(), 2);
        assert!(!seen.is_new(opening(2, 1), now + REMEMBERED));
        assert!(seen.is_new(opening(1, 1), now + REMEMBERED));
    }

    #[test]
    fn of_more_than_a_thousand_replicas_the_latest_are_remembered() {
        let (mut seen, now) = (SeenOpenings::default(), Instant::now());
        for replica in 0_u64..3_000 {
            assert!(seen.is_new(opening(replica.into(), 1), now + Duration::from_millis(replica)));
        }
        let later = now + Duration::from_secs(3);
        assert_eq!(seen.0.len(), REPLICAS);
        assert!(!seen.is_new(opening(2_000, 1), later) && seen.is_new(opening(1_999, 1), later));
    }
}
