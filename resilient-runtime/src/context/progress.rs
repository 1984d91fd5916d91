//! Progress notifications of a call, over all its attempts.

use std::fmt;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use tokio::sync::Mutex;

use crate::error::public_text;

/// Where the progress of a call is sent, and how far it was. Only for a request with a progress token.
pub(crate) struct Progress {
    peer: Peer<RoleServer>,
    token: ProgressToken,
    /// The highest value so far. It is locked while a notification is sent, so that they arrive in order.
    highest: Mutex<f64>,
}

impl Progress {
    /// Returns where to send the progress of a request, if its client wants to know it.
    pub(crate) fn of(request: &RequestContext<RoleServer>) -> Option<Self> {
        let token = request.meta.get_progress_token()?;
        Some(Self { peer: request.peer.clone(), token, highest: Mutex::new(f64::NEG_INFINITY) })
    }

    /// Sends a notification, unless its value is not above the highest so far, or the call ends before it is sent.
    pub(super) async fn send(
        &self,
        (progress, total, message): (f64, Option<f64>, Option<&str>),
        is_running: impl Fn() -> bool,
    ) {
        let mut highest = self.highest.lock().await;
        if !progress.is_finite() || progress <= *highest || !is_running() {
            return;
        }
        *highest = progress;
        let mut param = ProgressNotificationParam::new(self.token.clone(), progress);
        param.total = total.filter(|total| total.is_finite());
        param.message = message.map(public_text);
        // The client may be gone, which is no failure of the call.
        let _ = self.peer.notify_progress(param).await;
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("token", &self.token).finish_non_exhaustive()
    }
}
