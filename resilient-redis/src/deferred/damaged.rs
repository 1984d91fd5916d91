//! Members of sets whose entries cannot be read, which must not keep the others from being delivered.

use std::time::Duration;

use resilient_runtime::deferred::{Receipt, StoreErrorKind, Timestamp};

use super::changes::Changes;
use super::names::Names;
use super::read::{Content, Listed, receipt_of};
use super::row::bits;
use super::stored::{HIGHEST_SCORE, Stored};

/// After what time an entry that could not be read is read again.
const WAITS: Duration = Duration::from_secs(60 * 60);

/// Removes a member whose entry something else than this crate removed, or else it would be read for ever.
fn forget(names: &Names, changes: &mut Changes, sets: &[String], member: &str) {
    changes.expect(&format!("{}{}", names.entries, receipt_of(member)), "row", String::new());
    for set in sets {
        changes.run("ZREM", set, [member.as_bytes()]);
    }
}

/// The entries of some sets that could not be read, and why.
#[derive(Debug)]
pub(super) struct Damaged<'a> {
    sets: &'a [String],
    /// When they are read again.
    later: u64,
    found: Vec<(String, &'static str)>,
}

impl<'a> Damaged<'a> {
    pub(super) fn new(sets: &'a [String], now: Timestamp) -> Self {
        Self { sets, later: now.after(WAITS).millis().min(HIGHEST_SCORE), found: Vec::new() }
    }

    /// Returns the entry of a member with its member. If there is none that can be read, adds a change after which the
    /// others do not wait for it.
    pub(super) fn readable(
        &mut self,
        names: &Names,
        changes: &mut Changes,
        listed: Listed,
    ) -> Option<(String, Box<Stored>)> {
        let Listed { member, content } = listed;
        match content {
            Content::Stored(stored) => return Some((member, stored)),
            Content::Missing => forget(names, changes, self.sets, &member),
            Content::Damaged(why) => self.postpone(changes, member, why),
        }
        None
    }

    /// Adds a change after which a member is read again later.
    pub(super) fn postpone(&mut self, changes: &mut Changes, member: String, why: &'static str) {
        for set in self.sets {
            // In those sets that have it.
            changes.run("ZADD", set, [b"XX", self.later.to_string().as_bytes(), member.as_bytes()]);
        }
        self.found.push((member, why));
    }

    /// Emits an event for each, after the change.
    pub(super) fn log(self, operation: &'static str) {
        for (member, error) in self.found {
            let receipt = bits(receipt_of(&member)).map(|bits| Receipt::from_bits(bits).short()).unwrap_or_default();
            let kind = StoreErrorKind::Corrupt.as_str();
            tracing::error!(event = "deferred.store_failed", operation, receipt, kind, error);
        }
    }
}
