//! Texts that leave the process: for clients and for the log.

use std::error::Error;
use std::fmt::Write as _;

use crate::redact;

/// Prepares a text for clients: masks secrets, removes control and bidirectional characters, which could hide or
/// reorder text, and cuts it at 1,000 characters.
pub(crate) fn public_text(text: &str) -> String {
    redact::fit(text)
}

/// Formats an error and its sources on one line for the log, masked and cut.
pub(crate) fn log_chain(error: &dyn Error) -> String {
    // Bounds chains that contain a cycle.
    const DEEPEST: usize = 16;
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..DEEPEST {
        let Some(cause) = source else { break };
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
