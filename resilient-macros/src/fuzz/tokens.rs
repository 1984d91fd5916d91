//! Generates tokens and lists of tokens, valid and invalid.

use std::fmt;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use quote::{ToTokens, quote};

/// Tokens that `Debug` prints as source code.
#[derive(Clone)]
pub(super) struct Tokens(pub(super) TokenStream);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl ToTokens for Tokens {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.clone());
    }
}

pub(super) fn tokens(text: &str) -> Tokens {
    Tokens(text.parse().unwrap_or_else(|why| panic!("`{text}`: {why}")))
}

pub(super) fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<Tokens> {
    select(texts).prop_map(tokens).boxed()
}

pub(super) fn joined(parts: impl IntoIterator<Item = Tokens>) -> Tokens {
    Tokens(parts.into_iter().map(|part| part.0).collect())
}

pub(super) fn in_group(delimiter: Delimiter, inner: Tokens) -> Tokens {
    Tokens(TokenTree::Group(Group::new(delimiter, inner.0)).into())
}

/// Generates a valid value, most of the time: an input is only valid if all its small parts are.
pub(super) fn mostly(right: &'static [&'static str], wrong: &'static [&'static str]) -> BoxedStrategy<Tokens> {
    prop_oneof![15 => one_of(right), 1 => one_of(wrong)].boxed()
}

/// Generates some of the values, each once.
pub(super) fn some_of(texts: &'static [&'static str], most: usize) -> BoxedStrategy<Tokens> {
    let some = subsequence(texts, 0..=most).prop_shuffle();
    some.prop_map(|texts| joined(texts.into_iter().flat_map(|text| [tokens(text), tokens(",")]))).boxed()
}

/// Generates a value or nothing, with equal probability.
pub(super) fn maybe(strategy: impl Strategy<Value = Tokens> + 'static) -> BoxedStrategy<Tokens> {
    prop_oneof![Just(Tokens(TokenStream::new())), strategy].boxed()
}

const WORDS: &[&str] = &[
    "retry",
    "timeout",
    "none",
    "cached",
    "value",
    "caller",
    "self",
    "Self",
    "super",
    "crate",
    "fn",
    "impl",
    "struct",
    "enum",
    "union",
    "mod",
    "trait",
    "async",
    "const",
    "unsafe",
    "extern",
    "pub",
    "move",
    "mut",
    "ref",
    "dyn",
    "for",
    "where",
    "type",
    "kind",
    "not_found",
    "status",
    "mcp",
    "tool",
    "r#fn",
    "r#type",
    "_",
    "größe",
    "'a",
    "'static",
    "0",
    "7",
    "-1",
    "1.5",
    "1e400",
    "99999999999999999999999999",
    "0x_F",
    "3u8",
    "0.0f32",
    "\"\"",
    "\"30s\"",
    "\"a b\"",
    "\"{\"",
    "r#\"{}\"#",
    "b\"b\"",
    "c\"c\"",
    "b'b'",
    "'c'",
    "true",
    "=",
    ",",
    ";",
    ":",
    "::",
    "->",
    "=>",
    "#",
    "!",
    "&",
    "*",
    "<",
    ">",
    "..",
    "..=",
    "|",
    "?",
    "@",
    "$",
    "~",
    "-",
    "+",
];

/// Generates any tokens.
pub(super) fn soup() -> BoxedStrategy<Tokens> {
    let leaf = prop_oneof![
        9 => one_of(WORDS),
        1 => ".{0,8}".prop_map(|text| Tokens(proc_macro2::Literal::string(&text).to_token_stream())),
    ];
    let delimiter = select(&[Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None][..]);
    leaf.prop_recursive(3, 24, 6, move |inner| {
        (delimiter.clone(), vec(inner, 0..6)).prop_map(|(delimiter, inner)| in_group(delimiter, joined(inner)))
    })
    .boxed()
}

pub(super) fn soups(most: usize) -> BoxedStrategy<Tokens> {
    vec(soup(), 0..most).prop_map(joined).boxed()
}

/// Generates entries, usually with a comma between each two.
pub(super) fn list(entry: impl Strategy<Value = Tokens> + 'static, most: usize) -> BoxedStrategy<Tokens> {
    let comma = prop_oneof![12 => Just(tokens(",")), 1 => Just(tokens("")), 1 => Just(tokens(",,"))];
    let all = vec((entry, comma), 0..=most);
    (all, any::<bool>())
        .prop_map(|(entries, trailing)| {
            let last = entries.len().saturating_sub(1);
            joined(entries.into_iter().enumerate().flat_map(|(index, (entry, comma))| {
                [entry, if index == last && !trailing { tokens("") } else { comma }]
            }))
        })
        .boxed()
}

/// Generates `key`, `key = value` or `key(..)`, and sometimes none of these.
pub(super) fn entry(keys: &'static [&'static str], values: &'static [&'static str]) -> BoxedStrategy<Tokens> {
    let value = prop_oneof![6 => one_of(values), 1 => soup()];
    let in_none = value.clone().prop_map(|value| in_group(Delimiter::None, value));
    let value = prop_oneof![8 => value, 1 => in_none].boxed();
    let pair = (one_of(keys), value.clone()).prop_map(|(key, value)| Tokens(quote!(#key = #value)));
    let inner = prop_oneof![6 => pair.clone(), 2 => value, 2 => one_of(keys)];
    let nested = (one_of(keys), list(inner, 4)).prop_map(|(key, list)| Tokens(quote!(#key(#list))));
    prop_oneof![10 => pair, 6 => nested, 4 => one_of(keys), 1 => soup()].boxed()
}
