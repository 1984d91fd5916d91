//! The values of `#[mcp(key = value)]`. Each message shows the expected form.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use resilient_policy::{ErrorKind, Form, Number, Severity, one_of, read_text, snake, without_quotes};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, Lit, LitBool, LitInt, LitStr, Path, Token};

use crate::mcp_error::parse::errors::Errors;
use crate::mcp_error::parse::keys::Key;
use crate::mcp_error::parse::list::{Entry, Value};
use crate::parse::literal::literal;

/// A value and its tokens.
#[derive(Debug)]
pub(crate) struct Spanned<T> {
    pub(crate) tokens: TokenStream,
    pub(crate) value: T,
}

/// A key without a value.
pub(crate) fn flag(key: Key, entry: &Entry, errors: &mut Errors) -> Option<()> {
    match &entry.value {
        Value::None => return Some(()),
        Value::Is(value) => {
            errors.at(value, format!("`{}` takes no value; expected `{}` alone", key.name(), key.example()));
        }
        Value::List(list) => {
            errors.at(list, format!("`{}` takes no list; expected `{}` alone", key.name(), key.example()));
        }
    }
    None
}

pub(crate) fn string(key: Key, entry: &Entry, errors: &mut Errors) -> Option<LitStr> {
    let text: LitStr = value(key, entry, "a string", errors)?;
    match read_text(&literal::<()>(&Lit::Str(text.clone()))) {
        Ok(_) => Some(text),
        Err(why) => {
            errors.at(text, why);
            None
        }
    }
}

/// Reports a value in quotes that is to be written without. Returns whether it did.
fn is_quoted(entry: &Entry, is_right: impl Fn(&str) -> bool, errors: &mut Errors) -> bool {
    if let Value::Is(tokens) = &entry.value
        && let Ok(text) = syn::parse2::<LitStr>(tokens.clone())
        && is_right(&text.value())
    {
        errors.at(&text, without_quotes(&text.value()));
        return true;
    }
    false
}

pub(crate) fn boolean(key: Key, entry: &Entry, errors: &mut Errors) -> Option<LitBool> {
    if is_quoted(entry, |text| matches!(text, "true" | "false"), errors) {
        return None;
    }
    value(key, entry, "`true` or `false`", errors)
}

pub(crate) fn path(key: Key, entry: &Entry, errors: &mut Errors) -> Option<Path> {
    let ModPath(path) = value(key, entry, "a path", errors)?;
    Some(path)
}

/// A path without generic arguments, which may begin with `crate`.
struct ModPath(Path);

impl Parse for ModPath {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Path::parse_mod_style).map(Self)
    }
}

pub(crate) fn kind(key: Key, entry: &Entry, errors: &mut Errors) -> Option<ErrorKind> {
    if let Value::Is(tokens) = &entry.value
        && let Some(word) = misspelled_kind(tokens)
    {
        errors.at(
            tokens,
            match snake(&word).parse::<ErrorKind>() {
                Ok(kind) => format!("a kind is one word without quotes; write `{kind}`"),
                Err(_) => format!("expected a bare word: unknown kind `{word}`{}", meant(&word)),
            },
        );
        return None;
    }
    let word: Ident = value(key, entry, "the name of a kind", errors)?;
    let name = word.unraw().to_string();
    let found = name.parse().ok();
    if found.is_none() {
        let right = match snake(&name).parse::<ErrorKind>() {
            Ok(kind) => format!("; write `{kind}`"),
            Err(_) => meant(&name),
        };
        errors.at(word, format!("unknown kind `{name}`{right}"));
    }
    found
}

/// Returns the kind that an unknown word probably means, or the list of all kinds.
fn meant(word: &str) -> String {
    let snake = snake(word);
    let known = snake.parse().ok().or_else(|| ErrorKind::from_foreign_name(&snake));
    known.map_or_else(|| one_of(word, ErrorKind::NAMES), |kind| format!("; did you mean `{kind}`?"))
}

/// Returns the word of `"not_found"`, `not-found` or `ErrorKind::NotFound`, so that the message can correct it.
fn misspelled_kind(tokens: &TokenStream) -> Option<String> {
    if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
        return Some(text.value().replace('-', "_"));
    }
    if let Some(word) = dashed(tokens).filter(|word| word.parse::<ErrorKind>().is_ok())
        && syn::parse2::<Ident>(tokens.clone()).is_err()
    {
        return Some(word);
    }
    let path = syn::parse2::<Path>(tokens.clone()).ok()?;
    let last = path.segments.last()?;
    path.get_ident().is_none().then(|| last.ident.to_string())
}

/// Returns `not-found`, which the parser reads as a subtraction, as `not_found`.
fn dashed(tokens: &TokenStream) -> Option<String> {
    let words = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        TokenTree::Punct(dash) if dash.as_char() == '-' => Some("_".into()),
        _ => None,
    });
    words.collect()
}

pub(crate) fn severity(key: Key, entry: &Entry, errors: &mut Errors) -> Option<Severity> {
    const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    let names = ALL.map(Severity::as_str);
    if is_quoted(entry, |text| names.contains(&text), errors) {
        return None;
    }
    let word: Ident = value(key, entry, "`low`, `medium`, `high` or `critical`", errors)?;
    let name = word.to_string();
    let found = ALL.into_iter().find(|severity| severity.as_str() == name);
    if found.is_none() {
        errors.at(word, format!("unknown severity `{name}`{}", one_of(&name, &names)));
    }
    found
}

/// A JSON-RPC code, with or without a sign.
pub(crate) fn protocol(key: Key, entry: &Entry, errors: &mut Errors) -> Option<Spanned<i32>> {
    if is_quoted(entry, |text| text.parse::<i32>().is_ok() && !text.starts_with('+'), errors) {
        return None;
    }
    let Signed { minus, digits } = value(key, entry, "an integer", errors)?;
    if !digits.suffix().is_empty() && digits.base10_parse::<i32>().is_ok() {
        // The sign is a separate token and is kept.
        let why = Form::COUNT.suffixed(&Number::Whole(digits.base10_digits().into()), digits.suffix());
        errors.at(digits, why);
        return None;
    }
    let mut tokens = minus.to_token_stream();
    digits.to_tokens(&mut tokens);
    let number = digits.base10_parse::<i64>().ok().filter(|_| digits.suffix().is_empty());
    let number = number.map(|number| if minus.is_some() { -number } else { number });
    if let Some(value) = number.and_then(|number| i32::try_from(number).ok()) {
        Some(Spanned { tokens, value })
    } else {
        errors.at(tokens, format!("expected an integer of 32 bits: `{}`", key.example()));
        None
    }
}

struct Signed {
    minus: Option<Token![-]>,
    digits: LitInt,
}

impl Parse for Signed {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self { minus: input.parse()?, digits: input.parse()? })
    }
}

/// Returns the whole value after `=`.
fn value<T: Parse>(key: Key, entry: &Entry, expected: &str, errors: &mut Errors) -> Option<T> {
    let tokens = match &entry.value {
        Value::Is(tokens) => tokens,
        Value::None => {
            errors.at(&entry.key, format!("expected {expected}: `{}`", key.example()));
            return None;
        }
        Value::List(list) => {
            errors.at(list, format!("expected {expected}: `{}`", key.example()));
            return None;
        }
    };
    let parser = |input: ParseStream<'_>| {
        let parsed = input.parse::<T>();
        Ok((parsed, input.parse::<TokenStream>()?))
    };
    match parser.parse2(tokens.clone()) {
        Ok((Ok(value), rest)) if rest.is_empty() => Some(value),
        Ok((Ok(_), rest)) => {
            errors.at(rest, format!("expected `,` after the value of `{}`", key.name()));
            None
        }
        Ok((Err(_), _)) | Err(_) => {
            errors.at(tokens, format!("expected {expected}: `{}`", key.example()));
            None
        }
    }
}
