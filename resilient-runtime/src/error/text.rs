//! Text that leaves the process: what a client may read, what the log may hold.

use std::error::Error;
use std::fmt::Write as _;

/// The most characters of one public text.
const LONGEST: usize = 1_000;

/// Makes a text fit for a client: no control or bidirectional characters, which could hide or
/// reorder what a person or a model reads, and at most 1,000 characters.
pub(crate) fn public_text(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(LONGEST));
    for (count, c) in text.chars().filter(|c| !is_deceptive(*c)).enumerate() {
        if count == LONGEST {
            clean.push('…');
            break;
        }
        clean.push(if c.is_control() { ' ' } else { c });
    }
    clean
}

/// Characters that change the order or the look of others and show nothing themselves: zero-width
/// and directional marks, embeddings, overrides and isolates, line and paragraph separators, the
/// byte order mark, and the tag characters.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
        || (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
}

/// An error and its sources on one line, for the log.
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
    text
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
