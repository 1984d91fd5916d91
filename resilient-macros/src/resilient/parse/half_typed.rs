//! Recognizes functions that are being typed: rustc recovers from some mistakes, reports them, and expands the
//! attribute nevertheless.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Returns whether a parameter of the function has no type. rustc reports it for each item that it parses.
pub(crate) fn has_parameter_without_type(item: &TokenStream) -> bool {
    parameters(item.clone()).is_some_and(|parameters| {
        let parameters = split(parameters.stream());
        parameters.iter().any(|parameter| is_without_type(parameter))
    })
}

/// Returns the first brackets after `fn`, without those of generics.
fn parameters(item: TokenStream) -> Option<Group> {
    let mut tokens =
        item.into_iter().skip_while(|token| !matches!(token, TokenTree::Ident(word) if word == "fn")).skip(1);
    let mut depth = 0_i32;
    let mut after_minus = false;
    tokens.find_map(|token| {
        match &token {
            TokenTree::Group(group) if depth == 0 && group.delimiter() == Delimiter::Parenthesis => {
                return Some(group.clone());
            }
            TokenTree::Punct(angle) => depth += angle_of(angle, after_minus),
            _ => {}
        }
        after_minus = is_minus(&token);
        None
    })
}

/// Splits at the commas, without those between angle brackets.
fn split(parameters: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut all = vec![Vec::new()];
    let mut depth = 0_i32;
    let mut after_minus = false;
    for token in parameters {
        let minus = is_minus(&token);
        match &token {
            TokenTree::Punct(comma) if comma.as_char() == ',' && depth == 0 => all.push(Vec::new()),
            other => {
                if let TokenTree::Punct(angle) = other {
                    depth += angle_of(angle, after_minus);
                }
                if let Some(last) = all.last_mut() {
                    last.push(token);
                }
            }
        }
        after_minus = minus;
    }
    // There may be nothing after the last comma.
    if all.last().is_some_and(Vec::is_empty) {
        all.pop();
    }
    all
}

/// Returns whether a parameter has no `:` between a pattern and a type, or nothing after it.
fn is_without_type(parameter: &[TokenTree]) -> bool {
    let is_receiver = parameter.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "self"));
    let colon = parameter.iter().enumerate().position(|(index, token)| match token {
        // `::` is part of a path.
        TokenTree::Punct(colon) if colon.as_char() == ':' => {
            let before = index.checked_sub(1).and_then(|before| parameter.get(before));
            let is_second = matches!(before, Some(TokenTree::Punct(first))
                if first.as_char() == ':' && first.spacing() == Spacing::Joint);
            colon.spacing() == Spacing::Alone && !is_second
        }
        _ => false,
    });
    !parameter.is_empty() && !is_receiver && colon.is_none_or(|colon| colon + 1 == parameter.len())
}

fn angle_of(punct: &proc_macro2::Punct, after_minus: bool) -> i32 {
    match punct.as_char() {
        '<' => 1,
        '>' if !after_minus => -1,
        _ => 0,
    }
}

/// The `-` of `->`.
fn is_minus(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(minus) if minus.as_char() == '-' && minus.spacing() == Spacing::Joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_parameter_without_a_type_is_left_to_rustc() {
        for (function, is_left) in [
            ("async fn f(a) -> u32 {}", true),
            ("async fn f(a:) -> u32 {}", true),
            ("async fn f(&self, a: u32, b) -> u32 {}", true),
            ("async fn f(&self, Parameters(a)) -> u32 {}", true),
            ("pub(crate) async fn f<F: Fn(u8) -> u8>(a) -> u32 {}", true),
            ("async fn f(&self, a: HashMap<u8, u16>, mut b: crate::B,) -> u32 {}", false),
            ("async fn f(self: Arc<Self>, a: impl Fn(u8) -> HashMap<u8, u16>) -> u32 {}", false),
            ("async fn f() -> (u8, u8) {}", false),
            ("async fn f", false),
        ] {
            let tokens = function.parse().expect(function);
            assert_eq!(has_parameter_without_type(&tokens), is_left, "{function}");
        }
    }
}
