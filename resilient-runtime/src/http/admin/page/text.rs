//! Texts of others: names, codes, and what errors say.

use std::borrow::Cow;

use maud::{Markup, html};

/// The maximum number of characters of a text that are shown.
const LONGEST: usize = 500;

/// Renders a short text, whose direction of writing does not affect what follows.
pub(super) fn name(text: &str) -> Markup {
    isolated(&visible(text))
}

/// Renders a text of any length, which had `length` characters before it was cut for the first time.
pub(super) fn long(text: &str, length: usize) -> Markup {
    let length = length.max(text.chars().count());
    let shown = visible(text);
    match shown.char_indices().nth(LONGEST) {
        None => html! { (isolated(&shown)) @if length > LONGEST { (whole(length)) } },
        Some((end, _)) => html! { (isolated(shown.get(..end).unwrap_or(&shown))) "…" (whole(length)) },
    }
}

fn isolated(text: &str) -> Markup {
    html! { @if text.is_ascii() { (text) } @else { bdi { (text) } } }
}

fn whole(length: usize) -> Markup {
    html! { " " span.dim { "(" (length) " characters)" } }
}

/// Replaces the characters that are invisible, change the order of others, or are not allowed in HTML, by their code
/// points. Line breaks and tabs stay.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    use std::fmt::Write as _;

    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(2 * text.len());
    for c in text.chars() {
        if is_invisible(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn is_invisible(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    let is_no_character = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    (c.is_control() && !matches!(c, '\n' | '\t')) || is_format || is_no_character
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_what_is_invisible_is_named() {
        assert_eq!(
            name("<b onx=\"1\">&'\u{202e}\u{0}\u{85}\u{ffff}é\n").into_string(),
            "<bdi>&lt;b onx=&quot;1&quot;&gt;&amp;'⟨U+202E⟩⟨U+0000⟩⟨U+0085⟩⟨U+FFFF⟩é\n</bdi>"
        );
        // Emoji and Persian need joiners.
        assert_eq!(name("👩\u{200d}🔧 می\u{200c}خواهم").into_string(), "<bdi>👩\u{200d}🔧 می\u{200c}خواهم</bdi>");
    }

    #[test]
    fn a_long_text_is_cut_and_its_length_is_said() {
        assert_eq!(long("short", 0).into_string(), "short");
        let cut = long(&"é".repeat(501), 10_000).into_string();
        assert_eq!(cut, format!("<bdi>{}</bdi>… <span class=\"dim\">(10000 characters)</span>", "é".repeat(500)));
        assert!(long(&"é".repeat(600), 0).into_string().contains("(600 characters)"));
    }
}
