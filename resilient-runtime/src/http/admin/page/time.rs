//! Times and durations, as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use maud::{Markup, html};

use crate::error::rfc3339;

/// Renders a time by its distance from now; the exact time is in the markup.
pub(super) fn ago(at: SystemTime, now: SystemTime) -> Markup {
    let exact = rfc3339(at);
    let past = now.duration_since(at).map(|past| format!("{} ago", coarse(past)));
    let text = past.unwrap_or_else(|ahead| format!("in {}", coarse(ahead.duration())));
    html! { time datetime=(exact) { (text) } }
}

/// Renders for how long something has been so.
pub(super) fn lasting(since: SystemTime, now: SystemTime) -> Markup {
    html! { "for " time datetime=(rfc3339(since)) { (coarse(now.duration_since(since).unwrap_or_default())) } }
}

/// Renders a time in UTC, to be compared with a log.
pub(super) fn exact(at: SystemTime) -> Markup {
    let exact = rfc3339(at);
    let text = exact.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(exact) { (text) } }
}

pub(super) fn of_unix_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

/// Formats a duration in its largest unit, and in the next one if there are few of the largest.
pub(super) fn coarse(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = duration.as_secs();
    let largest = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let mut parts = UNITS.iter().skip(largest);
    let Some((unit, word)) = parts.next() else { return String::new() };
    let text = format!("{} {word}", seconds / unit);
    match parts.next() {
        Some((next, word)) if seconds / unit < 10 && seconds % unit >= *next => {
            format!("{text} {} {word}", seconds % unit / next)
        }
        _ => text,
    }
}

/// Formats the duration of a call.
pub(super) fn short(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    match duration.as_millis() {
        0..10 => format!("{ms:.1} ms"),
        10..1_000 => format!("{ms:.0} ms"),
        1_000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => coarse(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (601, "10 min"),
            (3_599, "59 min"),
            (7_300, "2 h 1 min"),
            (86_400 * 400, "400 d"),
        ] {
            assert_eq!(coarse(Duration::from_secs(seconds)), expected);
        }
        for (micros, expected) in [
            (0, "0.0 ms"),
            (1_240, "1.2 ms"),
            (12_400, "12 ms"),
            (999_400, "999 ms"),
            (1_250_000, "1.2 s"),
            (61_000_000, "1 min 1 s"),
        ] {
            assert_eq!(short(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn a_time_is_said_by_its_distance_even_after_the_clock_went_back() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_953_787);
        let text = |at| ago(at, now).into_string();
        let exact_time = "<time datetime=\"2026-11-29T12:03:07Z\">0 s ago</time>";
        assert_eq!(text(now), exact_time);
        assert!(text(now - Duration::from_secs(90)).contains(">1 min 30 s ago<"));
        assert!(lasting(now - Duration::from_secs(90), now).into_string().ends_with(">1 min 30 s</time>"));
        assert!(lasting(now + Duration::from_secs(5), now).into_string().ends_with(">0 s</time>"));
        assert!(text(now + Duration::from_secs(5)).contains(">in 5 s<"));
        assert_eq!(exact(now).into_string(), "<time datetime=\"2026-11-29T12:03:07Z\">2026-11-29 12:03:07 UTC</time>");
    }
}
