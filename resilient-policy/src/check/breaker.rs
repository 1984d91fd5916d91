//! The rules of a breaker, alone and with the attempts of a function.

use std::time::Duration;

use crate::breaker::BreakerSettings;
use crate::duration::format_duration;
use crate::name::check_name;
use crate::policy::{Beside, Policy};
use crate::problem::Problem;
use crate::schema::Settings;
use crate::setting::Window;

/// Checks the name and the settings of a breaker and returns all problems.
///
/// ```
/// use resilient_policy::{BreakerSettings, check_breaker};
///
/// assert_eq!(check_breaker("shop", Some(&BreakerSettings::new())), []);
/// assert_eq!(check_breaker("shop", Some(&BreakerSettings::new().failures(0))).len(), 1);
/// ```
#[must_use]
pub fn check_breaker(name: &str, settings: Option<&BreakerSettings>) -> Vec<Problem> {
    let mut found: Vec<_> = check_name_at("breaker.name", name).into_iter().collect();
    if let Some(settings) = settings {
        settings.problems(&mut found);
    }
    found
}

/// Checks the names of the breaker and of the shared limits and returns all problems.
///
/// ```
/// use resilient_policy::{Beside, check_names};
///
/// assert_eq!(check_names(&Beside { breaker: Some("shop"), ..Beside::default() }), []);
/// assert_eq!(check_names(&Beside { bulkhead: Some(""), ..Beside::default() })[0].path, "bulkhead.name");
/// ```
#[must_use]
pub fn check_names(names: &Beside<'_>) -> Vec<Problem> {
    let names =
        [("breaker.name", names.breaker), ("bulkhead.name", names.bulkhead), ("rate_limit.name", names.rate_limit)];
    names.into_iter().filter_map(|(path, name)| check_name_at(path, name?)).collect()
}

/// Checks the name of a breaker or of a shared limit, at this path.
#[must_use]
pub fn check_name_at(path: &'static str, name: &str) -> Option<Problem> {
    match check_name(name) {
        Err(why) => Some(Problem::new(path, why)),
        Ok(()) if path == "breaker.name" && name == "none" => Some(Problem::new(
            path,
            "`none` stands for no breaker, so nothing could refer to one of that name; expected another name",
        )),
        Ok(()) => None,
    }
}

/// Checks that two sources give the breaker `name` the same settings. `there` is the place of the first ones, and
/// `here` that of the others.
///
/// # Errors
/// Returns a sentence with the differences.
pub fn check_same_breaker(
    name: &str,
    (there, first): (&str, &BreakerSettings),
    (here, other): (&str, &BreakerSettings),
) -> Result<(), String> {
    if first == other {
        return Ok(());
    }
    Err(format!(
        "the breaker `{name}` has other settings {there}: {}; write them in one place, and `breaker = \"{name}\"` {here}",
        other.differences(first)
    ))
}

/// Checks the breaker of a policy against the attempts of one call, which must not be able to open it alone.
pub(super) fn breaker_fits(policy: &Policy, found: &mut Vec<Problem>) {
    let Some(settings) = policy.breaker.and_then(|breaker| breaker.settings) else { return };
    let attempts = policy.retries() + 1;
    let opened_alone = |path, enough: u32, what: &str| {
        let verb = if enough == 1 { "is" } else { "are" };
        let plural = if enough == 1 { "" } else { "s" };
        let message = format!(
            "one call alone opens this breaker: it makes up to {attempts} attempts, and {enough} {what}{plural} {verb} \
             enough; expected at least {}",
            attempts + 1
        );
        Problem::new(path, message)
    };
    if attempts > 1 && settings.rate.is_none() && settings.failures <= attempts {
        found.push(opened_alone("breaker.failures", settings.failures, "failure"));
    }
    let enough = settings.min_calls_that_hold();
    if attempts > 1 && settings.has_window() && enough <= attempts {
        let path = match settings.window {
            Window::Count(size) if size <= attempts => "breaker.window",
            Window::Count(_) | Window::Time(_) => "breaker.min_calls",
        };
        found.push(opened_alone(path, enough, "result"));
    }
    found.extend(check_breaker_for(policy, &settings));
    found.extend(check_slow_in_time(policy, &settings));
}

/// Checks that an attempt can reach `slow` before the timeout of its call. [`check_breaker_for`] checks it against the
/// limit of one attempt.
#[must_use]
pub fn check_slow_in_time(policy: &Policy, settings: &BreakerSettings) -> Option<Problem> {
    let slow = settings.slow.filter(|slow| *slow >= policy.timeout && policy.attempt_limit().is_none())?;
    Some(never_slow(slow, policy.timeout))
}

fn never_slow(slow: Duration, limit: Duration) -> Problem {
    let (slow, limit) = (format_duration(slow), format_duration(limit));
    Problem::new("breaker.slow", format!("no attempt takes {slow}: it is cut off after {limit}"))
}

/// Checks a breaker's settings against the attempts of this function and returns all problems: the window has to hold
/// at least two attempts, and an attempt has to be able to reach `slow`.
#[must_use]
pub fn check_breaker_for(policy: &Policy, settings: &BreakerSettings) -> Vec<Problem> {
    let mut found = Vec::new();
    let Some(attempt) = policy.attempt_limit() else { return found };
    if let Window::Time(window) = settings.window
        && settings.has_window()
        && window < attempt.saturating_mul(2)
    {
        found.push(Problem::new(
            "breaker.window",
            format!(
                "a window of {} cannot hold two attempts of {}; write at least {}",
                format_duration(window),
                format_duration(attempt),
                format_duration(attempt.saturating_mul(2))
            ),
        ));
    }
    if let Some(slow) = settings.slow
        && slow >= attempt
    {
        found.push(never_slow(slow, attempt));
    }
    found
}
