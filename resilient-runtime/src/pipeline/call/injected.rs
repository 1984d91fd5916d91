//! Faults injected by tests: they replace the answer of a body, and the rest of the call cannot tell the difference.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::answer::Meaning;
use crate::clock;
use crate::error::ResilienceError;
use crate::pipeline::body::{Body, Ended, Substitute};
use crate::registry::{FaultAction, Injection, Registry};
use crate::site::Site;

/// The fault that the running attempt meets, if any, and whether the attempt is the last one.
#[derive(Default)]
pub(super) struct Injected(Option<(Injection, bool)>);

impl Injected {
    /// Polls the attempt as [`Body::poll`] does.
    pub(super) fn poll(
        &mut self,
        site: &Site,
        body: Pin<&mut dyn Body>,
        cx: &mut Context<'_>,
        begins: Option<bool>,
        meaning: &mut Option<Meaning>,
    ) -> Poll<Ended> {
        if let Some(is_last) = begins {
            let injection = Registry::scoped().and_then(|registry| registry.chaos.inject(&registry, site));
            self.0 = injection.map(|injection| (injection, is_last));
        }
        let Some((injection, is_last)) = &mut self.0 else { return body.poll(cx, begins, meaning) };
        if let Some(latency) = &mut injection.latency {
            ready!(clock::poll_timer(latency.as_mut(), cx));
            injection.latency = None;
        }
        let fault = match &injection.what {
            FaultAction::RunBody => {
                let begins = Some(*is_last);
                self.0 = None;
                return body.poll(cx, begins, meaning);
            }
            FaultAction::Error { kind, retry_after } => {
                Substitute::Error(ResilienceError::Injected { kind: *kind, retry_after: *retry_after })
            }
            FaultAction::OwnError(make) => Substitute::OwnError(make.call()),
            FaultAction::IsError(text) => Substitute::IsError(text.clone()),
            FaultAction::Hang => return Poll::Pending,
            FaultAction::Panic => panic!("a panic was injected"),
        };
        let what = injection.what.to_string();
        if let Ok(ended) = body.fail(fault, meaning) {
            return Poll::Ready(ended);
        }
        // Without the fault, the test would pass without testing anything.
        if let Some(registry) = Registry::scoped() {
            registry.chaos.refuse(format!("the function `{}` cannot answer with {what}", site.name()));
        }
        panic!("a fault was injected that the function cannot answer with");
    }
}
