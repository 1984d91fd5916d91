//! What a call shows of itself to the part of the pipeline that defers it.

use std::sync::Arc;

use super::Call;
use crate::context::{CallContext, Request};
use crate::site::DeferredBy;

impl Call<'_> {
    /// Returns what identifies the call among the deferred ones, if its function defers its calls.
    #[inline]
    pub(in crate::pipeline) fn deferred_by(&self) -> Option<&DeferredBy> {
        self.details.as_ref()?.deferred_by.as_ref()
    }

    /// Returns the request of a hook that the call answers.
    pub(in crate::pipeline) fn answered_request(&self) -> Option<&Arc<Request>> {
        self.context.as_ref().and_then(CallContext::request).filter(|_| self.is_counted_by_hook() && self.is_hooked())
    }

    /// Returns whether a hook serves the request in which the call runs.
    pub(in crate::pipeline) fn is_hooked(&self) -> bool {
        self.context.as_ref().and_then(CallContext::request).is_some_and(|request| request.is_of_hook())
    }

    /// Returns whether a hook serves a route with another name than that of this tool, and no guarded call makes this
    /// one.
    pub(in crate::pipeline) fn is_of_other_route(&self) -> bool {
        self.is_hooked() && self.is_part() && !self.caller.is_nested
    }

    /// Returns the request in which the call runs, if that is a delivery.
    pub(in crate::pipeline) fn delivery(&self) -> Option<&Request> {
        let request = self.context.as_ref().and_then(CallContext::request);
        request.map(|request| &**request).filter(|request| request.delivery.is_some())
    }
}
