//! The transitions of an entry, without clock and I/O.

use std::time::Duration;

use resilient_policy::OnExhausted;

use super::entry::{ClaimToken, Entry, State};
use super::store::{Cancellation, Failure, NextTry};
use super::time::Timestamp;

/// The maximum size of a result that is kept, in bytes of JSON.
pub const MOST_RESULT_BYTES: usize = 64 * 1024;

/// How long dead letters are kept.
pub const DEAD_LETTERS_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long the other ended entries are kept at least, so that a caller who polls learns the end of a write that ended
/// together with its time to live.
const ENDED_KEPT: Duration = Duration::from_secs(5 * 60);

/// The maximum length of a code, in bytes.
const LONGEST_CODE: usize = 64;

/// The code of a try whose process died.
const INTERRUPTED: &str = "interrupted";

/// The code of an entry whose time to live ended before its first try.
const EXPIRED: &str = "expired";

impl Entry {
    /// Returns whether the entry is due and its next try can begin, after [`settle`](Self::settle).
    #[must_use]
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        self.summary.state == State::Waiting && self.summary.due <= now
    }

    /// Claims a due entry for one try, which counts from now on, and returns the token; `None` if it is not due.
    /// Call [`settle`](Self::settle) first.
    pub fn claim(&mut self, lease: Duration, now: Timestamp) -> Option<ClaimToken> {
        if !self.is_claimable(now) {
            return None;
        }
        self.summary.state = State::Running;
        self.summary.due = now.after(lease);
        self.summary.tries_used = self.summary.tries_used.saturating_add(1);
        self.control.fence = self.control.fence.saturating_add(1);
        self.control.lease = lease;
        Some(self.token())
    }

    /// Ends a try whose lease is over, and an entry without a try or time left. Returns whether anything changed.
    ///
    /// The time of an entry that was never tried is extended once instead, until the cap from now: the clock that accepted
    /// it may be another one, or everything refused its tries.
    pub fn settle(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        if self.summary.state == State::Running && self.summary.due <= now {
            self.summary.interrupted = self.summary.interrupted.saturating_add(1);
            self.summary.last_code = Some(INTERRUPTED.to_owned());
            let due = self.summary.due;
            self.try_again(due, now);
            changed = true;
        }
        if self.summary.state == State::Waiting && self.summary.expires <= now {
            if self.summary.tries_used == 0 && !self.control.extended {
                self.extend(now);
            } else {
                self.summary.last_code.get_or_insert_with(|| EXPIRED.to_owned());
                self.exhaust(now);
            }
            changed = true;
        }
        changed
    }

    /// Extends the lease. Returns whether the token is the latest.
    pub fn renew(&mut self, token: ClaimToken, lease: Duration, now: Timestamp) -> bool {
        if !self.is_held_by(token) {
            return false;
        }
        self.control.lease = lease;
        self.summary.due = now.after(lease);
        true
    }

    /// Ends the entry as delivered, and keeps a result of at most [`MOST_RESULT_BYTES`]. Returns whether the token is
    /// the latest.
    pub fn complete(&mut self, token: ClaimToken, result: Option<String>, now: Timestamp) -> bool {
        if !self.is_held_by(token) {
            return false;
        }
        self.result = result.filter(|result| result.len() <= MOST_RESULT_BYTES);
        self.end(State::Done, now);
        true
    }

    /// Ends a failed try: the entry waits for the next one, or ends. Returns whether the token is the latest.
    pub fn fail(&mut self, token: ClaimToken, failure: Failure, now: Timestamp) -> bool {
        if !self.is_held_by(token) {
            return false;
        }
        let Failure { mut code, result, next } = failure;
        let end = (0..=LONGEST_CODE).rev().find(|end| code.is_char_boundary(*end)).unwrap_or_default();
        code.truncate(end);
        self.summary.last_code = Some(code);
        self.result = result.filter(|result| result.len() <= MOST_RESULT_BYTES);
        match next {
            NextTry::At(due) => self.try_again(due, now),
            NextTry::Never if self.summary.cancel_requested => self.end(State::Cancelled, now),
            NextTry::Never => self.exhaust(now),
        }
        true
    }

    /// Gives a claim back without using up a try. Returns whether the token is the latest.
    pub fn postpone(&mut self, token: ClaimToken, until: Timestamp, now: Timestamp) -> bool {
        if !self.is_held_by(token) {
            return false;
        }
        self.summary.tries_used = self.summary.tries_used.saturating_sub(1);
        if self.summary.cancel_requested {
            self.end(State::Cancelled, now);
        } else {
            self.summary.state = State::Waiting;
            self.summary.due = until;
        }
        true
    }

    /// Cancels a waiting entry, or requests it for the end of the current try.
    pub fn cancel(&mut self, now: Timestamp) -> Cancellation {
        match self.summary.state {
            State::Waiting => {
                self.end(State::Cancelled, now);
                Cancellation::Cancelled
            }
            State::Running => {
                self.summary.cancel_requested = true;
                Cancellation::AfterTry
            }
            ended => Cancellation::Ended(ended),
        }
    }

    /// Makes a dead letter wait again, with all tries and a new time to live. Returns whether it was one. The caller
    /// makes sure that no other entry holds the key.
    pub fn retry(&mut self, now: Timestamp) -> bool {
        if self.summary.state != State::Dead {
            return false;
        }
        self.summary.state = State::Waiting;
        self.summary.due = now;
        self.summary.expires = now.after(self.summary.policy.ttl);
        self.summary.tries_used = 0;
        self.summary.cancel_requested = false;
        self.summary.ended = None;
        self.result = None;
        self.control.holds_key = true;
        self.control.extended = false;
        true
    }

    /// Erases a dead letter. Returns whether it was one.
    pub fn discard(&mut self, now: Timestamp) -> bool {
        let is_dead = self.summary.state == State::Dead;
        if is_dead {
            self.end(State::Discarded, now);
        }
        is_dead
    }

    /// Adapts the times of an entry to a clock that may differ from the one at acceptance. Returns whether anything
    /// changed. See [`DeferredStore::recover`](super::DeferredStore::recover).
    pub fn recover(&mut self, now: Timestamp) -> bool {
        let before = (self.summary.due, self.summary.expires, self.control.extended);
        let policy = self.summary.policy;
        let latest = now.after(policy.cap);
        match self.summary.state {
            State::Waiting => {
                self.summary.due = self.summary.due.min(latest);
                if self.summary.expires <= now {
                    self.extend(now);
                }
            }
            State::Running => {
                self.summary.due = self.summary.due.min(now.after(self.control.lease));
                if self.summary.expires <= now {
                    self.summary.expires = latest;
                }
            }
            _ => self.summary.due = self.summary.due.min(now.after(policy.ttl.max(DEAD_LETTERS_KEPT))),
        }
        self.summary.expires = self.summary.expires.min(now.after(policy.ttl.max(policy.cap)));
        before != (self.summary.due, self.summary.expires, self.control.extended)
    }

    /// Returns whether a new write with the same key has to be compared with this entry: a delivery is possible, or the
    /// time to live is not over.
    #[must_use]
    pub fn holds_key(&self, now: Timestamp) -> bool {
        self.control.holds_key && (self.summary.state.is_live() || now < self.summary.expires)
    }

    /// Returns whether the call that stored the entry can still withdraw it: no other call has the receipt, and no try
    /// has begun.
    #[must_use]
    pub fn is_withdrawable(&self) -> bool {
        self.summary.state == State::Waiting && self.control.fence == 0 && !self.control.shared
    }

    /// Returns whether the entry has ended and need not be kept any longer.
    #[must_use]
    pub fn is_removable(&self, now: Timestamp) -> bool {
        !self.summary.state.is_live() && self.summary.due <= now
    }

    /// Returns the token of the latest claim.
    #[must_use]
    pub fn token(&self) -> ClaimToken {
        ClaimToken { receipt: self.summary.receipt, fence: self.control.fence }
    }

    fn is_held_by(&self, token: ClaimToken) -> bool {
        self.summary.state == State::Running && self.token() == token
    }

    /// After a try that did not succeed: waits until `due`, unless tries or time are used up.
    fn try_again(&mut self, due: Timestamp, now: Timestamp) {
        let summary = &mut self.summary;
        if summary.cancel_requested {
            self.end(State::Cancelled, now);
        } else if summary.tries_used >= summary.policy.tries || summary.expires <= due.max(now) {
            self.exhaust(now);
        } else {
            summary.state = State::Waiting;
            summary.due = due;
        }
    }

    /// Lets an entry whose time to live seems over be tried now, and again until the cap from now.
    fn extend(&mut self, now: Timestamp) {
        self.control.extended = true;
        self.summary.due = self.summary.due.min(now);
        self.summary.expires = now.after(self.summary.policy.cap);
    }

    fn exhaust(&mut self, now: Timestamp) {
        match self.summary.policy.on_exhausted {
            OnExhausted::Discard => self.end(State::Discarded, now),
            _ => self.end(State::Dead, now),
        }
    }

    fn end(&mut self, state: State, now: Timestamp) {
        let kept = match state {
            State::Dead => DEAD_LETTERS_KEPT,
            _ => ENDED_KEPT,
        };
        self.summary.state = state;
        self.summary.ended = Some(now);
        self.summary.due = self.summary.expires.max(now.after(kept));
        // Only what was delivered, or still can be, answers a second call with the key.
        self.control.holds_key &= matches!(state, State::Done | State::Dead);
        if state != State::Dead {
            self.arguments = String::new();
            self.principal = String::new();
        }
    }
}

#[cfg(test)]
mod tests;
