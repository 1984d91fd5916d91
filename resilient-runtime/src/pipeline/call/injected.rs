//! Faults in the place of a body, in builds for tests alone. The rest of the call takes them for the body's.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::clock;
use crate::error::ResilienceError;
use crate::pipeline::answer::Meaning;
use crate::pipeline::body::Body;
use crate::registry::Registry;
use crate::site::Site;
use crate::testing::Met;

/// What the running attempt met, if anything, and what its body is to hear if it begins after all.
#[derive(Default)]
pub(super) struct Injected(Option<(Met, bool)>);

impl Injected {
    /// Runs the attempt on, as [`Body::poll`] does.
    pub(super) fn poll(
        &mut self,
        site: &Site,
        body: Pin<&mut dyn Body>,
        cx: &mut Context<'_>,
        begins: Option<bool>,
    ) -> Poll<Option<Meaning>> {
        if let Some(is_last) = begins {
            let met = Registry::scoped().and_then(|registry| registry.chaos.meets(&registry, site));
            self.0 = met.map(|met| (met, is_last));
        }
        match &mut self.0 {
            None => body.poll(cx, begins),
            Some((Met::Latency(timer), is_last)) => {
                ready!(clock::poll_timer(timer.as_mut(), cx));
                let begins = Some(*is_last);
                self.0 = None;
                body.poll(cx, begins)
            }
            Some((Met::Error(kind), _)) => Poll::Ready(body.fail(ResilienceError::Injected { kind: *kind })),
            Some((Met::Hang, _)) => Poll::Pending,
            Some((Met::Panic, _)) => panic!("a panic was injected"),
        }
    }
}
