//! Booleans, shares and numbers of units as text.

/// Parses a boolean variable: `1` or `0`, `true` or `false`, `yes` or `no`, `on` or `off`, in any case.
///
/// # Errors
/// Returns a sentence that says what was expected.
///
/// ```
/// assert_eq!(resilient_policy::parse_flag("Yes"), Ok(true));
/// assert_eq!(resilient_policy::parse_flag(" off "), Ok(false));
/// assert!(resilient_policy::parse_flag("2").is_err());
/// ```
pub fn parse_flag(text: &str) -> Result<bool, String> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    if is(["1", "true", "yes", "on"]) {
        Ok(true)
    } else if is(["0", "false", "no", "off"]) {
        Ok(false)
    } else {
        Err(format!("expected `true` or `false`, `1` or `0`, `yes` or `no`, `on` or `off`, found `{text}`"))
    }
}

/// Formats a share in per cent, with at most two decimals: `20 %`.
///
/// ```
/// assert_eq!(resilient_policy::format_share(0.125), "12.5 %");
/// ```
#[must_use]
pub fn format_share(share: f64) -> String {
    let rounded = (share * 10_000.0).round() / 100.0;
    format!("{rounded} %")
}

/// Returns a number of units in the smallest unit, rounded down. `text` is what messages quote.
pub(crate) fn quantity(number: &str, per_unit: u64, text: &str) -> Result<u64, String> {
    let too_large = || format!("`{text}` is too large");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(format!("`{number}` is not a number"));
    }
    if fraction.len() > 9 {
        return Err(format!("`{text}` has more than nine decimals"));
    }
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let scale = 10_u64.pow(u32::try_from(fraction.len()).unwrap_or(9));
    let fraction: u64 = fraction.parse().map_err(|_| too_large())?;
    let part = u128::from(fraction) * u128::from(per_unit) / u128::from(scale);
    let total = u128::from(whole) * u128::from(per_unit) + part;
    u64::try_from(total).map_err(|_| too_large())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_read_in_any_of_the_usual_words_and_in_any_case() {
        for (yes, no) in
            [("1", "0"), ("true", "false"), ("TRUE", "False"), ("yes", "NO"), ("On", "oFF"), (" 1 ", "0\n")]
        {
            assert_eq!((parse_flag(yes), parse_flag(no)), (Ok(true), Ok(false)), "{yes} {no}");
        }
        for other in ["", "2", "01", "t", "y", "enabled", "truey", "none"] {
            assert!(parse_flag(other).is_err_and(|why| why.ends_with(&format!("found `{other}`"))), "{other}");
        }
    }

    #[test]
    fn what_was_written_is_shown() {
        for (share, text) in [(0.07, "7 %"), (0.29, "29 %"), (0.55, "55 %"), (1.1, "110 %"), (0.125, "12.5 %")] {
            assert_eq!(format_share(share), text);
        }
    }
}
