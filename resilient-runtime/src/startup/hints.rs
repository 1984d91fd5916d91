//! The task that connects the breakers of replicas: it publishes that a breaker of this one has opened, and arms a
//! breaker when that of another replica has.

mod seen;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use seen::SeenOpenings;

use super::Handle;
use crate::breaker::Breaker;
use crate::panics::{answer_within, catch_panic};
use crate::replicas::{Opening, OpeningId, Part, Replicas};

/// The time from one reading of the openings of other replicas to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// How long each request to the shared state may take.
const LIMIT: Duration = Duration::from_millis(500);

/// How long an opening is published at least, so that each replica reads it.
const SHORTEST: Duration = Duration::from_secs(2);

/// Returns why the task cannot start.
pub(super) fn problem() -> Option<String> {
    let is_outside = Runtime::try_current().is_err();
    is_outside.then(|| "what replicas share is read in a Tokio runtime; call `Resilience::start` within one".to_owned())
}

/// Starts the task, if the registry shares anything with other replicas. It ends with the handle.
pub(super) fn start(handle: &Handle) {
    let registry = handle.registry();
    let Some(replicas) = registry.replicas.get().cloned() else { return };
    let Some(opened) = registry.watch_openings() else { return };
    let hints = Hints { handle: handle.clone(), replicas, known: HashMap::new() };
    handle.spawn(hints.run(opened));
}

/// What is known about the openings of one breaker.
#[derive(Default)]
struct Known {
    /// The number of openings of this replica, up to the last one that needs no publication any more.
    published: u64,
    /// The openings in other replicas.
    seen: SeenOpenings,
    /// When one of them armed the breaker last.
    armed_at: Option<Instant>,
}

impl Known {
    /// Arms the breaker because of an opening in another replica. Each opening has an effect once, and none later if the
    /// breaker is not closed now. A breaker is armed once in each of its open periods at most: many replicas together have an
    /// opening at nearly any time if each of them has few, and each arming may open this breaker.
    fn react(&mut self, breaker: &Breaker, id: OpeningId, now: Instant) {
        let is_new = self.seen.is_new(id, now);
        let is_resting = self.armed_at.is_some_and(|armed_at| now - armed_at < breaker.settings().open);
        // The subscriber may panic, after the breaker was armed.
        if is_new && !is_resting && catch_panic(|| breaker.arm()) != Some(false) {
            self.armed_at = Some(now);
        }
    }
}

struct Hints {
    handle: Handle,
    replicas: Arc<Replicas>,
    known: HashMap<&'static str, Known>,
}

impl Hints {
    async fn run(mut self, opened: Arc<Notify>) {
        let mut next = Instant::now();
        loop {
            let _ = timeout_at(next, opened.notified()).await;
            let now = Instant::now();
            // Functions are bound at their first call, so there may be new ones.
            let breakers = self.handle.registry().distributed_breakers();
            let is_published = self.publish(&breakers).await;
            if now >= next {
                next = now + PERIOD;
                if !breakers.is_empty() && self.read(&breakers).await && is_published {
                    self.replicas.recovered(Part::Breaker);
                }
            }
        }
    }

    /// Publishes the openings that are not published yet, all at the same time. Returns whether no request failed.
    /// Those that failed are published later, while the breaker is still open.
    async fn publish(&mut self, breakers: &[Arc<Breaker>]) -> bool {
        let mut requests = JoinSet::new();
        for breaker in breakers {
            let known = self.known.entry(breaker.name()).or_default();
            let number = breaker.own_openings();
            if known.published == number {
                continue;
            }
            if !breaker.is_still_open() {
                known.published = number;
                continue;
            }
            let id = OpeningId { replica: self.replicas.id, number };
            let lasts = breaker.remaining().unwrap_or(SHORTEST).max(SHORTEST);
            let opening = Opening { breaker: breaker.name(), id, lasts };
            let state = Arc::clone(&self.replicas.state);
            requests.spawn(async move {
                let answer = answer_within(LIMIT, || state.publish(&opening)).await;
                (opening, answer)
            });
        }
        let mut is_published = true;
        while let Some(ended) = requests.join_next().await {
            match ended {
                Ok((opening, Ok(()))) => {
                    self.known.entry(opening.breaker).or_default().published = opening.id.number;
                }
                Ok((_, Err(error))) => {
                    self.failed(&error);
                    is_published = false;
                }
                Err(_) => is_published = false,
            }
        }
        is_published
    }

    /// Reads the openings of other replicas, and arms the breakers that have new ones. Disarms those whose news is over.
    /// Returns whether the shared state has answered.
    async fn read(&mut self, breakers: &[Arc<Breaker>]) -> bool {
        let names: Vec<_> = breakers.iter().map(|breaker| breaker.name()).collect();
        let found = match answer_within(LIMIT, || self.replicas.state.openings(&names)).await {
            Ok(found) if found.len() == names.len() => found,
            Ok(found) => {
                self.failed(&format!("{} answers for {} breakers", found.len(), names.len()));
                return false;
            }
            Err(error) => {
                self.failed(&error);
                return false;
            }
        };
        let now = Instant::now();
        for (breaker, id) in breakers.iter().zip(found) {
            match id {
                None => breaker.disarm(),
                Some(id) if id.replica == self.replicas.id => {}
                Some(id) => self.known.entry(breaker.name()).or_default().react(breaker, id, now),
            }
        }
        true
    }

    fn failed(&self, error: &str) {
        self.replicas.degraded(Part::Breaker, error);
    }
}
