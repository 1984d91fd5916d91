//! Which runs of bodies wait for which others, so that no two wait for each other.
//!
//! A call inside a run may follow another run. If that one already waits for the first, directly or through others, both
//! would wait until their deadlines. Then the call runs the body itself, as it would without single-flight.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pairs of runs, by their ids: a call inside the first waits for the second.
static WAITS: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

fn waits() -> MutexGuard<'static, Vec<(u64, u64)>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait for a run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wait {
    inside: Box<[u64]>,
    of: u64,
}

impl Wait {
    /// Begins to wait for the run `of`, inside these runs. Returns `None` if it waits for one of them.
    pub(crate) fn begin(inside: &[u64], of: u64) -> Option<Self> {
        // Most calls are inside no run, and nothing waits for them.
        if !inside.is_empty() {
            let mut waits = waits();
            if reaches(&waits, of, inside) {
                return None;
            }
            waits.extend(inside.iter().map(|inside| (*inside, of)));
        }
        Some(Self { inside: inside.into(), of })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.inside.is_empty() {
            return;
        }
        let mut waits = waits();
        for inside in &self.inside {
            if let Some(index) = waits.iter().position(|wait| *wait == (*inside, self.of)) {
                waits.swap_remove(index);
            }
        }
    }
}

/// Returns whether a run is one of `others`, or waits for one of them.
fn reaches(waits: &[(u64, u64)], run: u64, others: &[u64]) -> bool {
    let mut reached = vec![run];
    let mut next = 0;
    while let Some(run) = reached.get(next).copied() {
        if others.contains(&run) {
            return true;
        }
        for (from, to) in waits {
            if *from == run && !reached.contains(to) {
                reached.push(*to);
            }
        }
        next += 1;
    }
    false
}
