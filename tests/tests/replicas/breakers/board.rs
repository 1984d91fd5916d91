//! A shared state in memory, which can be away in several ways.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use resilient_runtime::replicas::{Opening, OpeningId, PermitRequest, SharedError, SharedFuture, SharedState, Taken};
use tokio::time::Instant;

/// What is wrong with the shared state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    Refuses,
    Hangs,
    /// Panics before it returns a future.
    Panics,
    PanicsWhenPolled,
    /// Returns openings of fewer breakers than requested.
    AnswersTooFew,
    /// Returns openings of more breakers than requested.
    AnswersTooMany,
}

impl Outage {
    pub(super) const ALL: [Self; 6] =
        [Self::Refuses, Self::Hangs, Self::Panics, Self::PanicsWhenPolled, Self::AnswersTooFew, Self::AnswersTooMany];
}

#[derive(Debug, Default)]
struct State {
    outage: Option<Outage>,
    latest: HashMap<&'static str, (OpeningId, Instant)>,
    published: Vec<Opening>,
    readings: Vec<(Instant, Vec<&'static str>)>,
}

/// The state that replicas share. A clone is the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct Board(Arc<Mutex<State>>);

impl Board {
    pub(super) fn set_outage(&self, outage: Option<Outage>) {
        self.lock().outage = outage;
    }

    /// Returns the openings that were published, oldest first.
    pub(super) fn published(&self) -> Vec<Opening> {
        self.lock().published.clone()
    }

    /// Returns when openings were read, and those of which breakers.
    pub(super) fn readings(&self) -> Vec<(Instant, Vec<&'static str>)> {
        self.lock().readings.clone()
    }

    /// Publishes the opening of a breaker in a replica that is not part of the test.
    pub(super) fn opened_elsewhere(&self, breaker: &'static str, id: OpeningId) {
        let expires = Instant::now() + std::time::Duration::from_secs(60);
        self.lock().latest.insert(breaker, (id, expires));
    }

    /// Forgets everything, as a store does that was flushed.
    pub(super) fn flush(&self) {
        self.lock().latest.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers, unless there is an outage.
    fn answer<T: Send + 'static>(&self, answer: impl FnOnce(&mut State) -> T) -> SharedFuture<'static, T> {
        let mut state = self.lock();
        let outage = state.outage;
        let answer = match outage {
            None | Some(Outage::AnswersTooFew | Outage::AnswersTooMany) => Some(answer(&mut state)),
            Some(_) => None,
        };
        drop(state);
        assert!(outage != Some(Outage::Panics), "on purpose");
        Box::pin(async move {
            match answer {
                Some(answer) => Ok(answer),
                None if outage == Some(Outage::Hangs) => std::future::pending().await,
                None if outage == Some(Outage::Refuses) => Err(SharedError::new("away")),
                None => panic!("on purpose"),
            }
        })
    }
}

impl SharedState for Board {
    fn take<'a>(&'a self, _: &'a PermitRequest) -> SharedFuture<'a, Taken> {
        self.answer(|_| Taken::Granted)
    }

    fn publish<'a>(&'a self, opening: &'a Opening) -> SharedFuture<'a, ()> {
        self.answer(|state| {
            state.latest.insert(opening.breaker, (opening.id, Instant::now() + opening.lasts));
            state.published.push(opening.clone());
        })
    }

    fn openings<'a>(&'a self, breakers: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>> {
        let now = Instant::now();
        self.lock().readings.push((now, breakers.to_vec()));
        self.answer(|state| {
            let latest = |name| state.latest.get(name).filter(|(_, expires)| now < *expires).map(|(id, _)| *id);
            let mut found: Vec<_> = breakers.iter().map(|name| latest(*name)).collect();
            match state.outage {
                Some(Outage::AnswersTooFew) => drop(found.pop()),
                Some(Outage::AnswersTooMany) => found.push(Some(OpeningId { replica: 1, number: 1 })),
                _ => {}
            }
            found
        })
    }

    fn secret(&self) -> [u8; 16] {
        *b"known everywhere"
    }
}
