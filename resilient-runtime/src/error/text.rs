//! Text that leaves the process: what a client may read, what the log may hold.

use std::error::Error;
use std::fmt::Write as _;

use crate::redact;

/// Makes a text fit for a client: what looks like a secret is masked, there are no control or
/// bidirectional characters, which could hide or reorder what a person or a model reads, and it has
/// at most 1,000 characters.
pub(crate) fn public_text(text: &str) -> String {
    redact::fit(text)
}

/// An error and its sources on one line, masked and cut, for the log.
pub(crate) fn log_chain(error: &dyn Error) -> String {
    // A chain that names itself again would not end.
    const DEEPEST: usize = 16;
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..DEEPEST {
        let Some(cause) = source else { break };
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    redact::fit(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_hide_or_reorder_are_stripped_and_length_is_bounded() {
        assert_eq!(public_text("a\u{202e}b\u{200b}c\u{7}d\ne"), "abcd e");
        assert_eq!(public_text(&"é".repeat(1_001)).chars().count(), 1_001);
        assert!(public_text(&"é".repeat(1_001)).ends_with('…'));
    }
}
