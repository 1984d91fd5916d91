//! A registry of a test's own, and the runtime that everything in it runs on.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, timeout};

use super::chaos::{Chaos, InForce};
use super::{Caller, ObservedBreaker, ObservedCalls, ObservedPolicy, Timed, names};
use crate::clock::{CAN_BE_PAUSED, Moment};
use crate::identity::Principal;
use crate::registry::Registry;

/// No test waits for longer, on the paused clock.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a test does things in, and asks afterwards what happened. See [`run`].
#[derive(Debug)]
pub struct Lab {
    registry: Arc<Registry>,
    faults: Arc<InForce>,
    /// When it began, on its own clock.
    began: Moment,
}

/// Runs a test in a lab of its own, and gives what it returns.
///
/// The future runs on a new single-threaded tokio runtime whose clock is paused: where everything waits for a
/// timer, the clock jumps to it. A retry after 30 s takes no time and is 30 s long. What waits for another thread
/// or for the network is not a timer: while a test waits for that, the clock jumps to the next timeout
/// (`spawn_blocking` excepted: meanwhile the clock stands still). So serve in memory what a test talks to.
///
/// All that runs on the test's thread has the lab's registry, spawned tasks among it: statistics, breakers, limits,
/// last good answers and faults are those of this test, while others run in other threads. A `static Breaker`
/// belongs to the code, and tests share it; a thread that the test starts is outside, and so is what
/// `spawn_blocking` runs.
///
/// The random numbers of `fastrand` on this thread begin with the same seed, and go on afterwards as before: a test
/// takes the same time in every run, and its correlation ids are the same.
///
/// ```
/// use resilient_runtime::{ResilienceError, resilient, testing};
///
/// #[resilient(timeout = "30s")]
/// async fn never() -> Result<(), ResilienceError> {
///     std::future::pending().await
/// }
///
/// # fn main() {
/// testing::run(async |lab| {
///     let call = lab.timed(never()).await; // at once
///     call.assert_took("30s");
///     assert!(call.answer.is_err());
/// });
/// # }
/// ```
///
/// # Panics
/// Where the test does. Where it is called within a runtime: it belongs in a plain `#[test]`. Where the test
/// waits for something that never comes, which shows as a year on the paused clock. Where there were faults for a
/// name that no guarded tool of the lab has, nor any guarded function that was called, or a fault that a function
/// cannot answer with. Where the settings of two functions contradict each other, or those of a function break a rule,
/// unless a report at start has said so.
#[track_caller]
pub fn run<T>(test: impl AsyncFnOnce(&Lab) -> T) -> T {
    const { assert!(CAN_BE_PAUSED) }
    assert!(
        Handle::try_current().is_err(),
        "`testing::run` makes a runtime of its own; call it in a plain `#[test]`, and not in an `async` one"
    );
    let runtime = match Builder::new_current_thread().enable_all().start_paused(true).build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime could be made: {error}"),
    };
    let began = runtime.block_on(async { Moment::now() });
    let lab = Lab { registry: Arc::default(), faults: Arc::default(), began };
    lab.registry.chaos.set(Arc::<InForce>::clone(&lab.faults));
    let delays = SameDelays::draw();
    let ended = Arc::clone(&lab.registry).on_this_thread(|| {
        let ended = runtime.block_on(async { timeout(A_YEAR, test(&lab)).await });
        // Here, so that what is dropped with it is still this test's.
        drop(runtime);
        ended
    });
    drop(delays);
    let Ok(returned) = ended else {
        panic!(
            "the test waits for something that never comes; a paused clock waits neither for the network nor for other threads"
        )
    };
    lab.check();
    returned
}

impl Lab {
    /// Lets attempts go wrong that begin from now on, in place of what was injected before.
    /// `Chaos::new()` ends all faults. Names that nobody has are told when the test has [`run`].
    pub fn inject(&self, chaos: Chaos) {
        self.faults.set(chaos);
    }

    /// A caller, in whose name the test calls guarded functions: with a principal, a correlation id and a deadline, and
    /// with a call that can be cancelled.
    pub fn caller(&self) -> Caller {
        Caller::new()
    }

    /// The tool calls that a client makes over MCP come from this principal from now on, as if a layer of the server
    /// had put it into the request's extensions; `None`: from whom the server finds out by itself.
    pub fn set_principal(&self, principal: Option<&str>) {
        self.registry.callers.pretend(principal.map(Principal::new));
    }

    /// The lab's registry: all that was counted in it, and where settings at start may hold
    /// (`Resilience::start_with`).
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What became so far of the calls of a tool or another guarded function. Names are those of
    /// [`Chaos::on`]; a tool's is known once its router was built in the lab, which serving it does and
    /// `Server::tool_router()`, any other once it was called.
    ///
    /// # Panics
    /// Where no function of that name is known, or several are.
    #[must_use]
    #[track_caller]
    pub fn calls(&self, name: &str) -> ObservedCalls {
        let name = self.name(name);
        let counted = self.registry.tool(&name).or_else(|| self.registry.function(&name));
        let Some(counted) = counted else { panic!("nothing is counted of `{name}`") };
        ObservedCalls { name, counted }
    }

    /// The policy of a tool or another guarded function, as it holds in this lab: as the code and
    /// `resilient.toml` have it, with the settings that were started with its [`registry`](Self::registry).
    ///
    /// # Panics
    /// Where no function of that name is known, or several are; see [`calls`](Self::calls).
    #[must_use]
    #[track_caller]
    pub fn policy(&self, name: &str) -> ObservedPolicy {
        let name = self.name(name);
        let mut policies = self.registry.policies();
        policies.retain(|policy| policy.name == name);
        match policies[..] {
            [one] => ObservedPolicy(one),
            [] => panic!("`{name}` has no policy; put `#[resilient(..)]` above it"),
            [one, other, ..] => panic!(
                "two functions are counted as `{name}`, in {}:{} and in {}:{}; give one of them another `name`",
                one.file, one.line, other.file, other.line
            ),
        }
    }

    /// A breaker, where it stands now. Where its policy has a `key` it is that of calls without one;
    /// [`Registry::breakers`] has the others.
    ///
    /// # Panics
    /// Where no guarded function that is known to this lab has a breaker of that name; see [`calls`](Self::calls).
    #[must_use]
    #[track_caller]
    pub fn breaker(&self, name: &str) -> ObservedBreaker {
        if let Some(breaker) = self.registry.breaker(name) {
            return ObservedBreaker { read: breaker.snapshot(), began: self.began };
        }
        let known = self.registry.breakers();
        let known: Vec<_> = known.iter().map(|breaker| breaker.name).collect();
        let instead = if known.is_empty() { "; there is none".into() } else { resilient_policy::one_of(name, &known) };
        panic!("no guarded function that is known to this lab has a breaker `{name}`{instead}")
    }

    /// Runs a future, and says how long it took on the paused clock.
    ///
    /// Dropping it drops the future within.
    pub async fn timed<T>(&self, future: impl Future<Output = T>) -> Timed<T> {
        let started = Instant::now();
        let answer = future.await;
        Timed { answer, took: started.elapsed() }
    }

    #[track_caller]
    fn name(&self, wanted: &str) -> String {
        match names::resolve(&self.registry, wanted) {
            Ok(name) => name,
            Err(why) => panic!("{why}"),
        }
    }

    /// Without this a fault for a name that is misspelt would be a test of nothing, and settings that contradict each
    /// other would be a line of the log.
    #[track_caller]
    fn check(&self) {
        if let Some(why) = self.faults.refused() {
            panic!("{why}");
        }
        let contradictions = self.registry.unreported();
        assert!(contradictions.is_empty(), "the settings cannot hold together:\n  {}", contradictions.join("\n  "));
        if let Some(why) = names::unknown(&self.registry, &self.faults.unmet()) {
            panic!("{why}");
        }
    }
}

/// Draws the random numbers of this thread from the same seed in every run, until it is dropped.
struct SameDelays {
    before: u64,
}

impl SameDelays {
    fn draw() -> Self {
        let before = fastrand::get_seed();
        fastrand::seed(0);
        Self { before }
    }
}

impl Drop for SameDelays {
    fn drop(&mut self) {
        fastrand::seed(self.before);
    }
}
