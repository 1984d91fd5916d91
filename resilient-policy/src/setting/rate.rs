//! A number of calls per period: `"100/1s"`.

use std::fmt;
use std::time::Duration;

use crate::duration::{corrected_duration, format_duration, parse_duration};

/// A number of calls per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of calls that may begin in one period.
    pub calls: u32,
    /// The period, at most a day.
    pub period: Duration,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, format_duration(self.period))
    }
}

/// Parses a rate: a number of calls and a duration, `"100/1s"`.
///
/// # Errors
/// Returns a sentence that says what is wrong: no `/`, no whole number before it, no duration after it.
///
/// ```
/// let limit = resilient_policy::parse_rate("100/1m").unwrap();
/// assert_eq!((limit.calls, limit.period.as_secs()), (100, 60));
/// assert!(resilient_policy::parse_rate("100").is_err());
/// ```
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let Some((calls, period)) = text.split_once('/') else {
        return Err(format!("expected calls and a duration such as `\"100/1s\"`, found `{text}`"));
    };
    let (calls, period) = (calls.trim(), period.trim());
    let Ok(number) = calls.parse::<u32>() else {
        return Err(format!("expected a whole number of calls before the `/`, as in `\"100/1s\"`, found `{calls}`"));
    };
    let period = parse_duration(period).map_err(|why| {
        // `100/min` means one minute. A period that begins with a digit, such as `0s`, is another mistake.
        let one = Some(period).filter(|period| period.starts_with(char::is_alphabetic));
        let right = corrected_duration(period).or_else(|| corrected_duration(&format!("1{}", one?)));
        match right {
            Some(right) => format!("expected a duration behind the `/`; write `\"{number}/{right}\"`"),
            None if period.parse::<u64>().is_ok_and(|count| count > 0) => {
                format!("`{period}` has no unit; expected a duration behind the `/`, as in `\"{number}/{period}s\"`")
            }
            None => why,
        }
    })?;
    Ok(Rate { calls: number, period })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_are_read() {
        assert_eq!(parse_rate("100/1s"), Ok(Rate { calls: 100, period: SECOND }));
        assert_eq!(parse_rate(" 5 / 1.5m "), Ok(Rate { calls: 5, period: Duration::from_secs(90) }));
    }

    #[test]
    fn what_is_wrong_with_a_rate_is_said() {
        for (text, part) in [
            ("100", "`\"100/1s\"`"),
            ("", "found ``"),
            ("x/1s", "before the `/`"),
            ("-1/1s", "before the `/`"),
            ("1.5/1s", "before the `/`"),
            ("99999999999/1s", "before the `/`"),
            ("100/s", "; write `\"100/1s\"`"),
            ("100/sec", "; write `\"100/1s\"`"),
            ("100/minute", "; write `\"100/1m\"`"),
            ("100/5min", "; write `\"100/5m\"`"),
            ("100/1m30s", "; write `\"100/90s\"`"),
            ("100/", "empty"),
            ("100/30", "no unit"),
            ("100/0s", "zero"),
        ] {
            let said = parse_rate(text).expect_err(text);
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse_rate(&text);
        }
    }
}
