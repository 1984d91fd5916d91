//! The state that an attempt shares with the guarded calls inside it: the breaker's probe permit and the bulkhead
//! permit that the attempt holds, and the results that the calls inside it have recorded.
//!
//! A guarded function inside a guarded function often names the same breaker or bulkhead. If it requested a second
//! permit, the outer call would wait for the inner one and the inner one for the outer one. Therefore the attempt lends
//! its permits: to one inner call at a time, until the attempt of that call ends.

mod loan;
#[cfg(feature = "cache")]
mod records;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use resilient_policy::{ErrorKind, KindSet};

use crate::breaker::{Breaker, Signal, Ticket};
use crate::bulkhead::Bulkhead;
#[cfg(feature = "cache")]
use crate::clock::Moment;
use loan::Lent;
pub(crate) use loan::{Lender, Lending, Loan};
#[cfg(feature = "cache")]
pub(crate) use records::Records;

/// The permits of a running attempt that other calls may have to wait for: of a probe, of a bulkhead.
///
/// The breaker and the bulkhead are compared by address only. They live at least as long as the attempt, and an
/// attempt that has ended lends nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    breaker: usize,
    /// The ticket, if it is that of a probe.
    probe: Option<Ticket>,
    bulkhead: usize,
}

impl Held {
    pub(crate) fn new(permit: Option<(&Breaker, Ticket)>, bulkhead: Option<&Bulkhead>) -> Self {
        let probe = permit.filter(|(_, ticket)| ticket.is_probe());
        Self {
            breaker: probe.map_or(0, |(breaker, _)| address(breaker)),
            probe: probe.map(|(_, ticket)| ticket),
            bulkhead: bulkhead.map_or(0, address),
        }
    }

    /// Returns whether another call may have to wait until this attempt ends.
    const fn keeps_others_waiting(&self) -> bool {
        self.bulkhead != 0 || self.probe.is_some()
    }
}

fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}

/// A running attempt, as the guarded calls inside it see it.
pub(crate) struct EnclosingAttempt {
    held: Held,
    /// The run that it leads for concurrent calls, if it stands for one. Zero otherwise.
    flight: u64,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The attempt around this one. Attempts that have ended are skipped: otherwise tasks that keep spawning tasks
    /// would create an endless chain.
    enclosing: Option<Arc<EnclosingAttempt>>,
    /// Whether the attempt around this one counts it.
    is_counted: bool,
    has_ended: bool,
    permits_lent: u32,
    slots_lent: u32,
    /// The calls that wait until a loan is returned.
    waiting: Vec<Waker>,
    /// The breakers at which inner calls recorded results, by address, and whether a failure was among them.
    recorded: BTreeMap<usize, bool>,
    /// Whether an inner call reached its deadline while it waited for a permit.
    queued_past_deadline: bool,
    /// The kinds of errors that inner calls returned after more than one attempt.
    retried: KindSet,
    /// The answer of a fallback of an inner call. If there are several, the oldest.
    #[cfg(feature = "cache")]
    degraded: Option<super::Degraded>,
    /// When a retry of an inner call was due that its deadline did not allow, and that deadline.
    #[cfg(feature = "cache")]
    cut: Option<(Moment, Moment)>,
    /// The numbers of inner calls that wait for a permit, and of inner attempts that run. An inner attempt counts as
    /// waiting if everything inside it waits.
    queued: i32,
    running: i32,
    /// The bulkhead permit of an attempt that ended while it was lent.
    slot: Option<Box<dyn Any + Send + Sync>>,
}

impl EnclosingAttempt {
    pub(super) fn new(held: Held, enclosing: Option<Arc<Self>>) -> Arc<Self> {
        let shared = Shared { is_counted: enclosing.is_some(), enclosing, ..Shared::default() };
        let attempt = Self { held, flight: 0, shared: Mutex::new(shared) };
        attempt.enclosing();
        Arc::new(attempt)
    }

    /// Returns a layer around the attempts of a call that runs its body for concurrent calls too.
    #[cfg(feature = "cache")]
    pub(super) fn leading(flight: u64, enclosing: Option<Arc<Self>>) -> Arc<Self> {
        let shared = Shared { is_counted: enclosing.is_some(), enclosing, ..Shared::default() };
        Arc::new(Self { held: Held::default(), flight, shared: Mutex::new(shared) })
    }

    /// Returns the runs that the attempts around a call lead, or `None` if one of them has a permit of a bulkhead or a
    /// probe: what it follows may need that permit.
    #[cfg(feature = "cache")]
    pub(crate) fn flights(self: &Arc<Self>) -> Option<Vec<u64>> {
        let mut flights = Vec::new();
        for attempt in self.chain().filter(|attempt| !attempt.lock().has_ended) {
            if attempt.held.keeps_others_waiting() {
                return None;
            }
            if attempt.flight != 0 {
                flights.push(attempt.flight);
            }
        }
        Some(flights)
    }

    /// Returns the nearest attempt around this one that has not ended.
    pub(super) fn enclosing(&self) -> Option<Arc<Self>> {
        loop {
            let enclosing = self.lock().enclosing.clone()?;
            let next = {
                let shared = enclosing.lock();
                if !shared.has_ended {
                    drop(shared);
                    return Some(enclosing);
                }
                shared.enclosing.clone()
            };
            let mut shared = self.lock();
            if shared.enclosing.as_ref().is_some_and(|known| Arc::ptr_eq(known, &enclosing)) {
                shared.enclosing = next;
                shared.is_counted = false;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the attempt and those around it, the nearest first.
    fn chain(self: &Arc<Self>) -> impl Iterator<Item = Arc<Self>> {
        std::iter::successors(Some(Arc::clone(self)), |attempt| attempt.enclosing())
    }

    /// Requests the probe permit of the nearest attempt that holds a valid one of this breaker.
    pub(crate) fn lend_permit(self: &Arc<Self>, breaker: &Breaker) -> Lending {
        let holds = |held: &Held| {
            held.breaker == address(breaker) && held.probe.is_some_and(|probe| breaker.is_probing_with(probe))
        };
        self.lend(Lent::Permit, holds)
    }

    /// Requests the bulkhead permit of the nearest attempt that holds one of this bulkhead.
    pub(crate) fn lend_slot(self: &Arc<Self>, bulkhead: &Bulkhead) -> Lending {
        self.lend(Lent::Slot, |held| held.bulkhead == address(bulkhead))
    }

    fn lend(self: &Arc<Self>, what: Lent, holds: impl Fn(&Held) -> bool) -> Lending {
        let mut may_wait = true;
        for attempt in self.chain() {
            if attempt.lock().has_ended {
                continue;
            }
            if holds(&attempt.held) {
                let lender = Lender { of: Arc::clone(&attempt), what };
                // A call does not wait if its own attempts below the lender hold a permit: another call inside the
                // lender may wait for that permit, and both would wait until their deadlines.
                if let Some(loan) = lender.take(!may_wait) {
                    return Lending::Granted(loan, lender.ticket());
                }
                if !attempt.lock().has_ended {
                    return Lending::Taken(lender);
                }
            } else {
                may_wait &= !attempt.held.keeps_others_waiting();
            }
        }
        Lending::Nothing
    }

    /// Records that an inner call recorded a result at this breaker.
    pub(crate) fn recorded(self: &Arc<Self>, breaker: &Breaker, signal: Signal) {
        if signal == Signal::Neutral {
            return;
        }
        for attempt in self.chain() {
            *attempt.lock().recorded.entry(address(breaker)).or_default() |= signal == Signal::Failure;
        }
    }

    /// Records that an inner call failed after more than one attempt.
    pub(crate) fn retried(self: &Arc<Self>, kind: ErrorKind) {
        for attempt in self.chain() {
            let mut shared = attempt.lock();
            shared.retried = shared.retried.with(kind);
        }
    }

    /// Records that an inner call reached its deadline while it waited for a permit.
    pub(crate) fn queued_past_deadline(self: &Arc<Self>) {
        for attempt in self.chain() {
            attempt.lock().queued_past_deadline = true;
        }
    }

    /// Returns whether an inner call reached its deadline while it waited for a permit.
    pub(crate) fn has_queued_past_deadline(&self) -> bool {
        self.lock().queued_past_deadline
    }

    /// Returns the signal that this attempt records at its breaker, given what inner calls have recorded there.
    pub(crate) fn signal(&self, breaker: &Breaker, own: Signal) -> Signal {
        let recorded = self.lock().recorded.get(&address(breaker)).copied();
        match (own, recorded) {
            (Signal::Failure, Some(true)) | (Signal::Success, Some(_)) => Signal::Neutral,
            (own, _) => own,
        }
    }

    /// Returns whether an inner call has already retried an error of this kind.
    pub(crate) fn has_retried(&self, kind: ErrorKind) -> bool {
        self.lock().retried.contains(kind)
    }

    /// Returns whether everything inside this attempt waits for a permit.
    pub(crate) fn only_waits(&self) -> bool {
        self.lock().only_waits()
    }

    /// Adds to the numbers of inner calls that wait and that run.
    pub(super) fn count(&self, (queued, running): (i32, i32)) {
        let (before, after) = {
            let mut shared = self.lock();
            let before = shared.only_waits();
            shared.queued += queued;
            shared.running += running;
            (before, shared.only_waits())
        };
        self.count_in_enclosing(before, after);
    }

    /// Updates the counts of the attempt around this one, if that attempt counts this one.
    fn count_in_enclosing(&self, before: bool, after: bool) {
        if before == after {
            return;
        }
        let enclosing = {
            let shared = self.lock();
            shared.enclosing.clone().filter(|_| shared.is_counted)
        };
        if let Some(enclosing) = enclosing {
            enclosing.count(if after { (1, -1) } else { (-1, 1) });
        }
    }

    /// Ends the attempt: it lends nothing from now on. If its bulkhead permit is still lent, to a task that outlives
    /// the attempt, the permit is released when the task returns it.
    pub(crate) fn end(&self, slot: Option<Box<dyn Any + Send + Sync>>) {
        let (waiting, freed, before) = {
            let mut shared = self.lock();
            let before = shared.only_waits();
            shared.has_ended = true;
            let freed = if shared.slots_lent > 0 {
                shared.slot = slot;
                None
            } else {
                slot
            };
            (std::mem::take(&mut shared.waiting), freed, before)
        };
        self.count_in_enclosing(before, false);
        drop(freed);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Drops the attempts iteratively, because a chain may be long.
impl Drop for EnclosingAttempt {
    fn drop(&mut self) {
        let above =
            |attempt: &mut Self| attempt.shared.get_mut().unwrap_or_else(PoisonError::into_inner).enclosing.take();
        let mut next = above(self);
        while let Some(attempt) = next {
            next = Arc::into_inner(attempt).and_then(|mut attempt| above(&mut attempt));
        }
    }
}

impl fmt::Debug for EnclosingAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnclosingAttempt").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Shared {
    const fn only_waits(&self) -> bool {
        !self.has_ended && self.queued > 0 && self.running == 0
    }
}
