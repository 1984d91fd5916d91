//! Splits `key, key = value, key(..)` into entries. A mistake in one entry does not hide the others.

use darling::Error;
use darling::ast::NestedMeta;
use darling::error::Accumulator;
use darling::util::path_to_string;
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use resilient_policy::{one_of, unfinished, unknown_key};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Meta, Path};

use crate::parse::entries;

/// Returns the entries with a known key, each key once. Reports all others. A value without a key is that of `short`.
pub(crate) fn entries(tokens: TokenStream, known: &[&str], short: Option<&str>, errors: &mut Accumulator) -> Vec<Meta> {
    each(tokens, errors, |part, found| known_entry(part, known, short, found))
}

/// Returns the entries of one of rmcp's attributes. Each key in `ours`, which the expansion writes itself, is returned
/// at most once and only if well-formed; its mistakes are reported.
pub(crate) fn of_rmcp(meta: &Meta, ours: &[&str], errors: &mut Accumulator) -> Vec<NestedMeta> {
    let Meta::List(list) = meta else { return Vec::new() };
    each(list.tokens.clone(), errors, |part, found| rmcp_entry(part, ours, found))
}

/// Reads each part of a list, with the entries before it.
fn each<T>(
    tokens: TokenStream,
    errors: &mut Accumulator,
    read: impl Fn(&TokenStream, &[T]) -> darling::Result<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for part in split(tokens, "key", errors) {
        let entry = read(&part, &found);
        found.extend(errors.handle(entry));
    }
    found
}

fn known_entry(part: &TokenStream, known: &[&str], short: Option<&str>, found: &[Meta]) -> darling::Result<Meta> {
    check_operator(part)?;
    let entry = parse_entry(part)?;
    let name = key(&entry).map(path_to_string).unwrap_or_default();
    if let Some(key) = key(&entry) {
        if !known.contains(&name.as_str()) {
            return Err(Error::custom(unknown_key(&name, &shown(known))).with_span(key));
        }
        check_first(key, found.iter().map(Meta::path))?;
    }
    match entry {
        NestedMeta::Meta(meta) => Ok(meta),
        NestedMeta::NameValueInvalidExpr(invalid) => Err(located(&name, invalid.error, part)),
        NestedMeta::Lit(lit) => {
            let message = match short.filter(|_| lit.suffix().is_empty()) {
                Some(short) => format!("found a value without a key; write `{short} = {}`", lit.to_token_stream()),
                None => format!("found a value without a key{}", one_of("", &shown(known))),
            };
            Err(Error::custom(message).with_span(&lit))
        }
    }
}

fn rmcp_entry(part: &TokenStream, ours: &[&str], found: &[NestedMeta]) -> darling::Result<NestedMeta> {
    let entry = parse_entry(part)?;
    if let Some(key) = key(&entry).filter(|key| ours.iter().any(|ours| key.is_ident(ours))) {
        if let NestedMeta::NameValueInvalidExpr(invalid) = &entry
            // A value that is not an expression may be valid: `vis = pub(crate)`.
            && is_at_the_end(&invalid.error)
        {
            return Err(located(&path_to_string(key), invalid.error.clone(), part));
        }
        check_first(key, found.iter().filter_map(self::key))?;
    }
    Ok(entry)
}

/// Parses one entry, with nothing after it.
fn parse_entry(part: &TokenStream) -> darling::Result<NestedMeta> {
    let parser = |input: ParseStream<'_>| {
        let mut entry = input.parse()?;
        if let NestedMeta::Meta(Meta::NameValue(pair)) = &mut entry {
            // An invisible group around a metavariable of `macro_rules!`.
            while let Expr::Group(group) = &mut pair.value {
                pair.value = std::mem::replace(&mut *group.expr, Expr::PLACEHOLDER);
            }
        }
        if input.is_empty() {
            return Ok(entry);
        }
        let name = key(&entry).map(path_to_string).unwrap_or_default();
        Err(input.error(match &entry {
            NestedMeta::Meta(Meta::Path(_)) => format!("expected `=`, `(..)` or `,` after `{name}`"),
            NestedMeta::Meta(Meta::NameValue(_)) => format!("expected `,` after the value of `{name}`"),
            _ => "expected `,` before this".to_owned(),
        }))
    };
    let name = match part.clone().into_iter().next() {
        Some(TokenTree::Ident(word)) => word.unraw().to_string(),
        _ => String::new(),
    };
    parse(&name, parser, part)
}

/// Rejects a wrong operator between a key and its value, and a `=` with nothing after it, at their tokens. A parser
/// would only report the end of the input, or half of the operator.
fn check_operator(part: &TokenStream) -> darling::Result<()> {
    let tokens: Vec<_> = part.clone().into_iter().collect();
    let [TokenTree::Ident(_), operator, rest @ ..] = tokens.as_slice() else { return Ok(()) };
    if let Some((token, message)) = entries::wrong_operator(operator, rest.first()) {
        return Err(Error::custom(message).with_span(&token));
    }
    match tokens.last() {
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
            Err(Error::custom("expected a value after this `=`").with_span(equals))
        }
        _ => Ok(()),
    }
}

/// Rejects a key that is among the ones before it.
fn check_first<'a>(key: &Path, mut before: impl Iterator<Item = &'a Path>) -> darling::Result<()> {
    let name = path_to_string(key);
    match before.find(|first| path_to_string(first) == name) {
        Some(first) => Err(Error::custom(entries::written_twice(&name, first.span())).with_span(key)),
        None => Ok(()),
    }
}

/// Returns the keys that a user may write.
fn shown<'k>(known: &[&'k str]) -> Vec<&'k str> {
    known.iter().copied().filter(|key| !key.starts_with("__")).collect()
}

/// Parses the tokens after a key. A parser reports an error at their end on the whole attribute; here it is reported at
/// the last token, with what is missing.
pub(crate) fn parse<P: Parser>(key: &str, parser: P, tokens: &TokenStream) -> darling::Result<P::Output> {
    parser.parse2(tokens.clone()).map_err(|error| located(key, Error::from(error), tokens))
}

/// Returns a parser's error about these tokens, with the last token as the location of an error at the end.
fn located(key: &str, error: Error, tokens: &TokenStream) -> Error {
    match last_token(key, tokens.clone()) {
        Some((last, message)) if is_at_the_end(&error) => Error::custom(message).with_span(&last),
        _ => error,
    }
}

fn is_at_the_end(error: &Error) -> bool {
    error.to_string().starts_with("unexpected end of input")
}

/// Returns the last token, including those in brackets, and what is missing after it.
fn last_token(key: &str, tokens: TokenStream) -> Option<(TokenTree, String)> {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let last = tokens.pop()?;
    if let TokenTree::Group(group) = &last
        && !group.stream().is_empty()
    {
        return last_token(key, group.stream());
    }
    // An operator of several characters is several tokens.
    let mut shown = last.to_string();
    while matches!(last, TokenTree::Punct(_))
        && let Some(TokenTree::Punct(before)) = tokens.last()
        && before.spacing() == Spacing::Joint
    {
        shown.insert(0, before.as_char());
        tokens.pop();
    }
    let number = match tokens.last() {
        Some(TokenTree::Literal(number)) => number.to_string().parse::<f64>().ok(),
        _ => None,
    };
    Some((last, unfinished(key, &shown, number)))
}

/// Returns the entries of a list. Reports a comma with nothing before it.
pub(crate) fn split(tokens: TokenStream, what: &str, errors: &mut Accumulator) -> Vec<TokenStream> {
    let mut report = |comma| errors.push(Error::custom(format!("expected a {what} before this `,`")).with_span(&comma));
    entries::split(tokens).into_iter().filter_map(|part| part.map_err(&mut report).ok()).collect()
}

fn key(entry: &NestedMeta) -> Option<&Path> {
    match entry {
        NestedMeta::Meta(meta) => Some(meta.path()),
        NestedMeta::NameValueInvalidExpr(invalid) => Some(&invalid.path),
        NestedMeta::Lit(_) => None,
    }
}

/// Returns an entry's key.
pub(crate) fn name_of(entry: &Meta) -> String {
    path_to_string(entry.path())
}
