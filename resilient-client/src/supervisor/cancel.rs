//! What happens to a request whose caller no longer waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::pending::Pending;
use crate::link::Receive;
use crate::link::any::Link;
use crate::message::Message;

/// How long the notification may take.
const LIMIT: Duration = Duration::from_secs(1);

/// A request that waits for its response. If it is dropped before its end, the server receives a cancellation.
pub(super) struct Outstanding<'r, R: Receive> {
    pending: &'r Pending,
    link: &'r Arc<Link<R>>,
    request: &'r Message,
    has_ended: bool,
}

impl<'r, R: Receive> Outstanding<'r, R> {
    pub(super) const fn new(pending: &'r Pending, link: &'r Arc<Link<R>>, request: &'r Message) -> Self {
        Self { pending, link, request, has_ended: false }
    }

    /// The request needs no cancellation.
    pub(super) fn end(mut self) {
        self.has_ended = true;
        self.pending.remove(self.request.id().unwrap_or("null"));
    }
}

impl<R: Receive> Drop for Outstanding<'_, R> {
    fn drop(&mut self) {
        let id = self.request.id().unwrap_or("null");
        // The handshake must not be cancelled.
        if self.has_ended || !self.pending.remove(id) || self.request.method() == Some("initialize") {
            return;
        }
        let (link, cancelled) = (Arc::clone(self.link), Message::cancelled(id, "the caller no longer waits"));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // A server that does not read it does not act on it either.
                let _ = timeout(LIMIT, link.send(&cancelled)).await;
            });
        }
    }
}
