//! Durations as text: `"30s"`, `"1.5m"`, `"250ms"`.

use std::time::Duration;

use crate::scalar::quantity;

const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Parses a number and a unit: `"30s"`, `"500ms"`, `"1.5m"`, `"2h"`.
///
/// Units are `ns`, `us`, `ms`, `s`, `m` and `h`; a fraction has at most nine decimals.
///
/// # Errors
/// Returns a sentence that says what is wrong: no unit, an unknown unit, a sign, too many decimals, a number that is
/// too large, an empty text, zero.
///
/// ```
/// use std::time::Duration;
/// use resilient_policy::{format_duration, parse_duration};
///
/// assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
/// assert_eq!(parse_duration("30").unwrap_err(), "`30` has no unit; write `\"30s\"` or `\"30ms\"`");
/// assert_eq!(format_duration(Duration::from_millis(250)), "250ms");
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("expected a duration such as `\"30s\"`, found an empty text".into());
    }
    if text.starts_with('-') {
        return Err(format!("a duration cannot be negative: `{text}`"));
    }
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    if number.is_empty() {
        return Err(format!("expected a duration such as `\"30s\"`, found `{text}`"));
    }
    if unit.is_empty() {
        return Err(match quantity(text, 1_000_000, text)? {
            // Adding a unit would not correct it.
            0 => "a duration of zero is not allowed here".into(),
            _ => format!("`{text}` has no unit; write `\"{text}s\"` or `\"{text}ms\"`"),
        });
    }
    let Some((_, nanos_per_unit)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(match corrected_duration(text) {
            Some(right) if unit.contains(|c: char| c.is_ascii_digit()) => {
                format!("a duration has one number and one unit; write `\"{right}\"`")
            }
            Some(right) => format!("unknown unit `{unit}`; write `\"{right}\"`"),
            None => format!("unknown unit `{unit}`; expected one of `ns`, `us`, `ms`, `s`, `m`, `h`"),
        });
    };
    let nanos = quantity(number, *nanos_per_unit, text)?;
    if nanos == 0 {
        return Err("a duration of zero is not allowed here".into());
    }
    Ok(Duration::from_nanos(nanos))
}

/// Corrects a text that [`parse_duration`] rejects.
///
/// Several parts are added up (`1h30m`), and units may be words (`5 minutes`, `2d`). Returns `None` if a unit is
/// unknown or missing, and for zero.
///
/// ```
/// use resilient_policy::corrected_duration;
///
/// assert_eq!(corrected_duration("60s").as_deref(), Some("60s"));
/// assert_eq!(corrected_duration("1h30m").as_deref(), Some("90m"));
/// assert_eq!(corrected_duration("5 minutes").as_deref(), Some("5m"));
/// assert_eq!(corrected_duration("5 parsecs"), None);
/// ```
#[must_use]
pub fn corrected_duration(text: &str) -> Option<String> {
    let text = text.trim();
    if is_duration(text) {
        return Some(text.to_owned());
    }
    let (mut rest, mut total, mut parts) = (text, Duration::ZERO, 0_u32);
    let mut last = None;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, behind) = rest.split_at(number_ends);
        let behind = behind.trim_start();
        let unit_ends = behind.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(behind.len());
        let (word, behind) = behind.split_at(unit_ends);
        let (unit, per_unit) = meant_unit(word)?;
        total = total.checked_add(Duration::from_nanos(quantity(number, per_unit, text).ok()?))?;
        last = unit.map(|unit| format!("{number}{unit}"));
        rest = behind.trim_start();
        parts += 1;
    }
    let right = last.filter(|_| parts == 1).unwrap_or_else(|| format_duration(total));
    is_duration(&right).then_some(right)
}

/// Returns whether [`parse_duration`] reads a text. Does not call it, because it corrects a text for its messages.
fn is_duration(text: &str) -> bool {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let per_unit = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, per_unit)| *per_unit);
    per_unit.is_some_and(|per_unit| quantity(number, per_unit, text).is_ok_and(|nanos| nanos > 0))
}

/// Returns the unit that a word means, if it has a name here, and its length in nanoseconds.
fn meant_unit(word: &str) -> Option<(Option<&'static str>, u64)> {
    const DAY: u64 = 24 * 3_600_000_000_000;
    // `M` is ambiguous: a month or a million.
    let lower = if word == "M" { word.to_owned() } else { word.to_lowercase() };
    let name = match lower.as_str() {
        "ns" | "nanos" | "nanosecond" | "nanoseconds" => "ns",
        "us" | "\u{b5}s" | "\u{3bc}s" | "micros" | "microsecond" | "microseconds" => "us",
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => return Some((None, DAY)),
        _ => return None,
    };
    UNITS.iter().find(|(known, _)| *known == name).map(|(known, per_unit)| (Some(*known), *per_unit))
}

/// Formats a duration so that [`parse_duration`] reads it, in the largest unit that needs no fraction, down to
/// milliseconds. Durations below a millisecond are written in nanoseconds.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, per_unit) in UNITS.iter().rev() {
        let per_unit = u128::from(*per_unit);
        if nanos >= per_unit && nanos.is_multiple_of(per_unit) {
            return format!("{}{unit}", nanos / per_unit);
        }
    }
    if nanos == 0 { "0s".into() } else { format!("{}s", duration.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_read() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("500 ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("0.000000001s"), Ok(Duration::from_nanos(1)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("", "empty"),
            ("30", "no unit"),
            ("-3s", "negative"),
            ("3 parsecs", "unknown unit"),
            ("0s", "zero"),
            ("1.0000000001s", "nine decimals"),
            ("99999999999999999999h", "too large"),
            ("9999999999h", "too large"),
            ("1..2s", "not a number"),
            (".5s", "not a number"),
            ("s", "expected a duration"),
        ] {
            let said = parse_duration(text).expect_err(text);
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn a_unit_in_words_and_a_sum_of_parts_are_corrected_to_the_same_duration() {
        for (text, right) in [
            ("60s", "60s"),
            ("1.5m", "1.5m"),
            ("1h30m", "90m"),
            ("1h 30m", "90m"),
            ("1m1ms", "60001ms"),
            ("5min", "5m"),
            ("5 Minutes", "5m"),
            ("30sec", "30s"),
            ("2d", "48h"),
            ("7\u{b5}s", "7us"),
        ] {
            assert_eq!(corrected_duration(text).as_deref(), Some(right), "{text}");
        }
        for text in ["", "5", "5M", "5x", "5 parsecs", "0s", "0min", "s", "1h30", "-1m", "99999999999999999999h"] {
            assert_eq!(corrected_duration(text), None, "{text}");
        }
        assert_eq!(
            parse_duration("1h30m").expect_err("two units"),
            "a duration has one number and one unit; write `\"90m\"`"
        );
        assert_eq!(parse_duration("5min").expect_err("a word"), "unknown unit `min`; write `\"5m\"`");
    }

    proptest::proptest! {
        #[test]
        fn what_is_suggested_for_a_duration_is_one(text in "[0-9.]{1,4} ?[a-z]{1,4}([0-9]{1,3}[a-z]{1,2})?|.{0,8}") {
            if let Some(right) = corrected_duration(&text) {
                proptest::prop_assert!(parse_duration(&right).is_ok(), "{} for {}", right, text);
            }
        }

        #[test]
        fn what_is_written_is_read_back(millis in 1_u64..1_000_000_000_000) {
            let duration = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse_duration(&text);
        }
    }
}
