//! The time that the arguments of a call request: `timeout(max, from)`.

use std::time::Duration;

/// The value of `timeout(from = ..)`.
#[diagnostic::on_unimplemented(
    message = "`timeout(from = ..)` needs an `Option<Duration>`, found `{Self}`",
    label = "expected `Some` of the time that the arguments request, or `None`"
)]
pub trait RequestedTime {
    /// Returns the time, if one is requested.
    fn requested(self) -> Option<Duration>;
}

impl RequestedTime for Option<Duration> {
    fn requested(self) -> Option<Duration> {
        self
    }
}

// The expression sees the parameters by reference.
impl RequestedTime for &Option<Duration> {
    fn requested(self) -> Option<Duration> {
        *self
    }
}

/// Returns the limit of a call that requests this time: a tenth more, at most 5 s, so that the answer can still arrive.
pub(crate) fn limit_for(requested: Duration) -> Duration {
    const LONGEST_MARGIN: Duration = Duration::from_secs(5);
    // The shortest timeout of a policy: a call with no time at all would end before it began.
    const SHORTEST: Duration = Duration::from_millis(1);
    requested.saturating_add(LONGEST_MARGIN.min(requested / 10)).max(SHORTEST)
}
