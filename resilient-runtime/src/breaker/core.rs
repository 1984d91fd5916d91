//! The breaker's state machine: two words, pure decisions, no clock, no events.
//!
//! `word` holds state, generation and counts, and every decision is one compare-and-swap on it:
//!
//! ```text
//! 63..62 state │ 61..20 generation │ 19..10 probes running │ 9..0 failures in a row, or successes
//! ```
//!
//! The generation grows with each transition and whenever the lease of the running probes is
//! over. A ticket remembers the generation that it was given in; a result from an older one finds
//! another number in the word and changes nothing.
//!
//! `timer` holds a moment, in milliseconds, and the last bits of the generation that it belongs
//! to: the end of the open period, or of the probes' lease. It follows the word: whoever moved the
//! word to a new generation sets it next, and until then the period counts as just begun. It is
//! never ahead of the word, and only ever moves on, to a newer generation or a later moment; a
//! thread that slept in between can therefore not wind it back.
//!
//! The module knows only `super::sync` and `super::ticket`, so that a model checker can compile it over its own
//! atomics.

use super::sync::{AtomicU64, Ordering};
pub(crate) use super::ticket::Ticket;
use super::ticket::{GENERATION_BITS, GENERATION_MASK};

const COUNT_BITS: u32 = 10;
const GENERATION_SHIFT: u32 = 2 * COUNT_BITS;
const STATE_SHIFT: u32 = GENERATION_SHIFT + GENERATION_BITS;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

const TIME_BITS: u32 = 44;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const TAG_MASK: u64 = (1 << (64 - TIME_BITS)) - 1;

/// Where a breaker stands.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::breaker::BreakerState;
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new());
/// shop.isolate();
/// assert_eq!(shop.state(), BreakerState::Isolated);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Asserts that the breaker is closed: calls are admitted.
    Closed,
    /// A few calls go through to find out whether the dependency is back.
    HalfOpen,
    /// Calls are rejected for a time.
    Open,
    /// Calls are rejected until somebody says otherwise.
    Isolated,
}

impl State {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Closed, Self::HalfOpen, Self::Open, Self::Isolated];
}

/// The two words, shared by everybody who uses the breaker.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) timer: &'a AtomicU64,
}

/// What the machine needs to know of the settings. Counts are at least 1 and at most 1,023.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) failures: u32,
    pub(crate) probes: u32,
    pub(crate) successes: u32,
    pub(crate) open_ms: u64,
}

/// What became of a call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Success,
    Failure,
    /// Says nothing about the dependency.
    Neutral,
}

/// A transition that this very call made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
}

/// The answer to a call that asks to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may run; asking may itself have been what moved an open breaker to half-open.
    Granted(Ticket, Option<Change>),
    /// It may not, and how long that is known to last.
    Rejected(State, Option<u64>),
}

/// What a result did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Counted(Option<Change>),
    /// It came from an older generation.
    Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    state: State,
    generation: u64,
    probes: u32,
    count: u32,
}

impl Word {
    fn unpack(bits: u64) -> Self {
        let small = |shift: u32| u32::try_from(bits >> shift & COUNT_MASK).unwrap_or(0);
        Self {
            state: match bits >> STATE_SHIFT {
                0 => State::Closed,
                1 => State::HalfOpen,
                2 => State::Open,
                _ => State::Isolated,
            },
            generation: bits >> GENERATION_SHIFT & GENERATION_MASK,
            probes: small(COUNT_BITS),
            count: small(0),
        }
    }

    fn pack(self) -> u64 {
        let state = match self.state {
            State::Closed => 0_u64,
            State::HalfOpen => 1,
            State::Open => 2,
            State::Isolated => 3,
        };
        state << STATE_SHIFT
            | (self.generation & GENERATION_MASK) << GENERATION_SHIFT
            | (u64::from(self.probes) & COUNT_MASK) << COUNT_BITS
            | u64::from(self.count) & COUNT_MASK
    }

    /// The first word of the next generation.
    fn next(self, state: State) -> Self {
        Self { state, generation: (self.generation + 1) & GENERATION_MASK, probes: 0, count: 0 }
    }
}

/// Whether the breaker is closed and has no failure to forget: the state of nearly every call.
pub(crate) fn is_closed_and_clean(cells: Cells<'_>, ticket: Ticket) -> bool {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    word.state == State::Closed && word.count == 0 && word.generation == ticket.generation()
}

/// Whether the breaker is half-open in the generation of this probe's ticket.
pub(crate) fn is_probing_with(cells: Cells<'_>, ticket: Ticket) -> bool {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    ticket.is_probe() && word.state == State::HalfOpen && word.generation == ticket.generation()
}

/// Whether a result with this ticket would still count.
pub(crate) fn is_current(cells: Cells<'_>, ticket: Ticket) -> bool {
    Word::unpack(cells.word.load(Ordering::Acquire)).generation == ticket.generation()
}

/// Where the breaker stands, and the failures in a row or successes that it has counted.
pub(crate) fn peek(cells: Cells<'_>) -> (State, u32, u32) {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    (word.state, word.count, word.probes)
}

/// How much of the open period, or of the lease of the probes that are running, is left.
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

/// Grants a ticket while the breaker is closed, without asking for the time.
pub(crate) fn admit_closed(cells: Cells<'_>) -> Option<Ticket> {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    (word.state == State::Closed).then_some(Ticket::new(word.generation, false))
}

/// Asks to run. A probe's lease is `lease_ms`, from now or from [`start_lease`] on.
#[expect(clippy::inline_always, reason = "a rejection is as cheap as it can be; it has two callers")]
#[inline(always)]
pub(crate) fn admit(cells: Cells<'_>, limits: Limits, now_ms: u64, lease_ms: u64) -> Admission {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        let next = match word.state {
            State::Closed => return Admission::Granted(Ticket::new(word.generation, false), None),
            State::Isolated => return Admission::Rejected(word.state, None),
            State::HalfOpen if word.probes < limits.probes => {
                // Before it counts as running, so that nobody finds it without a lease.
                raise(cells.timer, word.generation, now_ms.saturating_add(lease_ms));
                Word { probes: word.probes + 1, ..word }
            }
            State::Open | State::HalfOpen => match left(cells, bits, now_ms) {
                // Probes whose lease is over are lost: the next generation starts without them.
                Left::Known(0) => Word { probes: 1, ..word.next(State::HalfOpen) },
                Left::Known(left) => return Admission::Rejected(word.state, Some(left)),
                Left::JustBegun => {
                    let period = if word.state == State::Open { limits.open_ms } else { lease_ms };
                    return Admission::Rejected(word.state, Some(period.max(1)));
                }
                Left::Moved(seen) => {
                    bits = seen;
                    continue;
                }
            },
        };
        match cells.word.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                if next.generation != word.generation {
                    raise(cells.timer, next.generation, now_ms.saturating_add(lease_ms));
                }
                let change = (word.state != next.state).then_some(Change { from: word.state, to: next.state });
                return Admission::Granted(Ticket::new(next.generation, true), change);
            }
            Err(seen) => bits = seen,
        }
    }
}

/// Lets a probe's lease run from now on: it may have queued since it was let through.
pub(crate) fn start_lease(cells: Cells<'_>, ticket: Ticket, now_ms: u64, lease_ms: u64) {
    let word = Word::unpack(cells.word.load(Ordering::Acquire));
    if ticket.is_probe() && word.generation == ticket.generation() {
        raise(cells.timer, ticket.generation(), now_ms.saturating_add(lease_ms));
    }
}

/// Gives a ticket back with what became of it.
pub(crate) fn record(cells: Cells<'_>, limits: Limits, ticket: Ticket, signal: Signal, now_ms: u64) -> Recorded {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if word.generation != ticket.generation() {
            return Recorded::Stale;
        }
        // A lent ticket leaves the place to the attempt that lends it.
        let probes = word.probes.saturating_sub(u32::from(!ticket.is_lent()));
        let next = match (word.state, signal) {
            (State::Closed, Signal::Neutral) => return Recorded::Counted(None),
            (State::Closed, Signal::Success) if word.count == 0 => return Recorded::Counted(None),
            (State::Closed, Signal::Success) => Word { count: 0, ..word },
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
            // No ticket is given out in these generations.
            (State::Open | State::Isolated, _) => return Recorded::Stale,
        };
        match cells.word.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                if next.generation != word.generation {
                    begin(cells, limits, next, now_ms);
                }
                return Recorded::Counted(
                    (word.state != next.state).then_some(Change { from: word.state, to: next.state }),
                );
            }
            Err(seen) => bits = seen,
        }
    }
}

/// The generation in which the breaker is closed, if it is.
pub(crate) fn closed_generation(cells: Cells<'_>) -> Option<u64> {
    admit_closed(cells).map(Ticket::generation)
}

/// Opens the breaker because of what a window holds that belongs to this generation.
pub(crate) fn trip(cells: Cells<'_>, limits: Limits, generation: u64, now_ms: u64) -> Option<Change> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if word.state != State::Closed || word.generation != generation {
            return None;
        }
        let next = word.next(State::Open);
        match cells.word.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                begin(cells, limits, next, now_ms);
                return Some(Change { from: State::Closed, to: State::Open });
            }
            Err(seen) => bits = seen,
        }
    }
}

/// Moves the breaker by hand. Tickets that are out become stale; nothing happens, and nothing is
/// stale, where it already stands there. An open breaker that is opened again starts its period anew.
pub(crate) fn force(cells: Cells<'_>, limits: Limits, to: State, now_ms: u64) -> Option<Change> {
    let mut bits = cells.word.load(Ordering::Acquire);
    loop {
        let word = Word::unpack(bits);
        if word.state == to && to != State::Open {
            return None;
        }
        let next = word.next(to);
        match cells.word.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                begin(cells, limits, next, now_ms);
                return (word.state != to).then_some(Change { from: word.state, to });
            }
            Err(seen) => bits = seen,
        }
    }
}

/// How much of a generation's period is left.
enum Left {
    /// So many milliseconds.
    Known(u64),
    /// Whoever moved the word here is about to set the timer.
    JustBegun,
    /// The generation itself is over: this is the word now.
    Moved(u64),
}

fn left(cells: Cells<'_>, bits: u64, now_ms: u64) -> Left {
    let timer = cells.timer.load(Ordering::Acquire);
    if timer >> TIME_BITS == Word::unpack(bits).generation & TAG_MASK {
        return Left::Known((timer & TIME_MASK).saturating_sub(now_ms));
    }
    let seen = cells.word.load(Ordering::Acquire);
    if seen == bits { Left::JustBegun } else { Left::Moved(seen) }
}

/// Sets the timer of a generation that this thread has just begun. Where there is no period it
/// still moves on, so that it never falls so far behind that it seems to be ahead.
fn begin(cells: Cells<'_>, limits: Limits, word: Word, now_ms: u64) {
    let period = if word.state == State::Open { limits.open_ms } else { 0 };
    raise(cells.timer, word.generation, now_ms.saturating_add(period));
}

/// Moves the timer on to `moment_ms` of `generation`, unless it is further already.
fn raise(timer: &AtomicU64, generation: u64, moment_ms: u64) {
    let tag = generation & TAG_MASK;
    let wanted = tag << TIME_BITS | moment_ms.min(TIME_MASK);
    let mut seen = timer.load(Ordering::Acquire);
    loop {
        // How many generations the timer is ahead, in a ring of 2²⁰.
        let ahead = (seen >> TIME_BITS).wrapping_sub(tag) & TAG_MASK;
        let is_newer = ahead != 0 && ahead < TAG_MASK / 2;
        if is_newer || (ahead == 0 && seen >= wanted) {
            return;
        }
        match timer.compare_exchange_weak(seen, wanted, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}
