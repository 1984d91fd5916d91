//! Breakers of several replicas: each registry is a replica, and a store in memory is what they share.

mod board;
mod hints;
mod many;
mod operators;
mod outages;

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::{BreakerSnapshot, BreakerState, Reason, Transition};
use resilient_runtime::policy::{BreakerSettings, BreakerUse};
use resilient_runtime::replicas::OpeningId;
use resilient_runtime::startup::Handle;
use resilient_runtime::{Guard, Policy, Registry, Resilience, ResilienceError};

use crate::Error;
use board::Board;

/// After this time, each replica knows the openings of the others.
const KNOWN: Duration = Duration::from_millis(1_200);

/// The open period. A breaker is armed once in this time.
const OPEN: Duration = Duration::from_secs(30);

const SETTINGS: BreakerSettings = BreakerSettings::new().failures(5).open(OPEN).successes(2);

/// A policy whose breaker all replicas share under this name.
const fn shared(name: &'static str, settings: BreakerSettings) -> Policy {
    Policy::new().breaker(BreakerUse::with(name, settings).distributed())
}

/// An opening in a replica that is not part of a test.
const fn elsewhere(number: u64) -> OpeningId {
    OpeningId { replica: 7, number }
}

/// A replica: a registry whose settings were read.
struct Replica {
    registry: Arc<Registry>,
    guard: &'static Guard,
    handle: Handle,
}

impl Replica {
    fn start(board: &Board, guard: &'static Guard) -> Self {
        let registry = Arc::new(Registry::new());
        let resilience = Resilience::from_variables([]).shared(board.clone()).guard(guard);
        let handle = resilience.start_with(&registry).expect("nothing is wrong");
        Self { registry, guard, handle }
    }

    fn several<const N: usize>(board: &Board, guard: &'static Guard) -> [Self; N] {
        std::array::from_fn(|_| Self::start(board, guard))
    }

    /// Makes a call to the dependency, which is up or down. Returns whether it was rejected.
    async fn call(&self, is_up: bool) -> bool {
        let answer = self.guard.call(|| async move { if is_up { Ok(()) } else { Err(Error::Down) } });
        match self.registry.clone().scope(answer).await {
            Ok(()) | Err(Error::Down) => false,
            Err(Error::Resilience(ResilienceError::CircuitOpen { .. })) => true,
            other => panic!("{other:?}"),
        }
    }

    /// Makes this many calls that fail.
    async fn fails(&self, calls: u32) {
        for _ in 0..calls {
            assert!(!self.call(false).await, "no call is rejected before the last has failed");
        }
    }

    fn breaker(&self) -> BreakerSnapshot {
        let all = self.registry.breakers();
        assert_eq!(all.len(), 1);
        all.into_iter().next().expect("one")
    }

    fn state(&self) -> BreakerState {
        self.breaker().state
    }

    /// Returns the reason of each transition from closed to open.
    fn openings(&self) -> Vec<Reason> {
        let is_opening = |moved: &Transition| (moved.from, moved.to) == (BreakerState::Closed, BreakerState::Open);
        self.breaker().transitions.into_iter().filter(is_opening).map(|moved| moved.reason).collect()
    }

    /// How often its breakers did without the shared state.
    fn degraded(&self) -> u64 {
        let text = resilient_runtime::export::prometheus::text(&self.registry);
        let count =
            |line: &str| line.strip_prefix("resilient_distributed_degraded_total{part=\"breaker\"} ")?.parse().ok();
        text.lines().find_map(count).expect("the series is there")
    }
}
