//! A function, as far as its settings depend on it.

use std::time::Duration;

use resilient_policy::{
    BreakerUse, FileProblem, For, Policy, Problem, SourceLocation as Place, SourceLocations as Places, check,
};

use crate::site::Site;

/// What is known of a function that settings apply to.
pub(super) struct Function<'f> {
    /// The name in problems.
    name: &'f str,
    /// The place of a problem that no setting causes alone.
    place: Place,
    pub(super) tool: Option<&'f str>,
    pub(super) profiles: &'static [&'static str],
    /// The policy in the code. A `static` breaker is one of its name.
    pub(super) policy: Policy,
    /// What a key means that the function lacks, in the settings of its tool.
    pub(super) of_tool: For,
    /// Whether values of the code that do not fit a shorter timeout are fitted to it, instead of a problem.
    pub(super) is_fitted: bool,
}

impl<'f> Function<'f> {
    pub(super) fn of(site: &'f Site) -> Self {
        let mut policy = *site.policy();
        policy.breaker = site.breaker.map(|own| BreakerUse::named(own.name())).or(policy.breaker);
        Self {
            name: site.name(),
            place: Place::File(site.location().file.into(), site.location().line, 1),
            tool: site.tool(),
            profiles: site.profiles,
            policy,
            of_tool: For::OneFunction,
            is_fitted: site.is_remote(),
        }
    }

    /// A tool that is found later and begins with the policy `base`, or any such tool.
    pub(super) fn found_later(tool: Option<&'f str>, base: &Policy, of_tool: For) -> Self {
        let name = tool.unwrap_or("default");
        let place = Place::Variable(name.into());
        Self { name, place, tool, profiles: &[], policy: *base, of_tool, is_fitted: true }
    }

    /// Returns a problem with the policy of the function, located at the override with the highest precedence for the
    /// path, or else at an override that the problem conflicts with.
    pub(super) fn placed(&self, problem: Problem, places: &[&Places], changed: Option<&Place>) -> FileProblem {
        let found = places.iter().find_map(|places| places.find(problem.path)).or(changed).cloned();
        let place = found.unwrap_or_else(|| self.place.clone());
        FileProblem { place, key: format!("{}: {}", self.name, problem.path), message: problem.message }
    }
}

/// The shortest delay before a retry that a delay of the code is reduced to.
const SHORTEST_BASE: Duration = Duration::from_millis(2);

/// Fits the values of the code to the timeout that settings give a policy: the limit of an attempt and the wait in the
/// queue follow the timeout, the delays before retries become shorter, and then the retries fewer. What settings say
/// (`is_set`) stays, so that what still does not fit is a problem of the settings.
pub(super) fn fitted(policy: &Policy, is_set: impl Fn(&'static str) -> bool) -> Policy {
    let fits = |policy: &Policy| check(policy).is_empty();
    let mut fitted = *policy;
    if fits(&fitted) {
        return fitted;
    }
    if !is_set("attempt_timeout") {
        fitted.attempt_timeout = None;
    }
    if let Some(bulkhead) = &mut fitted.bulkhead
        && bulkhead.settings.wait.is_some_and(|wait| wait >= fitted.timeout)
        && !is_set("bulkhead.wait")
    {
        bulkhead.settings.wait = None;
    }
    let Some(retry) = fitted.retry else { return fitted };
    let with = |base: Duration, max: u32| fitted.retry(retry.base(base).max(max));
    let mut shortened = (retry.base, retry.max);
    while !is_set("retry.base") && shortened.0 > SHORTEST_BASE && !fits(&with(shortened.0, shortened.1)) {
        shortened.0 /= 2;
    }
    while !is_set("retry.max") && shortened.1 > 1 && !fits(&with(shortened.0, shortened.1)) {
        shortened.1 -= 1;
    }
    let mut without = fitted;
    without.retry = None;
    let candidates = [Some(with(shortened.0, shortened.1)), Some(without).filter(|_| !is_set("retry"))];
    candidates.into_iter().flatten().find(fits).unwrap_or(fitted)
}

#[cfg(test)]
mod tests {
    use resilient_policy::{BulkheadSettings, BulkheadUse, Retry};

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const BASE: Policy = Policy::new().timeout(s(30)).attempt_timeout(s(10)).retry(Retry::new(2).base(s(4)));

    #[test]
    fn what_fits_stays_as_it_is() {
        assert_eq!(fitted(&BASE, |_| false), BASE);
    }

    #[test]
    fn the_limit_of_an_attempt_follows_a_shorter_timeout() {
        let policy = Policy::new().timeout(s(8)).attempt_timeout(s(10));
        assert_eq!(fitted(&policy, |_| false), Policy::new().timeout(s(8)));
        assert_eq!(fitted(&policy, |path| path == "attempt_timeout"), policy);
    }

    #[test]
    fn delays_become_shorter_before_retries_become_fewer() {
        let shorter = fitted(&BASE.timeout(s(2)), |_| false);
        assert_eq!(shorter.retry, Some(Retry::new(2).base(s(1))));
        assert_eq!((shorter.attempt_timeout, shorter.attempt_limit()), (None, Some(s(1))));
        let fewer = fitted(&BASE.timeout(s(3)), |path| path == "retry.base" || path == "retry");
        assert_eq!(fewer.retry, Some(Retry::new(1).base(s(4))));
        let fixed = BASE.timeout(s(2));
        let is_set = |path: &str| ["retry", "retry.base", "retry.max", "attempt_timeout"].contains(&path);
        assert_eq!(fitted(&fixed, is_set), fixed);
    }

    #[test]
    fn a_wait_in_the_queue_follows_a_shorter_timeout() {
        let with = |settings| Policy::new().timeout(s(2)).bulkhead(BulkheadUse::new(settings));
        let queue = BulkheadSettings::new(3).queue(2);
        assert_eq!(fitted(&with(queue.wait(s(5))), |_| false), with(queue));
    }
}
