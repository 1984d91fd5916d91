//! `key, key = value, key(..)` taken apart, so that a mistake in one entry hides no other.

use darling::ast::NestedMeta;
use darling::error::Accumulator;
use darling::{Error, FromMeta};
use proc_macro2::{TokenStream, TokenTree};
use resilient_policy::one_of;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Meta, MetaList, Path};

use super::span;

/// The keys of `key(..)`, all of which are known and right. `rules` are asked of those that could be
/// read where others could not: else somebody else asks them.
pub(super) fn keys<K: FromMeta + Default>(
    list: &MetaList,
    known: &[&str],
    rules: impl FnOnce(K, &mut Accumulator),
) -> darling::Result<K> {
    let mut errors = Error::accumulator();
    // One by one: a value that is wrong must not take the others with it.
    let entries = entries(list.tokens.clone(), known, &mut errors);
    let readable: Vec<_> = entries
        .into_iter()
        .filter(|entry| errors.handle(K::from_list(std::slice::from_ref(entry))).is_some())
        .collect();
    let keys = || K::from_list(&readable).unwrap_or_default();
    let Err(told) = errors.finish() else { return Ok(keys()) };
    let mut errors = Error::accumulator();
    errors.push(told);
    rules(keys(), &mut errors);
    errors.finish_with(K::default())
}

/// The entries of a list whose keys are all known and stand once; everything else is told.
pub(super) fn entries(tokens: TokenStream, known: &[&str], errors: &mut Accumulator) -> Vec<NestedMeta> {
    let mut found: Vec<NestedMeta> = Vec::new();
    for part in split(tokens, errors) {
        let Some(part) = errors.handle(with_value(part)) else { continue };
        let Some(entry) = errors.handle(entry.parse2(part).map_err(Error::from)) else { continue };
        let Some(key) = key(&entry) else {
            let message = format!("found a value without a key{}", one_of("", &shown(known)));
            errors.push(Error::custom(message).with_span(&entry));
            continue;
        };
        let name = name(key);
        if !known.contains(&name.as_str()) {
            errors.push(unknown(&name, known).with_span(key));
        } else if let Some(first) = found.iter().filter_map(self::key).find(|first| self::name(first) == name) {
            let at = span::line(first.span()).map(|line| format!(", the first is in line {line}")).unwrap_or_default();
            errors.push(Error::custom(format!("`{name}` is written twice; this is the second{at}")).with_span(key));
        } else {
            found.push(entry);
        }
    }
    found
}

/// One entry and nothing behind it.
fn entry(input: ParseStream<'_>) -> syn::Result<NestedMeta> {
    let name = input.fork().parse::<Path>().map(|key| name(&key));
    let mut entry = input.parse()?;
    if let NestedMeta::Meta(Meta::NameValue(pair)) = &mut entry {
        // What a `macro_rules!` leaves around its metavariables.
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

/// The keys that a user may write.
fn shown<'k>(known: &[&'k str]) -> Vec<&'k str> {
    known.iter().copied().filter(|key| !key.starts_with("__")).collect()
}

/// Refuses `key =` without anything behind it at the `=`: a parser would only find the end.
fn with_value(part: TokenStream) -> darling::Result<TokenStream> {
    match part.clone().into_iter().last() {
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
            Err(Error::custom("expected a value after this `=`").with_span(&equals))
        }
        _ => Ok(part),
    }
}

fn unknown(name: &str, known: &[&str]) -> Error {
    if matches!(name, "feature" | "writes") {
        return Error::custom(format!("`{name}` is reserved for degradation levels, which do not exist yet"));
    }
    Error::custom(format!("unknown key `{name}`{}", one_of(name, &shown(known))))
}

/// Cuts at the commas; those inside brackets are hidden in their group.
fn split(tokens: TokenStream, errors: &mut Accumulator) -> Vec<TokenStream> {
    let mut parts = Vec::new();
    let mut current = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                if current.is_empty() {
                    errors.push(Error::custom("expected a key before this `,`").with_span(&comma));
                } else {
                    parts.push(std::mem::take(&mut current).into_iter().collect());
                }
            }
            other => current.push(other),
        }
    }
    if !current.is_empty() {
        parts.push(current.into_iter().collect());
    }
    parts
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

/// An entry's key.
pub(super) fn name_of(entry: &NestedMeta) -> Option<String> {
    key(entry).map(name)
}

/// The span of an entry's key, for a message about the key as a whole.
pub(super) fn span_of(entry: &NestedMeta) -> proc_macro2::Span {
    key(entry).map_or_else(|| entry.span(), Spanned::span)
}
