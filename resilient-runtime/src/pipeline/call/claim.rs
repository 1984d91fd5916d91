//! Who asks for a call, and which guarded function answers for a request.

use std::sync::Arc;

use crate::binding::Binding;
use crate::clock::Moment;
use crate::context::{self, CallContext};
use crate::site::Site;

/// What a call is to whoever asks for it.
pub(super) struct Origin {
    /// Until when whoever asks waits.
    pub(super) ends: Option<Moment>,
    /// See [`super::Call`].
    pub(super) reports: bool,
    pub(super) is_part: bool,
}

impl Origin {
    #[inline(never)]
    pub(super) fn of(caller: &CallContext, site: &Site, binding: &Binding) -> Self {
        let is_nested = caller.attempt() > 0;
        let reports = !is_nested && caller.request().is_some_and(|request| request.claim(site, binding));
        let is_asked_for = |tool: &str| tool.is_empty() || site.tool() == Some(tool);
        let asked_for = caller.request().is_none_or(|request| is_asked_for(&request.tool));
        let is_part = site.tool().is_some() && !reports && (is_nested || !asked_for);
        Self { ends: caller.ends(), reports, is_part }
    }
}

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
