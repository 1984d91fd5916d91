//! A test's registry and the runtime with a paused clock that it runs on.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, timeout};

use super::chaos::{Chaos, InForce};
use super::{Caller, ObservedBreaker, ObservedCalls, ObservedPolicy, Timed, names};
use crate::clock::{CAN_BE_PAUSED, Moment};
use crate::identity::Principal;
use crate::registry::Registry;

/// The longest that a test may wait, on the paused clock.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The environment of a test: it injects faults and returns what was recorded. See [`run`].
#[derive(Debug)]
pub struct Lab {
    registry: Arc<Registry>,
    faults: Arc<InForce>,
    /// When the lab started, on the paused clock.
    began: Moment,
}

/// Runs a test in a new lab and returns its output.
///
/// The future runs on a new single-threaded tokio runtime whose clock is paused: if all tasks wait for timers, the
/// clock jumps to the next one. A retry after 30 s takes no real time and 30 s on the paused clock. Other threads and
/// the network are not timers: while a test waits for them, the clock jumps to the next timeout (except for
/// `spawn_blocking`, during which the clock stands still). Therefore use in-memory transports and servers.
///
/// Everything on the test's thread, including spawned tasks, uses the lab's registry: statistics, breakers, limits,
/// last good responses and faults belong to this test, even if other tests run in other threads. A `static Breaker`
/// belongs to the code and is shared by all tests. Threads that the test starts and `spawn_blocking` are outside the
/// lab.
///
/// The random numbers of `fastrand` on this thread start with the same seed in every run, and continue afterwards as
/// before. So a test takes the same time and has the same correlation ids in every run.
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
///     let call = lab.timed(never()).await; // takes no real time
///     call.assert_took("30s");
///     assert!(call.answer.is_err());
/// });
/// # }
/// ```
///
/// # Panics
/// If the test panics. If it is called within a runtime: use a plain `#[test]`. If the test waits for an event that
/// never occurs, which is detected after a year on the paused clock. If there were faults for a name that neither a
/// guarded tool of the lab nor a called guarded function has, or a fault that a function cannot return. If the settings
/// of two functions contradict each other, or those of one function break a rule, unless a report at start contained
/// the problem.
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
        // Drop the runtime here, so that everything dropped with it belongs to this test too.
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
    /// Injects faults into attempts that begin from now on, replacing earlier faults. `Chaos::new()` ends all faults.
    /// Names that match no function are reported at the end of [`run`].
    pub fn inject(&self, chaos: Chaos) {
        self.faults.set(chaos);
    }

    /// Creates a caller, with which the test can call guarded functions with a principal, a correlation id and a
    /// deadline, and cancel calls.
    pub fn caller(&self) -> Caller {
        Caller::new()
    }

    /// Sets the principal of tool calls over MCP from now on, as if a layer of the server had put it into the request's
    /// extensions. With `None`, the server determines the principal itself.
    pub fn set_principal(&self, principal: Option<&str>) {
        self.registry.callers.pretend(principal.map(Principal::new));
    }

    /// Returns the lab's registry, with all its statistics. Pass it to `Resilience::start_with` to apply settings in
    /// the lab.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Returns the statistics so far of a tool or another guarded function.
    ///
    /// For names, see [`Chaos::on`]. A tool is known once its router was built in the lab, by serving it or by
    /// `Server::tool_router()`; any other function once it was called.
    ///
    /// # Panics
    /// If no known function matches the name, or several do.
    #[must_use]
    #[track_caller]
    pub fn calls(&self, name: &str) -> ObservedCalls {
        let name = self.name(name);
        let counted = self.registry.tool(&name).or_else(|| self.registry.function(&name));
        let Some(counted) = counted else { panic!("nothing is counted of `{name}`") };
        ObservedCalls { name, counted }
    }

    /// Returns the effective policy of a tool or another guarded function in this lab: from the code and
    /// `resilient.toml`, with the settings that were started with its [`registry`](Self::registry).
    ///
    /// # Panics
    /// If no known function matches the name, or several do; see [`calls`](Self::calls).
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

    /// Returns a snapshot of a breaker. If its policy has a `key`, it is the breaker of calls without a key; for the
    /// others, see [`Registry::breakers`].
    ///
    /// # Panics
    /// If no guarded function that is known to this lab has a breaker of that name; see [`calls`](Self::calls).
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

    /// Runs a future and measures how long it takes on the paused clock.
    ///
    /// Dropping the returned future drops `future`.
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

    /// Panics about mistakes that would otherwise go unnoticed: faults for misspelt names, which would test nothing,
    /// and contradicting settings, which would only be logged.
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

/// Seeds the random numbers of this thread with the same value in every run, and restores the previous seed when
/// dropped.
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
