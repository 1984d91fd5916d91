//! One breaker for each value of a key, and never more than a bounded number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use resilient_policy::BreakerSettings;

use super::{Breaker, BreakerSnapshot, BreakerState};

/// The most breakers of one name. What comes beyond shares one.
const MOST: usize = 1_024;

/// The breakers of one name, by key.
pub(crate) struct KeyedBreakers {
    name: &'static str,
    declared: OnceLock<BreakerSettings>,
    breakers: Mutex<HashMap<u128, Arc<Breaker>>>,
    overflow: OnceLock<Arc<Breaker>>,
}

impl KeyedBreakers {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, declared: OnceLock::new(), breakers: Mutex::default(), overflow: OnceLock::new() }
    }

    /// Gives the settings of breakers to come; the first to say so is heard, and who differs is
    /// told by the breaker of the plain name.
    pub(crate) fn declare(&self, settings: BreakerSettings) {
        let _ = self.declared.set(settings);
    }

    /// The breaker of this key. Where there are too many, one that is closed, clean and used by
    /// nobody makes room; where none is, the one that all the others share.
    pub(crate) fn get(&self, key: u128) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = breakers.get(&key) {
            return Arc::clone(found);
        }
        if breakers.len() >= MOST {
            // A quarter at a time, so that looking for room is rare.
            let mut room = MOST / 4;
            breakers.retain(|_, breaker| {
                let drop = room > 0 && Arc::strong_count(breaker) == 1 && breaker.has_nothing_to_remember();
                room -= usize::from(drop);
                !drop
            });
        }
        if breakers.len() >= MOST {
            return Arc::clone(self.overflow.get_or_init(|| Arc::new(self.fresh())));
        }
        let fresh = Arc::new(self.fresh());
        breakers.insert(key, Arc::clone(&fresh));
        fresh
    }

    /// What those say that are not closed.
    pub(crate) fn not_closed(&self) -> Vec<BreakerSnapshot> {
        let mut all: Vec<_> = self.breakers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.extend(self.overflow.get().cloned());
        all.iter().filter(|breaker| breaker.state() != BreakerState::Closed).map(|breaker| breaker.snapshot()).collect()
    }

    fn fresh(&self) -> Breaker {
        Breaker::new(self.name, self.declared.get().copied().unwrap_or_default())
    }
}
