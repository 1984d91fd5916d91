//! Literals as values. Rust's lexer takes `60s` for the number 60 with a suffix, and so do its
//! parsers; here no number and no text has one.

use resilient_policy::corrected_duration;
use syn::{Expr, ExprLit, Lit, LitStr};

/// What a literal stands for, which decides how it would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `"30s"`
    Duration,
    /// `3`
    Count,
    /// `100` or `"60s"`
    CountOrDuration,
    /// `2.0`
    Number,
    /// Any text in quotes.
    Text,
}

/// The literal that an expression is.
///
/// # Errors
/// The literal has a suffix: what to write instead.
pub(crate) fn read(value: &Expr, wanted: Wanted) -> darling::Result<Option<&Lit>> {
    let Expr::Lit(ExprLit { lit, .. }) = value else { return Ok(None) };
    match suffixed(lit, wanted) {
        Some(message) => Err(darling::Error::custom(message).with_span(lit)),
        None => Ok(Some(lit)),
    }
}

/// What is wrong with the suffix of a literal, if it has one.
pub(crate) fn suffixed(lit: &Lit, wanted: Wanted) -> Option<String> {
    let suffix = lit.suffix();
    if suffix.is_empty() {
        return None;
    }
    let (digits, is_whole) = match lit {
        Lit::Int(number) => (number.base10_digits(), true),
        Lit::Float(number) => (number.base10_digits(), false),
        Lit::Str(text) => {
            let text = LitStr::new(&text.value(), text.span());
            return Some(match wanted {
                Wanted::Text | Wanted::Duration | Wanted::CountOrDuration => {
                    format!("a text has no suffix; write `{}`", text.token())
                }
                Wanted::Count | Wanted::Number => format!("a text has no suffix; remove `{suffix}`"),
            });
        }
        _ => return Some(format!("a literal has no suffix here; remove `{suffix}`")),
    };
    let duration = || corrected_duration(&format!("{digits}{suffix}"));
    let number = format!("a number has no suffix here; write `{digits}`");
    let unit = format!("`{suffix}` is no unit; expected a duration in quotes such as `\"30s\"`");
    let quoted = |right: String| format!("a duration stands in quotes; write `\"{right}\"`");
    Some(match wanted {
        Wanted::Duration => duration().map_or(unit, quoted),
        Wanted::CountOrDuration => duration().map_or(number, quoted),
        Wanted::Count if is_whole && digits.parse::<u32>().is_ok() => number,
        Wanted::Count => "expected a whole number without a suffix, which fits into 32 bits".into(),
        Wanted::Number => number,
        Wanted::Text => format!("a number is no text; remove the suffix `{suffix}`, and write the text in quotes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(literal: &str, wanted: Wanted) -> String {
        let lit: Lit = syn::parse_str(literal).expect(literal);
        suffixed(&lit, wanted).unwrap_or_default()
    }

    #[test]
    fn a_unit_outside_quotes_is_never_read_as_a_smaller_one_or_as_a_count() {
        for (literal, wanted, advice) in [
            ("1m", Wanted::Duration, "`\"1m\"`"),
            ("1.5m", Wanted::Duration, "`\"1.5m\"`"),
            ("5min", Wanted::Duration, "`\"5m\"`"),
            ("1h30m", Wanted::Duration, "`\"90m\"`"),
            ("60s", Wanted::CountOrDuration, "`\"60s\"`"),
            ("60u32", Wanted::CountOrDuration, "`60`"),
            ("3s", Wanted::Count, "`3`"),
            ("1_000x", Wanted::Count, "`1000`"),
            ("2x", Wanted::Number, "`2`"),
            ("2.5x", Wanted::Number, "`2.5`"),
            ("\"30s\"x", Wanted::Duration, "`\"30s\"`"),
            ("\"a \\\" b\"x", Wanted::Text, "`\"a \\\" b\"`"),
        ] {
            let said = said(literal, wanted);
            assert!(said.ends_with(&format!("; write {advice}")), "{literal}: {said}");
        }
        for (literal, wanted) in [
            ("5x", Wanted::Duration),
            ("0s", Wanted::Duration),
            ("1.5s", Wanted::Count),
            ("99999999999x", Wanted::Count),
            ("3s", Wanted::Text),
            ("\"3\"x", Wanted::Count),
            ("'c'x", Wanted::Text),
        ] {
            let said = said(literal, wanted);
            assert!(!said.is_empty() && !said.contains("; write `"), "{literal}: {said}");
        }
        for literal in ["3", "2.5", "\"30s\"", "true"] {
            assert_eq!(said(literal, Wanted::Count), "", "{literal}");
        }
    }
}
