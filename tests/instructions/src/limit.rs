//! The comparison of a count with the committed one.

/// The percentage by which a count may differ from the committed one.
pub const PERCENT: f64 = 5.0;

/// The result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Within the limit.
    Same,
    /// More than [`PERCENT`] fewer: worth committing, so that later changes keep it.
    Fewer,
    /// More than [`PERCENT`] more: the check fails.
    More,
}

/// Compares a count with the committed one.
#[must_use]
pub fn compare(count: f64, committed: f64) -> Compared {
    // Without a division, so that exactly the percentage is within the limit.
    let by = (count - committed) * 100.0;
    if by > committed * PERCENT {
        Compared::More
    } else if by < committed * -PERCENT {
        Compared::Fewer
    } else {
        Compared::Same
    }
}

/// Returns by how many percent a count is above the committed one.
#[must_use]
pub fn difference(count: f64, committed: f64) -> f64 {
    (count / committed - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::{Compared, compare};

    #[test]
    fn a_count_may_be_five_percent_above_the_committed_one() {
        assert_eq!(compare(1_050.0, 1_000.0), Compared::Same);
        assert_eq!(compare(1_051.0, 1_000.0), Compared::More);
    }

    #[test]
    fn a_count_that_is_much_lower_is_reported_and_does_not_fail() {
        assert_eq!(compare(950.0, 1_000.0), Compared::Same);
        assert_eq!(compare(949.0, 1_000.0), Compared::Fewer);
    }
}
