//! Checks names, which become metric labels and parts of environment variables.

const LONGEST: usize = 64;

/// Checks that `name` is 1 to 64 characters of `[A-Za-z0-9_.-]`.
///
/// # Errors
/// Returns a sentence that says what is wrong with the name.
///
/// ```
/// assert!(resilient_policy::check_name("make-eu.v2").is_ok());
/// assert!(resilient_policy::check_name("make eu").is_err());
/// ```
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a name must not be empty".into());
    }
    if name.len() > LONGEST {
        return Err(format!("a name has at most {LONGEST} characters, this one has {}", name.chars().count()));
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))) {
        Some(c) => {
            Err(format!("`{}` is not allowed in a name; expected letters, digits, `_`, `.` or `-`", c.escape_default()))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!(check_name("make-eu.v2_A").is_ok());
        assert!(check_name("").is_err());
        assert!(check_name(&"x".repeat(65)).is_err());
        assert!(check_name("a b").is_err_and(|why| why.contains("` `")));
    }
}
