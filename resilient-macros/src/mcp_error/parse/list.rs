//! Splits `#[mcp(key, key = value)]` into entries. A mistake in one entry does not hide the others.

use proc_macro2::{Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, Meta};

use crate::mcp_error::parse::errors::Errors;
use crate::parse::entries;

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
    /// The position among the entries of the same owner.
    pub(crate) order: usize,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// `key`
    None,
    /// `key = value`
    Is(TokenStream),
    /// `key(..)`
    List(Group),
}

/// Returns the entries of all `#[mcp(..)]` among `attrs`.
pub(crate) fn all(attrs: &[Attribute], errors: &mut Errors) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("mcp")) {
        match &attr.meta {
            Meta::List(list) => split(list.tokens.clone(), &mut found, errors),
            other => errors.at(other, "expected a list: `#[mcp(..)]`"),
        }
    }
    for (order, entry) in found.iter_mut().enumerate() {
        entry.order = order;
    }
    found
}

/// Returns the entries of a list. Reports a comma with nothing before it.
fn split(tokens: TokenStream, found: &mut Vec<Entry>, errors: &mut Errors) {
    for part in entries::split(tokens) {
        match part {
            Ok(part) => found.extend(entry(part.into_iter().collect(), errors)),
            Err(comma) => errors.at(comma, "expected a key before this `,`"),
        }
    }
}

fn entry(tokens: Vec<TokenTree>, errors: &mut Errors) -> Option<Entry> {
    let mut tokens = tokens.into_iter();
    let key = match tokens.next()? {
        TokenTree::Ident(key) => key,
        // An invisible group around a metavariable of `macro_rules!`.
        TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::None => {
            let inner = group.stream().into_iter().chain(tokens).collect();
            return entry(inner, errors);
        }
        other => {
            errors.at(&other, format!("expected a key such as `kind`, found `{other}`"));
            return None;
        }
    };
    let value = match tokens.next() {
        None => Value::None,
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => Value::Is(after(&key, &equals, tokens, errors)?),
        Some(TokenTree::Group(group)) => Value::List(group),
        Some(TokenTree::Punct(colon)) if colon.as_char() == ':' => {
            errors.at(colon, "expected an equals sign between a key and its value; write `=`");
            return None;
        }
        Some(other) => {
            errors.at(&other, format!("expected `=` or `,` after `{key}`"));
            return None;
        }
    };
    Some(Entry { key, value, order: 0 })
}

fn after(
    key: &Ident,
    equals: &Punct,
    tokens: impl Iterator<Item = TokenTree>,
    errors: &mut Errors,
) -> Option<TokenStream> {
    let mut tokens = tokens.peekable();
    if let Some(TokenTree::Punct(second)) = tokens.peek()
        && equals.spacing() == Spacing::Joint
        && matches!(second.as_char(), '>' | '=')
    {
        errors.at(second, format!("expected `=` alone; remove this `{second}`"));
        return None;
    }
    let value: TokenStream = tokens.collect();
    if value.is_empty() {
        errors.at(quote!(#key #equals), format!("expected a value after `{key} =`"));
        return None;
    }
    Some(value)
}
