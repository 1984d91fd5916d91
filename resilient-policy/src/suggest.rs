//! Suggestions: the known word nearest to an unknown one, and the form of the value of a key.

use crate::{BreakerSettings, BulkheadSettings, CacheSettings, Form, RateLimitSettings, Retry, Settings};

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

/// Returns the form of the value of a key such as `timeout`, or of a part such as `max_age`.
///
/// ```
/// assert_eq!(resilient_policy::form_of("slow_rate"), Some(resilient_policy::Form::Fraction));
/// ```
#[must_use]
pub fn form_of(name: &str) -> Option<Form> {
    fn of<S: Settings>(name: &str) -> Option<Form> {
        let first = S::PARTS.first().filter(|_| S::FIRST_IS_ARGUMENT && S::KEY == name);
        first.or_else(|| S::part(name)).map(|part| part.form)
    }
    match name {
        "timeout" | "attempt_timeout" => Some(Form::DURATION),
        _ => of::<BreakerSettings>(name)
            .or_else(|| of::<Retry>(name))
            .or_else(|| of::<BulkheadSettings>(name))
            .or_else(|| of::<RateLimitSettings>(name))
            .or_else(|| of::<CacheSettings>(name)),
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
