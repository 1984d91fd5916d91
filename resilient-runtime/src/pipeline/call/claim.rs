//! Which guarded function answers for a request.

use std::sync::Arc;

use crate::context;
use crate::registry::Binding;
use crate::site::Site;

impl context::Request {
    /// Takes the request for this function, if it is the one that the client asked for.
    pub(super) fn claim(&self, site: &Site, binding: &Binding) -> bool {
        let mut report = self.report();
        let mine = self.is_hooked && !report.claimed && site.tool() == Some(&*self.tool);
        if mine {
            // Under another name than its route's, the call is counted there.
            if let Some(hook) = &self.statistics
                && !Arc::ptr_eq(hook, &binding.statistics)
            {
                hook.call_withdrawn();
                binding.statistics.call_started();
                report.statistics = Some(Arc::clone(&binding.statistics));
            }
            report.claimed = true;
            report.keeps_answers = site.policy().cache.is_some();
            report.effect = site.policy().effect;
        }
        mine
    }
}
