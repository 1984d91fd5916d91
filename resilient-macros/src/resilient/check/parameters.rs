//! Checks the expressions that use the parameters: `key`, `timeout(from)` and `log_args`. They are evaluated with references to the
//! parameters, before the first attempt.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use resilient_policy::{CacheSettings, Override, Scope, Settings, is_secret_name};
use syn::ext::IdentExt;
use syn::{Expr, Ident, Pat, PatParen, PatReference, PatSlice, PatTuple, PatTupleStruct, PatType};

use crate::resilient::parse::args::Args;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::value::plain;

/// A name in a parameter's pattern.
struct Binding<'a> {
    name: &'a Ident,
    /// The `ref` or `mut` before the name, which is not allowed if the parameter is a reference.
    modifier: Option<&'static str>,
}

pub(crate) fn check(function: &OpaqueFn, args: &Args, keys: &[(&str, Expr)], errors: &mut Accumulator) {
    let mut bindings = Vec::new();
    for argument in function.arguments() {
        bind(&argument.pat, &mut bindings);
    }
    let cache = args.cache.as_ref().and_then(Override::value);
    let cache_key = cache.and_then(|cache| cache.key.as_ref());
    for key in keys.iter().map(|(_, key)| key).chain(cache_key) {
        by_reference("key", key, &bindings, errors);
    }
    if let Some(key) = cache_key
        && cache.is_some_and(|cache| CacheSettings::of(&cache.parts).scope == Scope::Shared)
        && function.arguments().next().is_some()
        && mentioned(key, &bindings).next().is_none()
    {
        let message = "this key is the same for all arguments, and `scope = shared` would serve anybody's answer to \
                       anybody; expected an expression of the parameters";
        errors.push(Error::custom(message).with_span(key));
    }
    if let Some(key) = args.deferred.as_ref().and_then(Override::value).and_then(|deferred| deferred.key.as_ref()) {
        by_reference("key", key, &bindings, errors);
        if mentioned(key, &bindings).next().is_none() {
            let message = "this key is the same for all arguments, and a second write would be taken for the first; \
                           expected an expression of the parameters";
            errors.push(Error::custom(message).with_span(key));
        }
    }
    if let Some(from) = args.timeout_from() {
        by_reference("from", &from.value, &bindings, errors);
    }
    for shown in args.log_args.iter().flatten() {
        by_reference("log_args", plain(shown).unwrap_or(shown), &bindings, errors);
        errors.handle(can_be_logged(shown, &bindings));
    }
}

/// Checks that an expression in `log_args` is of a parameter, and does not have the name of a secret.
fn can_be_logged(shown: &Expr, bindings: &[Binding<'_>]) -> darling::Result<()> {
    let words = words(shown.to_token_stream());
    if plain(shown).is_none()
        && let Some((secret, span)) = words.iter().find(|(word, _)| is_secret_name(word))
    {
        let shown = shown.to_token_stream().to_string().replace([' ', '\n'], "");
        let message = format!(
            "`{secret}` is the name of a secret, which no log may show; remove it, or put `plain({shown})` if its value \
             is no secret"
        );
        return Err(Error::custom(message).with_span(span));
    }
    let shown = plain(shown).unwrap_or(shown);
    if mentioned(shown, bindings).next().is_some() {
        return Ok(());
    }
    let names: Vec<_> = bindings.iter().map(|binding| format!("`{}`", binding.name)).collect();
    let message = match names.as_slice() {
        [] => "the function has no parameters to log; remove `log_args`".into(),
        _ => format!("expected something of a parameter: {}", names.join(", ")),
    };
    Err(Error::custom(message).with_span(shown))
}

/// Rejects `return`, and `mut` and `ref` in the pattern of a parameter that the expression sees by reference.
fn by_reference(what: &str, seen: &Expr, bindings: &[Binding<'_>], errors: &mut Accumulator) {
    if let Some((_, span)) = words(seen.to_token_stream()).iter().find(|(word, _)| word == "return") {
        let message = format!("`{what}` is an expression of its own and cannot `return`; expected its value");
        errors.push(Error::custom(message).with_span(span));
    }
    for Binding { name, modifier } in mentioned(seen, bindings) {
        let Some(modifier) = modifier else { continue };
        let message = format!(
            "`{what}` sees the parameters by reference, and the pattern of `{name}` says `{modifier}`; move the \
             `{modifier}` into the body"
        );
        errors.push(Error::custom(message).with_span(seen));
    }
}

/// Returns the names in an expression, including those in format strings of its macros.
fn mentioned<'b, 'a>(seen: &Expr, bindings: &'b [Binding<'a>]) -> impl Iterator<Item = &'b Binding<'a>> {
    let words = words(seen.to_token_stream());
    bindings.iter().filter(move |binding| words.iter().any(|(word, _)| binding.name.unraw() == *word))
}

/// Collects the names in these tokens, and those that `{name}` captures in a text, each with its location.
fn words(tokens: TokenStream) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => found.push((word.unraw().to_string(), word.span())),
            TokenTree::Group(group) => found.extend(words(group.stream())),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                let captured = text.split('{').skip(1).map(|rest| {
                    let name = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_');
                    (name.collect(), literal.span())
                });
                found.extend(captured);
            }
            TokenTree::Punct(_) => {}
        }
    }
    found
}

fn bind<'a>(pattern: &'a Pat, found: &mut Vec<Binding<'a>>) {
    match pattern {
        Pat::Ident(ident) => {
            let modifier = ident.by_ref.map(|_| "ref").or_else(|| ident.mutability.map(|_| "mut"));
            found.push(Binding { name: &ident.ident, modifier });
            if let Some((_, inner)) = &ident.subpat {
                bind(inner, found);
            }
        }
        Pat::Paren(PatParen { pat, .. })
        | Pat::Reference(PatReference { pat, .. })
        | Pat::Type(PatType { pat, .. }) => {
            bind(pat, found);
        }
        Pat::Slice(PatSlice { elems, .. })
        | Pat::Tuple(PatTuple { elems, .. })
        | Pat::TupleStruct(PatTupleStruct { elems, .. }) => elems.iter().for_each(|inner| bind(inner, found)),
        Pat::Struct(fields) => fields.fields.iter().for_each(|field| bind(&field.pat, found)),
        // Each alternative binds the same names.
        Pat::Or(cases) => cases.cases.iter().take(1).for_each(|inner| bind(inner, found)),
        _ => {}
    }
}
