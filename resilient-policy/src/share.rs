//! Shares as text.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_shown() {
        for (share, text) in [(0.07, "7 %"), (0.29, "29 %"), (0.55, "55 %"), (1.1, "110 %"), (0.125, "12.5 %")] {
            assert_eq!(format_share(share), text);
        }
    }
}
