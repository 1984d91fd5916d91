//! Suggestions: the known word nearest to an unknown one.

/// Returns the candidate that `word` was most likely meant to be, if one is near enough.
///
/// The measure is Jaro-Winkler with a threshold of 0.8, as in darling, so that all suggestions for one attribute are
/// consistent.
///
/// ```
/// assert_eq!(resilient_policy::nearest("retri", ["retry", "timeout"]), Some("retry"));
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Returns ``; did you mean `x`?`` if a candidate is near, else the list of all candidates.
///
/// ```
/// assert_eq!(resilient_policy::one_of("retri", &["retry"]), "; did you mean `retry`?");
/// ```
#[must_use]
pub fn one_of(word: &str, candidates: &[&str]) -> String {
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        format!("; did you mean `{near}`?")
    } else {
        let all: Vec<String> = candidates.iter().map(|word| format!("`{word}`")).collect();
        format!("; expected one of {}", all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("retri", ["retry", "timeout"]), Some("retry"));
        assert_eq!(nearest("banana", ["retry", "timeout"]), None);
        assert_eq!(one_of("retri", &["retry"]), "; did you mean `retry`?");
        assert_eq!(one_of("zz", &["a", "b"]), "; expected one of `a`, `b`");
    }
}
