//! The recent transitions of a breaker.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::core::State;

const MOST: usize = 100;

/// The reason for a transition.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::breaker::Reason;
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new());
/// shop.open();
/// assert_eq!(shop.snapshot().transitions[0].reason, Reason::Opened);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Too many failures, or a failed probe.
    Failures,
    /// Too many slow calls, or a slow probe.
    Slow,
    /// One failure, after the breaker of another replica had opened.
    Peer,
    /// The open period was over, and a call started to probe.
    Probing,
    /// Enough probes succeeded.
    Recovered,
    /// Opened by hand.
    Opened,
    /// Closed by hand.
    Closed,
    /// Isolated by hand.
    Isolated,
}

impl Reason {
    /// Returns the word used in logs and responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Slow => "slow",
            Self::Peer => "peer",
            Self::Probing => "probing",
            Self::Recovered => "recovered",
            Self::Opened => "opened_by_hand",
            Self::Closed => "closed_by_hand",
            Self::Isolated => "isolated_by_hand",
        }
    }
}

/// One transition of a breaker.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::breaker::BreakerState;
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new().failures(1));
/// shop.try_acquire()?.failure();
/// let moved = shop.snapshot().transitions[0];
/// assert_eq!((moved.from, moved.to), (BreakerState::Closed, BreakerState::Open));
/// # Ok::<_, resilient_runtime::ResilienceError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The state before the transition.
    pub from: State,
    /// The state after the transition.
    pub to: State,
    /// The wall-clock time of the transition.
    pub at: SystemTime,
    /// The reason for the transition.
    pub reason: Reason,
    /// The time of the transition on the clock that a test can pause.
    #[cfg(feature = "testing")]
    pub(crate) moment: crate::clock::Moment,
}

pub(crate) struct History(Mutex<TransitionLog>);

struct TransitionLog {
    last: VecDeque<Transition>,
    /// The number of transitions, by the state before and after.
    counts: [[u64; State::ALL.len()]; State::ALL.len()],
}

impl History {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(TransitionLog { last: VecDeque::new(), counts: [[0; State::ALL.len()]; State::ALL.len()] }))
    }

    pub(crate) fn record(&self, from: State, to: State, reason: Reason) {
        let transition = Transition {
            from,
            to,
            at: SystemTime::now(),
            reason,
            #[cfg(feature = "testing")]
            moment: crate::clock::Moment::now(),
        };
        let mut log = self.lock();
        if log.last.len() == MOST {
            log.last.pop_front();
        }
        log.last.push_back(transition);
        if let Some(count) = log.counts.get_mut(from as usize).and_then(|row| row.get_mut(to as usize)) {
            *count += 1;
        }
    }

    pub(crate) fn read(&self) -> Vec<Transition> {
        self.lock().last.iter().copied().collect()
    }

    /// Returns the number of transitions, for each pair of states.
    pub(crate) fn counts(&self) -> Vec<((State, State), u64)> {
        let counts = self.lock().counts;
        let states = || State::ALL.iter().copied();
        let pairs =
            states().zip(counts).flat_map(|(from, row)| states().zip(row).map(move |(to, count)| ((from, to), count)));
        pairs.filter(|((from, to), _)| from != to).collect()
    }

    fn lock(&self) -> MutexGuard<'_, TransitionLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
