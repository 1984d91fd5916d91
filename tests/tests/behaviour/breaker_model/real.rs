//! The real breaker: its visible state, and the executions that it admits.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use resilient_runtime::breaker::{BreakerState, Permit};
use resilient_runtime::{Breaker, McpError, ResilienceError};

use super::model::Counts;
use super::{End, Move, millis};

/// The visible state of a breaker.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub(super) state: BreakerState,
    pub(super) remaining: Option<u64>,
    pub(super) failures_in_a_row: u32,
    pub(super) window: Option<(u32, u32, u32)>,
    pub(super) probes: u32,
    pub(super) told: Vec<Move>,
    pub(super) counts: Counts,
}

impl Said {
    pub(super) fn by(breaker: &Breaker) -> Self {
        let read = breaker.snapshot();
        assert_eq!((read.state, read.remaining), (breaker.state(), breaker.remaining()));
        Self {
            state: read.state,
            remaining: read.remaining.map(millis),
            failures_in_a_row: read.consecutive_failures,
            window: read.window,
            probes: read.probes,
            told: read.transitions.iter().map(|told| (told.from, told.to, told.reason)).collect(),
            counts: Counts {
                successes: read.successes,
                failures: read.failures,
                neutral: read.neutral,
                rejected: read.rejected,
                stale: read.stale,
            },
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error, McpError)]
pub(super) enum Error {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("wrong")]
    #[mcp(kind = not_found)]
    CallersMistake,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

type Answer = Result<(), Error>;

/// An admitted execution.
pub(super) enum Held<'b> {
    Permit(Permit<'b>),
    Call { ends: Rc<Cell<Option<End>>>, future: Pin<Box<dyn Future<Output = Answer> + 'b>> },
}

impl<'b> Held<'b> {
    pub(super) fn start(breaker: &'b Breaker, ends: Option<End>) -> Self {
        let ends = Rc::new(Cell::new(ends));
        let seen = Rc::clone(&ends);
        let body = std::future::poll_fn(move |_| match seen.get() {
            None => Poll::Pending,
            Some(End::Good) => Poll::Ready(Ok(())),
            Some(End::Failed) => Poll::Ready(Err(Error::Down)),
            Some(End::CallersMistake) => Poll::Ready(Err(Error::CallersMistake)),
            Some(End::Panicked | End::Dropped) => resume_unwind(Box::new("on purpose")),
        });
        Self::Call { ends, future: Box::pin(breaker.call(body)) }
    }

    /// Polls the answer. `None` is a panic.
    pub(super) fn poll(&mut self) -> Poll<Option<Answer>> {
        match self {
            Self::Permit(_) => Poll::Pending,
            Self::Call { future, .. } => {
                let mut cx = Context::from_waker(Waker::noop());
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
                    Ok(polled) => polled.map(Some),
                    Err(_) => Poll::Ready(None),
                }
            }
        }
    }

    pub(super) fn end(mut self, end: End) -> TestCaseResult {
        match self {
            Self::Permit(permit) => match end {
                End::Good => permit.success(),
                End::Failed => permit.failure(),
                End::CallersMistake | End::Dropped => drop(permit),
                End::Panicked => {
                    let unwound = catch_unwind(AssertUnwindSafe(|| {
                        let _held = permit;
                        resume_unwind(Box::new("on purpose"))
                    }));
                    prop_assert!(unwound.is_err());
                }
            },
            Self::Call { .. } if end == End::Dropped => drop(self),
            Self::Call { ref ends, .. } => {
                ends.set(Some(end));
                prop_assert_eq!(self.poll(), Poll::Ready(wanted(end)));
            }
        }
        Ok(())
    }
}

/// Returns the expected answer of a call, or `None` if it panics.
pub(super) fn wanted(end: End) -> Option<Answer> {
    match end {
        End::Good => Some(Ok(())),
        End::Failed => Some(Err(Error::Down)),
        End::CallersMistake => Some(Err(Error::CallersMistake)),
        End::Panicked | End::Dropped => None,
    }
}

/// Returns the time until the next permit, from a rejection.
pub(super) fn retry_after(error: &ResilienceError) -> Option<u64> {
    match error {
        ResilienceError::CircuitOpen { breaker: "modelled", retry_after, .. } => retry_after.map(millis),
        other => panic!("no rejection: {other:?}"),
    }
}
