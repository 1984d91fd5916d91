//! The timeouts that no guarded function enforces: the hook's, for tools whose return type cannot carry an error, and those
//! of a handler's methods.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use resilient_policy::Policy;
use tokio::time::{Sleep, sleep_until};

use crate::clock::{self, Moment};
use crate::site::Site;

/// The timeout of one call.
#[derive(Debug)]
pub(super) struct HookTimeout {
    length: Duration,
    end: Moment,
    /// Created when the tool is not ready at its first poll.
    timer: Option<Pin<Box<Sleep>>>,
}

impl HookTimeout {
    /// Creates the timeout of a call that begins now, according to the tool's policy and the settings at start.
    pub(super) fn of(site: &Site) -> Self {
        let binding = site.bind();
        Self { length: binding.policy().timeout, end: Moment::now().after(binding.timeout), timer: None }
    }

    /// Creates a timeout of the usual length, for a call of a tool without a policy.
    pub(super) fn usual() -> Self {
        Self::lasting(Policy::new().timeout)
    }

    /// Creates a timeout of this length that begins now.
    pub(super) fn lasting(length: Duration) -> Self {
        Self { length, end: Moment::now().after(length), timer: None }
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    pub(super) fn end(&self) -> Moment {
        self.end
    }

    /// Polls for the end of the timeout.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.end;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end.instant())));
        clock::poll_timer(timer.as_mut(), cx)
    }
}
