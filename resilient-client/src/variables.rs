//! References to environment variables in texts: `${VAR}` and `${VAR:-default}`.

use std::borrow::Cow;
use std::ffi::OsString;

/// Why a text with references to variables has no value. The error contains names of variables, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// The variable is not set, and the reference has no default.
    #[error("the variable {0} is not set")]
    Unset(String),
    /// The value of the variable is not valid UTF-8.
    #[error("the variable {0} is not valid UTF-8")]
    NotUnicode(String),
    /// A reference cannot be read. The sentence says what is wrong.
    #[error("{0}; a literal `${{` is written `$${{`")]
    Malformed(String),
}

/// Replaces the references to variables in a text.
///
/// `${VAR}` is the value of the variable, also if it is empty. `${VAR:-default}` is the default if the variable is unset
/// or empty, as in a shell. `$${` is a literal `${`. Any other `$` is literal. Values are not expanded again.
///
/// # Errors
/// [`ExpandError`], which names the variable.
///
/// ```
/// use resilient_client::expand_variables;
///
/// let variables = |name: &str| (name == "KEY").then(|| "k-1".into());
/// assert_eq!(expand_variables("Bearer ${KEY}", variables)?, "Bearer k-1");
/// assert_eq!(expand_variables("${REGION:-eu} for $5", variables)?, "eu for $5");
/// assert_eq!(expand_variables("${SECRET}", variables).unwrap_err().to_string(), "the variable SECRET is not set");
/// # Ok::<(), resilient_client::ExpandError>(())
/// ```
pub fn expand_variables(text: &str, variables: impl Fn(&str) -> Option<OsString>) -> Result<Cow<'_, str>, ExpandError> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = behind;
            continue;
        }
        expanded.push_str(before);
        let (reference, behind) = behind
            .split_once('}')
            .ok_or_else(|| ExpandError::Malformed("a reference to a variable has no closing brace".into()))?;
        expanded.push_str(&value_of(reference, &variables)?);
        rest = behind;
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

/// Returns the value of the text between the braces.
fn value_of(reference: &str, variables: &impl Fn(&str) -> Option<OsString>) -> Result<String, ExpandError> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_variable(name) {
        return Err(ExpandError::Malformed(match name.strip_prefix("env:") {
            Some(name) if is_variable(name) => format!("a variable is written without `env:`: `${{{name}}}`"),
            _ => "expected `${VAR}` or `${VAR:-default}` with a name of letters, digits and `_`".into(),
        }));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(ExpandError::Malformed(format!("the default of {name} must not contain a reference")));
    }
    match (variables(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.into()),
        (Some(value), _) => value.into_string().map_err(|_| ExpandError::NotUnicode(name.into())),
        (None, Some(default)) => Ok(default.into()),
        (None, None) => Err(ExpandError::Unset(name.into())),
    }
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let variables = |name: &str| match name {
            "KEY" => Some("k-1".into()),
            "EMPTY" => Some(OsString::new()),
            "NESTED" => Some("${KEY}".into()),
            _ => None,
        };
        expand_variables(text, variables).map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn references_are_replaced_once_and_other_dollars_stay() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${KEY}", "k-1"),
            ("a${KEY}b${KEY}", "ak-1bk-1"),
            ("${KEY:-other}", "k-1"),
            ("${NONE:-other}", "other"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
            ("${EMPTY}", ""),
            ("${EMPTY:-other}", "other"),
            ("${NESTED}", "${KEY}"),
            ("$KEY $5 $$ $", "$KEY $5 $$ $"),
            ("$${KEY}", "${KEY}"),
            ("$${${KEY}}", "${k-1}"),
            ("{KEY} }", "{KEY} }"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_text_without_references_is_borrowed() {
        assert!(matches!(expand_variables("a$b", |_| None), Ok(Cow::Borrowed("a$b"))));
    }

    #[test]
    fn a_reference_that_has_no_value_is_an_error() {
        for (text, part) in [
            ("${NONE}", "the variable NONE is not set"),
            ("${KEY", "no closing brace; a literal `${` is written `$${`"),
            ("${}", "expected `${VAR}`"),
            ("${1KEY}", "expected `${VAR}`"),
            ("${KEY-x}", "expected `${VAR}`"),
            ("${input:key}", "expected `${VAR}`"),
            ("${env:KEY}", "a variable is written without `env:`: `${KEY}`"),
            ("${A:-${KEY}}", "the default of A must not contain a reference"),
        ] {
            let error = expand(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_unicode_is_an_error() {
        use std::os::unix::ffi::OsStringExt;
        let variables = |_: &str| Some(OsString::from_vec(vec![0xFF]));
        assert_eq!(expand_variables("${RAW}", variables), Err(ExpandError::NotUnicode("RAW".into())));
    }

    proptest::proptest! {
        #[test]
        fn a_text_without_a_reference_is_unchanged(text in "[^{]*") {
            proptest::prop_assert_eq!(expand(&text), Ok(text));
        }

        #[test]
        fn every_text_can_be_written(text in "([$]|[{]|[}]|[a-zA-Z:-]){0,12}") {
            proptest::prop_assert_eq!(expand(&text.replace("${", "$${")), Ok(text));
        }
    }
}
