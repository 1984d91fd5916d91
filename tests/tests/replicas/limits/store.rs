//! A store in memory, on the clock of the test.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resilient_runtime::replicas::{Opening, OpeningId, PermitRequest, SharedError, SharedFuture, SharedState, Taken};
use tokio::time::{Instant, sleep};

/// The secret of all stores: the process keeps the first.
pub(super) const SECRET: [u8; 16] = *b"known everywhere";

/// How a store behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Behaviour {
    #[default]
    Answers,
    AnswersAfter(Duration),
    /// Rejects everything for this time.
    Rejects(Duration),
    Hangs,
    Fails,
    /// Panics when it is called.
    Panics,
    /// Panics when its future is polled.
    PanicsLater,
}

/// A store of rate limits. Its clones share the limits.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    behaviour: Mutex<Behaviour>,
    /// The theoretical arrival times.
    limits: Mutex<HashMap<(&'static str, Option<u128>), Instant>>,
    requests: Mutex<Vec<PermitRequest>>,
    problems: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Memory {
    pub(super) fn behaves(&self, behaviour: Behaviour) {
        *self.0.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// A store with these problems.
    pub(super) fn with_problems(problems: &[&str]) -> Self {
        let store = Self::default();
        *store.0.problems.lock().expect("no panic") = problems.iter().map(ToString::to_string).collect();
        store
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<PermitRequest> {
        self.0.requests.lock().expect("no panic").clone()
    }

    /// How often the runtime requested to connect.
    pub(super) fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// The number of requests so far.
    pub(super) fn asked(&self) -> usize {
        self.requests().len()
    }

    fn decide(&self, request: &PermitRequest) -> Taken {
        let interval = request.settings.interval();
        let tolerance = interval * (request.settings.bursts() - 1);
        let mut limits = self.0.limits.lock().expect("no panic");
        let now = Instant::now();
        let arrival = limits.entry((request.limit, request.key)).or_insert(now);
        let next = (*arrival).max(now);
        if now + tolerance < next {
            return Taken::Rejected { retry_after: next - tolerance - now };
        }
        *arrival = next + interval;
        Taken::Granted
    }
}

impl SharedState for Memory {
    fn take<'a>(&'a self, request: &'a PermitRequest) -> SharedFuture<'a, Taken> {
        let behaviour = *self.0.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.requests.lock().expect("no panic").push(request.clone());
        assert_ne!(behaviour, Behaviour::Panics, "as the test wants it");
        Box::pin(async move {
            match behaviour {
                Behaviour::AnswersAfter(time) => sleep(time).await,
                Behaviour::Rejects(retry_after) => return Ok(Taken::Rejected { retry_after }),
                Behaviour::Hangs => pending().await,
                Behaviour::Fails => return Err(SharedError::new("the connection is refused")),
                Behaviour::PanicsLater => panic!("as the test wants it"),
                Behaviour::Answers | Behaviour::Panics => {}
            }
            Ok(self.decide(request))
        })
    }

    fn publish<'a>(&'a self, _: &'a Opening) -> SharedFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn openings<'a>(&'a self, breakers: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>> {
        Box::pin(async { Ok(vec![None; breakers.len()]) })
    }

    fn secret(&self) -> [u8; 16] {
        SECRET
    }

    fn problems(&self) -> Vec<String> {
        self.0.problems.lock().expect("no panic").clone()
    }

    fn connect(&self) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        assert_ne!(*self.0.behaviour.lock().expect("no panic"), Behaviour::Panics, "as the test wants it");
    }
}
