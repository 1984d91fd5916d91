//! Splits `key, key = value, key(..)` into entries. A mistake in one entry does not hide the others.

use darling::ast::NestedMeta;
use darling::error::Accumulator;
use darling::{Error, FromMeta};
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use resilient_policy::{
    BreakerSettings, BulkheadSettings, CacheSettings, Form, RateLimitSettings, Retry, Settings, one_of, unknown_key,
};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Meta, Path};

use crate::parse::entries;

/// Parses an entry as the only field of `T`, regardless of its key.
pub(crate) fn only<T: FromMeta>(entry: &[NestedMeta]) -> darling::Result<T> {
    match entry {
        [NestedMeta::Meta(meta)] => T::from_meta(meta),
        _ => Err(Error::custom("expected a key with a value")),
    }
}

/// Returns the entries with a known key, each key once. Reports all others.
pub(crate) fn entries(tokens: TokenStream, known: &[&str], errors: &mut Accumulator) -> Vec<NestedMeta> {
    with_short(tokens, known, None, errors)
}

/// Like [`entries`], and reads a value without a key as that of `short`.
pub(crate) fn with_short(
    tokens: TokenStream,
    known: &[&str],
    short: Option<&str>,
    errors: &mut Accumulator,
) -> Vec<NestedMeta> {
    let mut found: Vec<NestedMeta> = Vec::new();
    for part in split(tokens, "key", errors) {
        let Some(part) = errors.handle(assigned(part)) else { continue };
        let key_of_part = first_word(&part).unwrap_or_default();
        let Some(entry) = errors.handle(parse(&key_of_part, entry, part.clone())) else { continue };
        let Some(key) = key(&entry) else {
            let message = match (short, &entry) {
                (Some(short), NestedMeta::Lit(lit)) if lit.suffix().is_empty() => {
                    format!("found a value without a key; write `{short} = {}`", lit.to_token_stream())
                }
                _ => format!("found a value without a key{}", one_of("", &shown(known))),
            };
            errors.push(Error::custom(message).with_span(&entry));
            continue;
        };
        let name = name(key);
        if !known.contains(&name.as_str()) {
            errors.push(unknown(&name, known).with_span(key));
        } else if let Some(first) = found.iter().filter_map(self::key).find(|first| self::name(first) == name) {
            errors.push(twice(key, first));
        } else if let NestedMeta::NameValueInvalidExpr(invalid) = &entry {
            errors.push(placed(&key_of_part, invalid.error.clone(), part));
        } else {
            found.push(entry);
        }
    }
    found
}

/// Parses one entry, with nothing after it.
fn entry(input: ParseStream<'_>) -> syn::Result<NestedMeta> {
    let name = input.fork().parse::<Path>().map(|key| name(&key));
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
    Err(input.error(match (name, &entry) {
        (Ok(name), NestedMeta::Meta(Meta::Path(_))) => format!("expected `=`, `(..)` or `,` after `{name}`"),
        (Ok(name), NestedMeta::Meta(Meta::NameValue(_)) | NestedMeta::NameValueInvalidExpr(_)) => {
            format!("expected `,` after the value of `{name}`")
        }
        _ => "expected `,` before this".to_owned(),
    }))
}

/// Returns the keys that a user may write.
fn shown<'k>(known: &[&'k str]) -> Vec<&'k str> {
    known.iter().copied().filter(|key| !key.starts_with("__")).collect()
}

/// Returns the first word of the tokens.
fn first_word(tokens: &TokenStream) -> Option<String> {
    match tokens.clone().into_iter().next() {
        Some(TokenTree::Ident(word)) => Some(word.unraw().to_string()),
        _ => None,
    }
}

/// Reports a wrong operator between a key and its value, and a `=` with nothing after it, at their tokens. A parser
/// would only report the end of the input, or half of the operator.
fn assigned(part: TokenStream) -> darling::Result<TokenStream> {
    if first_word(&part).is_none() {
        return Ok(part);
    }
    let mut tokens = part.clone().into_iter().skip(1);
    let (between, next) = (tokens.next(), tokens.next());
    let error = |message: &str, at: &TokenTree| Err(Error::custom(message).with_span(at));
    match (&between, &next) {
        (Some(colon @ TokenTree::Punct(first)), next)
            if first.as_char() == ':' && !matches!(next, Some(TokenTree::Punct(second)) if second.as_char() == ':') =>
        {
            match next {
                Some(TokenTree::Punct(second)) if second.as_char() == '=' => {
                    error("expected `=` alone; remove this `:`", colon)
                }
                _ => error("expected an equals sign between a key and its value; write `=`", colon),
            }
        }
        (Some(TokenTree::Punct(first)), Some(after @ TokenTree::Punct(second)))
            if first.as_char() == '=' && first.spacing() == Spacing::Joint && matches!(second.as_char(), '>' | '=') =>
        {
            error(&format!("expected `=` alone; remove this `{second}`"), after)
        }
        _ => match part.clone().into_iter().last() {
            Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
                Err(Error::custom("expected a value after this `=`").with_span(&equals))
            }
            _ => Ok(part),
        },
    }
}

/// Returns the entries of one of rmcp's attributes. Each key in `ours`, which the expansion writes itself, is returned
/// at most once and only if well-formed; its mistakes are reported.
pub(crate) fn of_rmcp(meta: &Meta, ours: &[&str], errors: &mut Accumulator) -> Vec<NestedMeta> {
    let Meta::List(list) = meta else { return Vec::new() };
    let mut found: Vec<NestedMeta> = Vec::new();
    for part in split(list.tokens.clone(), "key", errors) {
        let name_of_part = first_word(&part).unwrap_or_default();
        let Some(entry) = errors.handle(parse(&name_of_part, entry, part.clone())) else { continue };
        match (key(&entry).filter(|key| ours.iter().any(|ours| key.is_ident(ours))), &entry) {
            // A value that is not an expression may be valid: `vis = pub(crate)`.
            (Some(_), NestedMeta::NameValueInvalidExpr(invalid)) if is_at_the_end(&invalid.error) => {
                errors.push(placed(&name_of_part, invalid.error.clone(), part));
                continue;
            }
            (Some(second), _) => {
                if let Some(first) = found.iter().filter_map(self::key).find(|first| name(first) == name(second)) {
                    errors.push(twice(second, first));
                    continue;
                }
            }
            (None, _) => {}
        }
        found.push(entry);
    }
    found
}

fn twice(second: &Path, first: &Path) -> Error {
    Error::custom(entries::written_twice(&name(second), first.span())).with_span(second)
}

/// Parses the tokens after a key. A parser reports an error at their end on the whole attribute; here it is reported at
/// the last token, with what is missing.
pub(crate) fn parse<P: Parser>(key: &str, parser: P, tokens: TokenStream) -> darling::Result<P::Output> {
    parser.parse2(tokens.clone()).map_err(|error| placed(key, Error::from(error), tokens))
}

/// Returns a parser's error about these tokens, with the last token as the location of an error at the end.
fn placed(key: &str, error: Error, tokens: TokenStream) -> Error {
    if is_at_the_end(&error)
        && let Some((last, message)) = unfinished(key, tokens)
    {
        return Error::custom(message).with_span(&last);
    }
    error
}

fn is_at_the_end(error: &Error) -> bool {
    error.to_string().starts_with("unexpected end of input")
}

/// Returns the last token, including those in brackets, and what is missing after it.
fn unfinished(key: &str, tokens: TokenStream) -> Option<(TokenTree, String)> {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let last = tokens.pop()?;
    if let TokenTree::Group(group) = &last
        && !group.stream().is_empty()
    {
        return unfinished(key, group.stream());
    }
    // An operator of several characters is several tokens.
    let mut shown = last.to_string();
    if matches!(last, TokenTree::Punct(_)) {
        while let Some(TokenTree::Punct(before)) = tokens.last()
            && before.spacing() == Spacing::Joint
        {
            shown.insert(0, before.as_char());
            tokens.pop();
        }
    }
    let number = match tokens.last() {
        Some(TokenTree::Literal(number)) => number.to_string().parse::<f64>().ok(),
        _ => None,
    };
    let message = match (shown.as_str(), key, number) {
        ("%", key, Some(number)) if form(key) == Some(Form::Fraction) && number > 0.0 && number <= 100.0 => {
            format!("`%` is no part of a number; expected a share such as `{key} = {}`", number / 100.0)
        }
        ("%", _, Some(number)) => format!("a share in per cent stands in quotes; expected `{key} = \"{number}%\"`"),
        ("::", ..) => "expected a name after this `::`".into(),
        (".", ..) => "expected a field or a method after this `.`".into(),
        _ => match example(key) {
            Some(example) => format!("expected a value after this `{shown}`, such as `{key} = {example}`"),
            None => format!("expected something after this `{shown}`"),
        },
    };
    Some((last, message))
}

/// A value of a key.
fn example(key: &str) -> Option<&'static str> {
    match key {
        "timeout" | "attempt_timeout" => Form::DURATION.example(),
        "retry" | "bulkhead" => Form::COUNT.example(),
        "rate_limit" => Form::Rate.example(),
        "breaker" | "profile" | "name" => Some("\"make\""),
        _ => form(key)?.example(),
    }
}

/// Returns the form of the part with this name.
fn form(part: &str) -> Option<Form> {
    fn of<S: Settings>(name: &str) -> Option<Form> {
        S::part(name).map(|part| part.form)
    }
    of::<BreakerSettings>(part)
        .or_else(|| of::<Retry>(part))
        .or_else(|| of::<BulkheadSettings>(part))
        .or_else(|| of::<RateLimitSettings>(part))
        .or_else(|| of::<CacheSettings>(part))
}

fn unknown(name: &str, known: &[&str]) -> Error {
    if matches!(name, "feature" | "writes") {
        return Error::custom(format!("`{name}` is reserved for degradation levels, which do not exist yet"));
    }
    Error::custom(unknown_key(name, &shown(known)))
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

fn name(path: &Path) -> String {
    let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    segments.join("::")
}

/// Returns an entry's key.
pub(crate) fn name_of(entry: &NestedMeta) -> Option<String> {
    key(entry).map(name)
}

/// Returns the span of an entry's key, for a message about the whole key.
pub(crate) fn span_of(entry: &NestedMeta) -> proc_macro2::Span {
    key(entry).map_or_else(|| entry.span(), Spanned::span)
}
