//! Counts whether a call inside an attempt waits or runs.

use std::sync::Arc;

use super::EnclosingAttempt;

/// The current activity of an inner call. The enclosing attempt counts it until this is dropped.
pub(crate) struct Activity {
    inside: Arc<EnclosingAttempt>,
    is_queued: bool,
}

impl Activity {
    pub(crate) fn queued(inside: &Arc<EnclosingAttempt>) -> Self {
        Self::begin(inside, true)
    }

    pub(crate) fn running(inside: &Arc<EnclosingAttempt>) -> Self {
        Self::begin(inside, false)
    }

    fn begin(inside: &Arc<EnclosingAttempt>, is_queued: bool) -> Self {
        inside.count(if is_queued { (1, 0) } else { (0, 1) });
        Self { inside: Arc::clone(inside), is_queued }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.inside.count(if self.is_queued { (-1, 0) } else { (0, -1) });
    }
}
