//! Splits a format string into text and fields.

use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text, with `{{` and `}}` replaced by one brace each.
    Text(String),
    /// `{name:spec}`. The name is empty in `{}`.
    Placeholder { name: String, spec: String },
}

/// Splits a format string.
///
/// # Errors
/// Returns the message about its braces.
pub(crate) fn pieces(format: &str) -> Result<Vec<Piece>, &'static str> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.next_if_eq(&c).is_some() => text.push(c),
            '{' => {
                if !text.is_empty() {
                    found.push(Piece::Text(std::mem::take(&mut text)));
                }
                found.push(placeholder(&mut chars)?);
            }
            '}' => return Err("`}` without a `{` before it; a brace itself is `}}`"),
            other => text.push(other),
        }
    }
    if !text.is_empty() {
        found.push(Piece::Text(text));
    }
    Ok(found)
}

fn placeholder(chars: &mut Peekable<Chars<'_>>) -> Result<Piece, &'static str> {
    let (mut name, mut spec, mut in_spec) = (String::new(), String::new(), false);
    loop {
        match chars.next() {
            None => return Err("`{` without a `}` after it; a brace itself is `{{`"),
            // A fill character can be any character, even a brace: `{:}>5}`.
            Some(c)
                if in_spec && spec.is_empty() && chars.peek().is_some_and(|next| matches!(next, '<' | '^' | '>')) =>
            {
                spec.push(c);
            }
            Some('}') => break,
            Some(':') if !in_spec => in_spec = true,
            Some('{') => return Err("`{` inside `{..}`; a brace itself is `{{`"),
            Some(c) => if in_spec { &mut spec } else { &mut name }.push(c),
        }
    }
    let name = name.trim();
    let name = name.strip_prefix("r#").unwrap_or(name).to_owned();
    Ok(Piece::Placeholder { name, spec: spec.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    fn placeholder(name: &str, spec: &str) -> Piece {
        Piece::Placeholder { name: name.into(), spec: spec.into() }
    }

    #[test]
    fn text_and_placeholders_are_distinguished() {
        assert_eq!(
            pieces("no {id:?} in {{{0}}}"),
            Ok(vec![text("no "), placeholder("id", "?"), text(" in {"), placeholder("0", ""), text("}")])
        );
        assert_eq!(pieces("{}"), Ok(vec![placeholder("", "")]));
        assert_eq!(pieces("{a:}>5}"), Ok(vec![placeholder("a", "}>5")]));
        assert_eq!(pieces("{r#type}"), Ok(vec![placeholder("type", "")]));
        assert_eq!(pieces(""), Ok(vec![]));
    }

    #[test]
    fn braces_that_do_not_match_are_refused() {
        for wrong in ["{", "a}", "{a", "{a{b}}", "}{"] {
            assert!(pieces(wrong).is_err(), "{wrong}");
        }
    }
}
