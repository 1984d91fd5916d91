//! Which functions go wrong, and when.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher13;

use super::fault::Fault;
use super::names::is_meant;
use crate::registry::{Inject, Met, Registry};
use crate::site::Site;

/// Faults for guarded functions and tools, by script or by chance.
///
/// The attempts of a function are counted in the order in which they begin. For one seed the n-th of them meets
/// the same fault in every run, whichever of several concurrent calls it belongs to. Another seed is other
/// chances; without [`probability`](Fault::probability) and [`latency`](Fault::latency) it makes no difference.
///
/// ```
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::testing::{Chaos, Fault};
///
/// let chaos = Chaos::seeded(7)
///     // Two errors and an attempt that hangs; then all is well.
///     .on("list_orders", [Fault::error(ErrorKind::Unavailable).times(2), Fault::hang().times(1)])
///     // One in three is slow, for ever.
///     .on("get_order", [Fault::latency("1s", "5s").probability(0.33)]);
/// # let _ = chaos;
/// ```
///
/// Nothing goes wrong before it is given to a lab, and then nowhere else: see [`Lab::inject`](super::Lab::inject).
#[derive(Debug, Default)]
#[must_use = "nothing goes wrong before `Lab::inject`"]
pub struct Chaos {
    seed: u64,
    scripts: Vec<Script>,
}

/// What happens to the functions of one name.
#[derive(Debug)]
struct Script {
    of: String,
    faults: Vec<Fault>,
    begun: AtomicU64,
}

impl Chaos {
    /// No faults, for scripts in which nothing is left to chance: the seed is 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// No faults, with this seed for those to come.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Lets the functions of this name meet these faults, in this order: the first takes as many attempts as it
    /// says, then the next, and after the last one all is well.
    ///
    /// The name is that of a tool, the one that a policy gives (`name = ".."`), or the path of a function or the
    /// end of that: `list`, `api::list`. Where something is called exactly that, nothing else is meant; else the
    /// attempts of all functions that it fits are counted together. Of several names that fit a function the first
    /// is asked.
    ///
    /// # Panics
    /// Where a fault is never met: the one before it takes all attempts, or the name has faults already.
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

    /// What the attempt meets that begins now.
    fn meets(&self, registry: &Registry, site: &Site) -> Option<Met> {
        let is_for = |script: &&Script| is_meant(registry, &script.of, site.name(), site.tool());
        let script = self.scripts.iter().find(is_for)?;
        let attempt = script.begun.fetch_add(1, Ordering::Relaxed);
        let mut first = 0;
        let fault = script.faults.iter().find(|fault| {
            first += u64::from(fault.takes().unwrap_or(u32::MAX));
            fault.takes().is_none() || attempt < first
        })?;
        fault.meets(script.die(self.seed, attempt))
    }

    /// The names of which no attempt began.
    fn unmet(&self) -> impl Iterator<Item = String> {
        self.scripts.iter().filter(|script| script.begun.load(Ordering::Relaxed) == 0).map(|script| script.of.clone())
    }
}

impl Script {
    /// The die of one attempt: the same for one seed, on every machine.
    fn die(&self, seed: u64, attempt: u64) -> fastrand::Rng {
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
    /// What chaos before it had faults for, and nobody met.
    unmet: Vec<String>,
    /// Faults that a function could not answer with.
    refused: Vec<String>,
}

impl Inject for InForce {
    fn meets(&self, registry: &Registry, site: &Site) -> Option<Met> {
        let chaos = self.lock().chaos.clone();
        chaos?.meets(registry, site)
    }

    fn refuse(&self, why: String) {
        self.lock().refused.push(why);
    }
}

impl InForce {
    /// Takes the place of the chaos before it.
    pub(super) fn set(&self, chaos: Chaos) {
        let mut state = self.lock();
        let unmet = state.chaos.iter().flat_map(|chaos| chaos.unmet()).collect::<Vec<_>>();
        state.unmet.extend(unmet);
        state.chaos = Some(Arc::new(chaos));
    }

    /// The names that there were faults for, and of which no attempt began meanwhile.
    pub(super) fn unmet(&self) -> Vec<String> {
        let state = self.lock();
        let last = state.chaos.iter().flat_map(|chaos| chaos.unmet());
        state.unmet.iter().cloned().chain(last).collect()
    }

    /// The first of those faults.
    pub(super) fn refused(&self) -> Option<String> {
        self.lock().refused.first().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
