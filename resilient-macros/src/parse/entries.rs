//! Splits the lists of the attribute and of the derive into entries.

use proc_macro2::{Punct, Spacing, Span, TokenStream, TokenTree};

/// Splits at the commas outside of brackets. Returns `Err` for a comma with nothing before it.
pub(crate) fn split(tokens: TokenStream) -> Vec<Result<TokenStream, Punct>> {
    let mut parts = Vec::new();
    let mut current: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                let part = std::mem::take(&mut current);
                parts.push(if part.is_empty() { Err(comma) } else { Ok(part.into_iter().collect()) });
            }
            other => current.push(other),
        }
    }
    if !current.is_empty() {
        parts.push(Ok(current.into_iter().collect()));
    }
    parts
}

/// Checks the token after a key, and the token after that. Returns the wrong token and the message if the first is a
/// `:`, or the two are an operator that begins with `=`.
pub(crate) fn wrong_operator(first: &TokenTree, second: Option<&TokenTree>) -> Option<(TokenTree, String)> {
    let TokenTree::Punct(punct) = first else { return None };
    let second_char = if let Some(TokenTree::Punct(second)) = second { Some(second.as_char()) } else { None };
    match (punct.as_char(), second_char) {
        (':', Some(':')) => None,
        (':', Some('=')) => Some((first.clone(), "expected `=` alone; remove this `:`".into())),
        (':', _) => Some((first.clone(), "expected an equals sign between a key and its value; write `=`".into())),
        ('=', Some(wrong @ ('>' | '='))) if punct.spacing() == Spacing::Joint => {
            Some((second?.clone(), format!("expected `=` alone; remove this `{wrong}`")))
        }
        _ => None,
    }
}

/// Returns the message about a key that is written twice.
pub(crate) fn written_twice(key: &str, first: Span) -> String {
    let at = line(first).map(|line| format!(", the first is in line {line}")).unwrap_or_default();
    format!("`{key}` is written twice; this is the second{at}")
}

/// Returns the line of a token in its file, if the code runs inside a compiler.
pub(crate) fn line(span: Span) -> Option<u32> {
    let line = proc_macro::is_available().then(|| span.unwrap().line())?;
    u32::try_from(line).ok()
}
