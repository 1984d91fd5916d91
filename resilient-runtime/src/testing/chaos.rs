//! Injects faults into functions by name.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher13;

use super::fault::Fault;
use super::names::is_meant;
use crate::registry::{Inject, Injection, Registry};
use crate::site::Site;

/// Faults for guarded functions and tools, by script or with a probability.
///
/// Attempts of a function are counted in the order in which they begin. With the same seed, the n-th attempt meets the
/// same fault in every run, whichever of several concurrent calls it belongs to. The seed matters only for
/// [`probability`](Fault::probability) and [`latency`](Fault::latency).
///
/// ```
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::testing::{Chaos, Fault};
///
/// let chaos = Chaos::seeded(7)
///     // Two errors, then an attempt that hangs; later attempts run normally.
///     .on("list_orders", [Fault::error(ErrorKind::Unavailable).times(2), Fault::hang().times(1)])
///     // One attempt in three is slow, without an end.
///     .on("get_order", [Fault::latency("1s", "5s").probability(0.33)]);
/// # let _ = chaos;
/// ```
///
/// Faults have no effect until you pass them to a lab, and only affect that lab: see
/// [`Lab::inject`](super::Lab::inject).
#[derive(Debug, Default)]
#[must_use = "nothing goes wrong before `Lab::inject`"]
pub struct Chaos {
    seed: u64,
    scripts: Vec<Script>,
}

/// The faults for the functions of one name.
#[derive(Debug)]
struct Script {
    of: String,
    faults: Vec<Fault>,
    begun: AtomicU64,
}

impl Chaos {
    /// Creates a chaos without faults and with the seed 0, for scripts without random faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a chaos without faults and with this seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds faults for the functions of this name, in this order: the first fault applies to as many attempts as its
    /// [`times`](Fault::times), then the next one, and attempts after the last fault run normally.
    ///
    /// The name is the name of a tool, the name that a policy sets (`name = ".."`), or the path of a function or the
    /// end of its path: `list`, `api::list`. If a function has exactly this name, only that function is meant;
    /// otherwise the attempts of all matching functions are counted together. If several names match a function, the
    /// first one applies.
    ///
    /// # Panics
    /// If a fault can never be met because the one before it applies to all attempts, or if the name has faults
    /// already.
    #[track_caller]
    pub fn on(mut self, name: &str, faults: impl IntoIterator<Item = Fault>) -> Self {
        let is_new = self.scripts.iter().all(|script| script.of != name);
        assert!(is_new, "`{name}` has faults already; write all of them in one list");
        let faults: Vec<_> = faults.into_iter().collect();
        if let Some((_, before_last)) = faults.split_last()
            && let Some(endless) = before_last.iter().position(|fault| fault.takes().is_none())
        {
            panic!(
                "of the faults for `{name}` the number {} is never met; give the one before it `times`",
                endless + 2
            );
        }
        self.scripts.push(Script { of: name.to_owned(), faults, begun: AtomicU64::new(0) });
        self
    }

    /// Returns the fault of the attempt that begins now.
    fn inject(&self, registry: &Registry, site: &Site) -> Option<Injection> {
        let is_for = |script: &&Script| is_meant(registry, &script.of, site.name(), site.tool());
        let script = self.scripts.iter().find(is_for)?;
        let attempt = script.begun.fetch_add(1, Ordering::Relaxed);
        let mut first = 0;
        let fault = script.faults.iter().find(|fault| {
            first += u64::from(fault.takes().unwrap_or(u32::MAX));
            fault.takes().is_none() || attempt < first
        })?;
        fault.inject(script.random(self.seed, attempt))
    }

    /// Returns the names for which no attempt began.
    fn unmet(&self) -> impl Iterator<Item = String> {
        self.scripts.iter().filter(|script| script.begun.load(Ordering::Relaxed) == 0).map(|script| script.of.clone())
    }
}

impl Script {
    /// Returns the random numbers of one attempt: the same for the same seed, on every machine.
    fn random(&self, seed: u64, attempt: u64) -> fastrand::Rng {
        let mut hasher = SipHasher13::new_with_keys(seed, attempt);
        hasher.write(self.of.as_bytes());
        fastrand::Rng::with_seed(hasher.finish())
    }
}

/// The chaos of a registry, if there is any.
#[derive(Debug, Default)]
pub(crate) struct InForce(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chaos: Option<Arc<Chaos>>,
    /// The names of replaced chaos for which no attempt began.
    unmet: Vec<String>,
    /// Faults that a function cannot return.
    refused: Vec<String>,
}

impl Inject for InForce {
    fn inject(&self, registry: &Registry, site: &Site) -> Option<Injection> {
        let chaos = self.lock().chaos.clone();
        chaos?.inject(registry, site)
    }

    fn refuse(&self, why: String) {
        self.lock().refused.push(why);
    }
}

impl InForce {
    /// Replaces the chaos.
    pub(super) fn set(&self, chaos: Chaos) {
        let mut state = self.lock();
        let unmet = state.chaos.iter().flat_map(|chaos| chaos.unmet()).collect::<Vec<_>>();
        state.unmet.extend(unmet);
        state.chaos = Some(Arc::new(chaos));
    }

    /// Returns all names of faults, including replaced ones, for which no attempt began.
    pub(super) fn unmet(&self) -> Vec<String> {
        let state = self.lock();
        let last = state.chaos.iter().flat_map(|chaos| chaos.unmet());
        state.unmet.iter().cloned().chain(last).collect()
    }

    /// Returns the first recorded fault that a function cannot return.
    pub(super) fn refused(&self) -> Option<String> {
        self.lock().refused.first().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
