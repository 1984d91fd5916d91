//! The breaker's state machine: two words, pure decisions, no clock, no events.
//!
//! `word` contains the state, the generation and the counts: see `super::word`. Every decision is one compare-and-swap
//! on it.
//!
//! The generation grows with each transition and whenever the lease of the running probes is over. A ticket contains
//! the generation in which it was granted; a result with an older generation is ignored.
//!
//! `timer` contains the end of the open period, or of the lease of the probes: see `super::timer`. It follows the word:
//! the thread that moved the word to a new generation sets it next, and until then the period counts as just begun.
//!
//! The module depends only on `super::state`, `super::sync`, `super::ticket`, `super::timer` and `super::word`, so that a
//! model checker can compile it with its own atomics.

pub(crate) use super::state::State;
use super::sync::{AtomicU64, Ordering};
pub(crate) use super::ticket::Ticket;
use super::timer::{moment, raise};
#[cfg(feature = "replicas")]
use super::word::ARMED;
use super::word::Word;

/// The two words, shared by all users of the breaker.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) timer: &'a AtomicU64,
}

/// The settings that the state machine needs. Counts are at least 1 and at most 1,023.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) failures: u32,
    pub(crate) probes: u32,
    pub(crate) successes: u32,
    pub(crate) open_ms: u64,
}

/// The outcome of an admitted call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Success,
    Failure,
    /// The outcome says nothing about the dependency.
    Neutral,
}

/// A transition that the current call made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    /// Whether the breaker was armed before.
    pub(crate) was_armed: bool,
}

/// The response to a request for a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The call may run. The request itself may have moved an open breaker to half-open.
    Granted(Ticket, Option<Change>),
    /// The call may not run, with the remaining time in milliseconds, if it is known.
    Rejected(State, Option<u64>),
}

/// The effect of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Counted(Option<Change>),
    /// The result has an older generation and was ignored.
    Stale,
}

impl Word {
    /// Returns the transition to the next word, if it is one.
    fn change(self, next: Self) -> Option<Change> {
        (self.state != next.state).then_some(Change { from: self.state, to: next.state, was_armed: self.is_armed() })
    }
}

/// The word of a closed breaker that has counted no failures, as nearly every call finds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clean(u64);

impl Clean {
    /// Returns the ticket that the breaker grants.
    pub(crate) fn ticket(self) -> Ticket {
        Ticket::new(Word::unpack(self.0).generation, false)
    }
}

/// Returns the word if the breaker is closed and has counted no failures.
#[inline]
pub(crate) fn clean(cells: Cells<'_>) -> Option<Clean> {
    let bits = cells.word.load(Ordering::Acquire);
    Word::is_clean(bits).then_some(Clean(bits))
}

/// Returns whether the word is still the same.
#[inline]
pub(crate) fn is_still(cells: Cells<'_>, clean: Clean) -> bool {
    cells.word.load(Ordering::Acquire) == clean.0
}

/// Returns whether the breaker is closed and has no failures to reset, as for nearly every call.
pub(crate) fn is_closed_and_clean(cells: Cells<'_>, ticket: Ticket) -> bool {
    clean(cells).is_some_and(|clean| clean.ticket() == ticket)
}

/// Returns whether the breaker is half-open in the generation of this probe's ticket.
pub(crate) fn is_probing_with(cells: Cells<'_>, ticket: Ticket) -> bool {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    ticket.is_probe() && word.state == State::HalfOpen && word.generation == ticket.generation()
}

/// Returns whether a result with this ticket would still count.
pub(crate) fn is_current(cells: Cells<'_>, ticket: Ticket) -> bool {
    Word::unpack(cells.word.load(Ordering::Acquire)).generation == ticket.generation()
}

/// Returns the state, the counted failures or successes, and the number of running probes. An armed breaker has counted
/// none.
pub(crate) fn peek(cells: Cells<'_>) -> (State, u32, u32) {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    (word.state, if word.is_armed() { 0 } else { word.count }, word.probes)
}

/// Returns whether the next failure opens the breaker, because that of another replica has opened.
pub(crate) fn is_armed(cells: Cells<'_>) -> bool {
    Word::unpack(cells.word.load(Ordering::Acquire)).is_armed()
}

/// Returns the remaining milliseconds of the open period, or of the lease of the running probes.
pub(crate) fn remaining(cells: Cells<'_>, limits: Limits, now_ms: u64) -> Option<u64> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        let is_waiting = word.state == State::Open || (word.state == State::HalfOpen && word.probes > 0);
        if !is_waiting {
            return None;
        }
        match left(cells, bits, now_ms) {
            Left::Known(left) => return Some(left),
            Left::JustBegun => return Some(limits.open_ms),
            Left::Moved(seen) => bits = seen,
        }
    }
}

/// Grants a ticket if the breaker is closed, without reading the clock.
pub(crate) fn admit_closed(cells: Cells<'_>) -> Option<Ticket> {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    (word.state == State::Closed).then_some(Ticket::new(word.generation, false))
}

/// The response to a request for a ticket, before it changes anything.
enum Decision {
    /// The breaker is closed.
    Closed,
    /// A probe in this generation.
    Probe,
    /// The first probe of the next generation: the open period, or the lease of the running probes, is over.
    FirstProbe,
    Rejected(State, Option<u64>),
    /// The generation is over: this is the current word.
    Moved(u64),
}

fn decide(cells: Cells<'_>, limits: Limits, bits: u64, now_ms: u64, lease_ms: impl FnOnce() -> u64) -> Decision {
    let Word { state, probes, .. } = Word::unpack(bits);
    match state {
        State::Closed => Decision::Closed,
        State::Isolated => Decision::Rejected(state, None),
        State::HalfOpen if probes < limits.probes => Decision::Probe,
        State::Open | State::HalfOpen => match left(cells, bits, now_ms) {
            Left::Known(0) => Decision::FirstProbe,
            Left::Known(left) => Decision::Rejected(state, Some(left)),
            Left::JustBegun => {
                let period = if state == State::Open { limits.open_ms } else { lease_ms() };
                Decision::Rejected(state, Some(period.max(1)))
            }
            Left::Moved(seen) => Decision::Moved(seen),
        },
    }
}

/// Returns the state and the remaining milliseconds with which [`admit`] would reject a call.
pub(crate) fn rejection(
    cells: Cells<'_>,
    limits: Limits,
    now_ms: u64,
    lease_ms: impl Fn() -> u64,
) -> Option<(State, Option<u64>)> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        match decide(cells, limits, bits, now_ms, &lease_ms) {
            Decision::Rejected(state, wait) => return Some((state, wait)),
            Decision::Moved(seen) => bits = seen,
            Decision::Closed | Decision::Probe | Decision::FirstProbe => return None,
        }
    }
}

/// Requests a ticket. The lease of a probe is `lease_ms`, from now on or from [`start_lease`] on.
pub(crate) fn admit(cells: Cells<'_>, limits: Limits, now_ms: u64, lease_ms: u64) -> Admission {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        let next = match decide(cells, limits, bits, now_ms, || lease_ms) {
            Decision::Closed => return Admission::Granted(Ticket::new(word.generation, false), None),
            Decision::Rejected(state, wait) => return Admission::Rejected(state, wait),
            Decision::Probe => {
                // The timer is set before the probe is counted, so that no other thread sees a probe without a lease.
                raise(cells.timer, word.generation, now_ms.saturating_add(lease_ms));
                Word { probes: word.probes + 1, ..word }
            }
            // Probes whose lease is over are lost: the next generation starts without them.
            Decision::FirstProbe => Word { probes: 1, ..word.next(State::HalfOpen) },
            Decision::Moved(seen) => {
                bits = seen;
                continue;
            }
        };
        match cells.word.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                if next.generation != word.generation {
                    raise(cells.timer, next.generation, now_ms.saturating_add(lease_ms));
                }
                return Admission::Granted(Ticket::new(next.generation, true), word.change(next));
            }
            Err(seen) => bits = seen,
        }
    }
}

/// Restarts the lease of a probe, which may have queued since it was admitted.
pub(crate) fn start_lease(cells: Cells<'_>, ticket: Ticket, now_ms: u64, lease_ms: u64) {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    if ticket.is_probe() && word.generation == ticket.generation() {
        raise(cells.timer, ticket.generation(), now_ms.saturating_add(lease_ms));
    }
}

/// Records the outcome of a ticket's execution, which ends the ticket.
pub(crate) fn record(cells: Cells<'_>, limits: Limits, ticket: Ticket, signal: Signal, now_ms: u64) -> Recorded {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if word.generation != ticket.generation() {
            return Recorded::Stale;
        }
        // A lent ticket does not end the probe: the attempt that lends it still runs.
        let probes = word.probes.saturating_sub(u32::from(!ticket.is_lent()));
        let next = match (word.state, signal) {
            (State::Closed, Signal::Neutral) => return Recorded::Counted(None),
            (State::Closed, Signal::Success) if word.count == 0 => return Recorded::Counted(None),
            (State::Closed, Signal::Success) => Word { count: 0, ..word },
            // Never if it is armed, since its count is not below any limit.
            (State::Closed, Signal::Failure) if word.count + 1 < limits.failures => {
                Word { count: word.count + 1, ..word }
            }
            (State::Closed | State::HalfOpen, Signal::Failure) => word.next(State::Open),
            (State::HalfOpen, Signal::Neutral) if ticket.is_lent() => return Recorded::Counted(None),
            (State::HalfOpen, Signal::Neutral) => Word { probes, ..word },
            (State::HalfOpen, Signal::Success) if word.count + 1 < limits.successes => {
                Word { probes, count: word.count + 1, ..word }
            }
            (State::HalfOpen, Signal::Success) => word.next(State::Closed),
            // No tickets are granted in these generations.
            (State::Open | State::Isolated, _) => return Recorded::Stale,
        };
        match replace(cells, limits, bits, next, now_ms) {
            Ok(change) => return Recorded::Counted(change),
            Err(seen) => bits = seen,
        }
    }
}

/// Records the outcome of an execution at a breaker that counts no failures in a row, because its window decides. Only
/// an armed breaker changes: a failure opens it, and a success disarms it.
pub(crate) fn record_if_armed(
    cells: Cells<'_>,
    limits: Limits,
    ticket: Ticket,
    signal: Signal,
    now_ms: u64,
) -> Option<Change> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if !word.is_armed() || word.generation != ticket.generation() {
            return None;
        }
        let next = match signal {
            Signal::Neutral => return None,
            Signal::Success => Word { count: 0, ..word },
            Signal::Failure => word.next(State::Open),
        };
        match replace(cells, limits, bits, next, now_ms) {
            Ok(change) => return change,
            Err(seen) => bits = seen,
        }
    }
}

/// Arms a closed breaker, or disarms it. Returns whether this call did so.
#[cfg(feature = "replicas")]
pub(crate) fn set_armed(cells: Cells<'_>, is_armed: bool) -> bool {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if word.state != State::Closed || word.is_armed() == is_armed {
            return false;
        }
        let next = Word { count: if is_armed { ARMED } else { 0 }, ..word }.pack();
        match cells.word.compare_exchange_weak(bits, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return true,
            Err(seen) => bits = seen,
        }
    }
}

/// Returns the generation if the breaker is closed.
pub(crate) fn closed_generation(cells: Cells<'_>) -> Option<u64> {
    admit_closed(cells).map(Ticket::generation)
}

/// Opens the breaker because of the results in a window of this generation.
pub(crate) fn trip(cells: Cells<'_>, limits: Limits, generation: u64, now_ms: u64) -> Option<Change> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if word.state != State::Closed || word.generation != generation {
            return None;
        }
        match replace(cells, limits, bits, word.next(State::Open), now_ms) {
            Ok(change) => return change,
            Err(seen) => bits = seen,
        }
    }
}

/// Moves the breaker by hand. Granted tickets become stale. Does nothing if the breaker already has the state, except
/// that an open breaker that is opened again restarts its period, and a closed one is disarmed.
pub(crate) fn force(cells: Cells<'_>, limits: Limits, to: State, now_ms: u64) -> Option<Change> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        let next = match (word.state, to) {
            (State::Closed, State::Closed) if word.is_armed() => Word { count: 0, ..word },
            (from, to) if from == to && to != State::Open => return None,
            _ => word.next(to),
        };
        match replace(cells, limits, bits, next, now_ms) {
            Ok(change) => return change,
            Err(seen) => bits = seen,
        }
    }
}

/// Replaces the word, and begins its generation if that is a new one. If it is no longer `bits`, returns what it is.
fn replace(cells: Cells<'_>, limits: Limits, bits: u64, next: Word, now_ms: u64) -> Result<Option<Change>, u64> {
    let word = Word::unpack(bits);
    cells.word.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire)?;
    if next.generation != word.generation {
        begin(cells, limits, next, now_ms);
    }
    Ok(word.change(next))
}

/// The remaining time of a generation's period.
enum Left {
    /// The remaining milliseconds.
    Known(u64),
    /// The thread that moved the word to this generation is about to set the timer.
    JustBegun,
    /// The generation is over: this is the current word.
    Moved(u64),
}

fn left(cells: Cells<'_>, bits: u64, now_ms: u64) -> Left {
    if let Some(moment_ms) = moment(cells.timer, Word::unpack(bits).generation) {
        return Left::Known(moment_ms.saturating_sub(now_ms));
    }
    let seen = cells.word.load(Ordering::Acquire);
    if seen == bits { Left::JustBegun } else { Left::Moved(seen) }
}

/// Sets the timer of a generation that this thread has just begun. A generation without a period advances the timer
/// too: a timer that falls too far behind would appear to be ahead.
fn begin(cells: Cells<'_>, limits: Limits, word: Word, now_ms: u64) {
    let period = if word.state == State::Open { limits.open_ms } else { 0 };
    raise(cells.timer, word.generation, now_ms.saturating_add(period));
}
