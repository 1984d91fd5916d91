//! What the end of a try means for its entry, without clock and I/O.

use std::time::Duration;

use resilient_policy::{DeferredSettings, ErrorKind, Fault};

/// The delay after a switch of the operator has refused a call.
const SWITCHED_OFF: Duration = Duration::from_secs(15);

/// The delay after a limit has rejected a call without saying when it admits one.
const LIMITED: Duration = Duration::from_secs(2);

/// The shortest delay after a refusal.
const SHORTEST: Duration = Duration::from_millis(500);

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    /// The kind of the error, if it is known.
    pub(super) kind: Option<ErrorKind>,
    /// The delay that the error requests.
    pub(super) retry_after: Option<Duration>,
    /// Whether the body may have run.
    pub(super) ran: bool,
    /// Whether a limit refused the call that says nothing about calls of other callers or keys.
    pub(super) is_of_some_calls: bool,
}

impl Failed {
    /// A failure of which at most the kind is known.
    pub(super) const fn of(kind: Option<ErrorKind>) -> Self {
        Self { kind, retry_after: None, ran: true, is_of_some_calls: false }
    }
}

/// What to do with an entry after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is delivered.
    Complete,
    /// The try is used up. Try again after this delay.
    Again(Duration),
    /// A further try would fail in the same way.
    Never,
    /// Nothing was tried, so no try is used up. Try again after this delay.
    Postpone {
        /// The delay.
        delay: Duration,
        /// Whether all calls of the tool would be refused until then.
        whole_tool: bool,
    },
}

impl Next {
    /// Decides about an entry after a try, which has succeeded if `failed` is `None`. The number of tries includes that
    /// try. `left` is the time until the entry expires, `random` is in `0.0..1.0`.
    pub(super) fn after(
        failed: Option<Failed>,
        (settings, tries_used): (&DeferredSettings, u32),
        left: Duration,
        random: f64,
    ) -> Self {
        let Some(Failed { kind, retry_after, ran, is_of_some_calls }) = failed else { return Self::Complete };
        // A requested delay that is longer than the entry's time would waste the tries that are left.
        let capped = |delay: Duration| {
            let delay = delay.min(settings.cap);
            let cut = if delay < left { delay } else { left / 2 };
            cut.max(SHORTEST)
        };
        let postpone =
            |usual: Duration, whole_tool| Self::Postpone { delay: capped(retry_after.unwrap_or(usual)), whole_tool };
        match kind {
            Some(ErrorKind::ReadOnly | ErrorKind::Disabled) if !ran => return postpone(SWITCHED_OFF, true),
            Some(ErrorKind::Overloaded | ErrorKind::RateLimited) if !ran => {
                return postpone(LIMITED, !is_of_some_calls);
            }
            // An open breaker of one partition key says nothing about other keys.
            Some(ErrorKind::CircuitOpen | ErrorKind::Cancelled) if !ran => return postpone(LIMITED, false),
            Some(kind) if is_final(kind) => return Self::Never,
            _ => {}
        }
        let delay = settings.delay(tries_used, random);
        Self::Again(retry_after.map_or(delay, |after| delay.max(capped(after))))
    }
}

/// Returns whether a further try would fail in the same way, unless the write or the server changes.
fn is_final(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unauthenticated) || matches!(kind.fault(), Fault::Caller | Fault::Server)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: DeferredSettings = DeferredSettings::new();

    fn failed(kind: ErrorKind, ran: bool) -> Failed {
        Failed { ran, ..Failed::of(Some(kind)) }
    }

    fn next(failed: Failed) -> Next {
        Next::after(Some(failed), (&SETTINGS, 1), SETTINGS.ttl, 1.0)
    }

    #[test]
    fn what_the_dependency_may_still_do_is_tried_again() {
        for kind in ErrorKind::ALL.iter().copied() {
            let is_again = matches!(next(failed(kind, true)), Next::Again(_));
            assert_eq!(is_again, !is_final(kind), "{kind}");
        }
        assert_eq!(next(Failed::of(None)), Next::Again(Duration::from_secs(60)));
        assert_eq!(Next::after(None, (&SETTINGS, 1), SETTINGS.ttl, 1.0), Next::Complete);
    }

    #[test]
    fn a_callers_mistake_and_a_bug_are_final() {
        let names: Vec<_> = ErrorKind::ALL.iter().filter(|kind| is_final(**kind)).map(|kind| kind.as_str()).collect();
        let expected = [
            "invalid_input",
            "not_found",
            "conflict",
            "failed_precondition",
            "permission_denied",
            "unauthenticated",
            "internal",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_refusal_uses_up_no_try() {
        for kind in [ErrorKind::ReadOnly, ErrorKind::Disabled] {
            assert_eq!(next(failed(kind, false)), Next::Postpone { delay: SWITCHED_OFF, whole_tool: true });
        }
        for kind in [ErrorKind::Overloaded, ErrorKind::RateLimited] {
            assert_eq!(next(failed(kind, false)), Next::Postpone { delay: LIMITED, whole_tool: true });
            let of_one_caller = Failed { is_of_some_calls: true, ..failed(kind, false) };
            assert_eq!(next(of_one_caller), Next::Postpone { delay: LIMITED, whole_tool: false });
        }
        let nine = Duration::from_secs(9);
        let open = Failed { retry_after: Some(nine), ..failed(ErrorKind::CircuitOpen, false) };
        assert_eq!(next(open), Next::Postpone { delay: nine, whole_tool: false });
        // An upstream that limits the rate was reached.
        assert!(matches!(next(failed(ErrorKind::RateLimited, true)), Next::Again(_)));
    }

    #[test]
    fn the_upstream_may_request_a_longer_delay_but_not_beyond_the_cap() {
        let limited = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            next(Failed { retry_after, ..failed(ErrorKind::RateLimited, true) })
        };
        assert_eq!(limited(5), Next::Again(Duration::from_secs(60)));
        assert_eq!(limited(600), Next::Again(Duration::from_secs(600)));
        assert_eq!(limited(86_400), Next::Again(SETTINGS.cap));
    }

    #[test]
    fn a_requested_delay_does_not_outlive_the_entry() {
        let (left, later) = (Duration::from_secs(1_140), Some(Duration::from_secs(1_800)));
        let next = |failed| Next::after(Some(failed), (&SETTINGS, 1), left, 1.0);
        let limited = |ran| Failed { retry_after: later, ..failed(ErrorKind::RateLimited, ran) };
        assert_eq!(next(limited(true)), Next::Again(left / 2));
        assert_eq!(next(limited(false)), Next::Postpone { delay: left / 2, whole_tool: true });
    }
}
