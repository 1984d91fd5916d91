//! Reads thiserror's `#[error(..)]`, as far as needed to know which fields it prints.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, LitStr};

use super::{Piece, pieces};

/// The `Display` of a variant, as far as its attributes define it.
#[derive(Debug, Clone)]
pub(crate) enum Display {
    /// Code that the derive does not see, which may print every field. Holds the tokens that refer to this code.
    Unknown(TokenStream),
    /// `#[error(transparent)]`, with the word.
    Transparent(Ident),
    /// `#[error("..", args)]`
    Format(Format),
}

#[derive(Debug, Clone)]
pub(crate) struct Format {
    pub(crate) literal: LitStr,
    has_args: bool,
    prints: Vec<String>,
}

impl Format {
    /// Returns whether the text or an argument prints the field of this name (`id`, `0`).
    pub(crate) fn prints(&self, field: &str) -> bool {
        self.prints.iter().any(|printed| printed == field)
    }

    /// Returns the text, if it alone decides what is printed.
    pub(crate) fn template(&self) -> Option<&LitStr> {
        if self.has_args { None } else { Some(&self.literal) }
    }
}

/// Reads `#[error(..)]`. thiserror reports its mistakes.
pub(crate) fn read(attrs: &[Attribute]) -> Option<Display> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("error"))?;
    let parser = |input: ParseStream<'_>| {
        if input.peek(LitStr) {
            Ok(Display::Format(format(input.parse()?, input.parse()?)))
        } else {
            let word: Ident = input.parse()?;
            let rest: TokenStream = input.parse()?;
            // The path after `fmt =`.
            let function: TokenStream = rest.into_iter().skip(1).collect();
            Ok(if word == "transparent" { Display::Transparent(word) } else { Display::Unknown(function) })
        }
    };
    let tokens = &attr.meta.require_list().ok()?.tokens;
    Some(parser.parse2(tokens.clone()).unwrap_or_else(|_| Display::Unknown(tokens.clone())))
}

fn format(literal: LitStr, args: TokenStream) -> Format {
    let args: Vec<TokenTree> = args.into_iter().collect();
    // A trailing `,` after the text is not an argument.
    let has_args = args.len() > 1;
    let named = named_args(&args);
    let mut prints = Vec::new();
    for piece in pieces(&literal.value()).unwrap_or_default() {
        let Piece::Placeholder { name, spec } = piece else { continue };
        let width = spec.split_once('$').map(|(before, _)| {
            before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned()
        });
        for name in std::iter::once(name).chain(width) {
            // With arguments, a number refers to an argument, and a named argument hides the field of this name.
            let is_arg = has_args && name.starts_with(|c: char| c.is_ascii_digit());
            if !is_arg && !named.contains(&name) {
                prints.push(field_name(&name).to_owned());
            }
        }
    }
    mentioned(args, &mut prints);
    Format { literal, has_args, prints }
}

/// Returns the `name` of each `, name = value`.
fn named_args(args: &[TokenTree]) -> Vec<String> {
    args.windows(3)
        .filter_map(|three| {
            let [TokenTree::Punct(comma), TokenTree::Ident(name), TokenTree::Punct(equals)] = three else {
                return None;
            };
            (comma.as_char() == ',' && is_assignment(equals)).then(|| name.unraw().to_string())
        })
        .collect()
}

fn is_assignment(punct: &proc_macro2::Punct) -> bool {
    punct.as_char() == '=' && punct.spacing() == proc_macro2::Spacing::Alone
}

/// Returns the ways in which an argument can refer to a field: `.id`, `.0`, and the local `id` or `_0` that thiserror
/// binds.
fn mentioned(args: impl IntoIterator<Item = TokenTree>, found: &mut Vec<String>) {
    let mut tokens = args.into_iter().peekable();
    // Whether the previous token ends an expression, so that a `.` continues it.
    let mut after_expression = false;
    let mut after_dot = false;
    while let Some(token) = tokens.next() {
        let starts_field = after_dot && !after_expression;
        match &token {
            TokenTree::Group(group) => mentioned(group.stream(), found),
            TokenTree::Ident(word) => {
                let is_name = tokens.peek().is_some_and(|next| matches!(next, TokenTree::Punct(p) if is_assignment(p)));
                let word = word.unraw().to_string();
                if starts_field || !(after_dot || is_name) {
                    found.push(field_name(&word).to_owned());
                }
            }
            // `.0.1` is a dot and the literal `0.1`.
            TokenTree::Literal(number) if starts_field => {
                found.extend(number.to_string().split('.').next().map(str::to_owned));
            }
            TokenTree::Punct(punct) if punct.as_char() == '.' => {
                after_dot = true;
                continue;
            }
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
        after_dot = false;
        after_expression = match &token {
            TokenTree::Ident(word) => syn::parse2::<Ident>(TokenTree::Ident(word.clone()).into()).is_ok(),
            TokenTree::Punct(punct) => punct.as_char() == '?',
            TokenTree::Group(_) | TokenTree::Literal(_) => true,
        };
    }
}

/// Returns the name of the field to which a word refers: thiserror binds the field `0` as `_0`.
fn field_name(word: &str) -> &str {
    let is_index = |digits: &&str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    word.strip_prefix('_').filter(is_index).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn prints(attr: Attribute, field: &str) -> bool {
        match read(&[attr]) {
            Some(Display::Format(format)) => format.prints(field),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_field_is_printed_by_name_number_width_or_argument() {
        assert!(prints(parse_quote!(#[error("no {id}")]), "id"));
        assert!(prints(parse_quote!(#[error("no {0:?}")]), "0"));
        assert!(prints(parse_quote!(#[error("no {a:width$}")]), "width"));
        assert!(prints(parse_quote!(#[error("no {}", .0)]), "0"));
        assert!(prints(parse_quote!(#[error("no {}", .0.1)]), "0"));
        assert!(prints(parse_quote!(#[error("no {}", first(&.id))]), "id"));
        assert!(prints(parse_quote!(#[error("no {what}", what = .id.len())]), "id"));
        assert!(prints(parse_quote!(#[error("no {}", id)]), "id"));
        assert!(prints(parse_quote!(#[error("no {}", _0)]), "0"));
        assert!(prints(parse_quote!(#[error("no {type}")]), "type"));
    }

    #[test]
    fn what_is_only_spelled_like_a_field_is_not_printed() {
        assert!(!prints(parse_quote!(#[error("no {{id}}")]), "id"));
        assert!(!prints(parse_quote!(#[error("no {id}", id = 5)]), "id"));
        assert!(!prints(parse_quote!(#[error("no {}", .0.token)]), "token"));
        assert!(!prints(parse_quote!(#[error("no {0}", .id)]), "0"));
        assert!(!prints(parse_quote!(#[error("no {}", .key.id())]), "id"));
    }

    #[test]
    fn transparent_and_functions_are_recognised() {
        assert!(matches!(read(&[parse_quote!(#[error(transparent)])]), Some(Display::Transparent(_))));
        assert!(matches!(read(&[parse_quote!(#[error(fmt = path::to)])]), Some(Display::Unknown(_))));
        assert!(read(&[parse_quote!(#[error])]).is_none());
        assert!(read(&[]).is_none());
    }
}
