//! Reads `#[mcp(key, key = value)]`. A mistake in one entry does not hide the others.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, LitStr, Meta};

use super::{Errors, Key, Owner, Value, Written, error};
use crate::krate::Krate;
use crate::parse::entries;

/// The keys of one item, in the order of the text, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attrs(Vec<Attr>);

/// A key, and its value unless the value was wrong and has been reported.
#[derive(Debug, Clone)]
pub(crate) struct Attr {
    pub(crate) key: Key,
    /// The token of the key.
    pub(crate) word: Ident,
    pub(crate) value: Option<Value>,
}

impl Attrs {
    /// Reads all `#[mcp(..)]` among the attributes of an item.
    pub(crate) fn read(attrs: &[Attribute], owner: Owner, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("mcp")) {
            let Meta::List(list) = &attr.meta else {
                errors.at(&attr.meta, "expected a list: `#[mcp(..)]`");
                continue;
            };
            for part in entries::split(list.tokens.clone()) {
                let added = match part {
                    Ok(tokens) => read.add(tokens, owner, errors),
                    Err(comma) => error(comma, "expected a key before this `,`"),
                };
                errors.handle(added);
            }
        }
        read
    }

    fn add(&mut self, tokens: TokenStream, owner: Owner, errors: &mut Errors) -> syn::Result<()> {
        let (word, written) = entry.parse2(tokens)?;
        let key = Key::find(&word, owner)?;
        if let Some(first) = self.get(key) {
            return error(&word, entries::written_twice(key.name(), first.word.span()));
        }
        let value = errors.handle(Value::read(key, &word, written.as_ref()));
        self.0.push(Attr { key, word, value });
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attr> {
        self.0.iter()
    }

    /// Returns the written ones of these keys, in the order of the text.
    pub(crate) fn all(&self, keys: &'static [Key]) -> impl Iterator<Item = &Attr> {
        self.iter().filter(|attr| keys.contains(&attr.key))
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Attr> {
        self.iter().find(|attr| attr.key == key)
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Returns the value of a key, if it is written and right.
    pub(crate) fn value(&self, key: Key) -> Option<&Value> {
        self.get(key)?.value.as_ref()
    }

    pub(crate) fn text(&self, key: Key) -> Option<&LitStr> {
        if let Some(Value::Text(text)) = self.value(key) { Some(text) } else { None }
    }

    pub(crate) fn flag(&self, key: Key) -> Option<bool> {
        if let Some(Value::Flag(flag)) = self.value(key) { Some(flag.value()) } else { None }
    }

    /// Returns the path of the runtime.
    pub(crate) fn krate(&self) -> Krate {
        if let Some(Value::Path(krate)) = self.value(Key::Crate) { krate.clone() } else { Krate::default() }
    }
}

/// Cuts an entry into its key and what follows.
fn entry(input: ParseStream<'_>) -> syn::Result<(Ident, Option<Written>)> {
    let Ok(key) = input.call(Ident::parse_any) else {
        let found: TokenTree = input.parse()?;
        return error(&found, format!("expected a key such as `kind`, found `{found}`"));
    };
    if input.is_empty() {
        return Ok((key, None));
    }
    let (next, rest): (TokenTree, TokenStream) = (input.parse()?, input.parse()?);
    if let Some((token, message)) = entries::wrong_operator(&next, rest.clone().into_iter().next().as_ref()) {
        return error(token, message);
    }
    match next {
        TokenTree::Punct(equals) if equals.as_char() == '=' && rest.is_empty() => {
            error(quote!(#key #equals), format!("expected a value after `{key} =`"))
        }
        TokenTree::Punct(equals) if equals.as_char() == '=' => Ok((key, Some(Written { what: "value", tokens: rest }))),
        TokenTree::Group(list) if list.delimiter() != Delimiter::None => {
            Ok((key, Some(Written { what: "list", tokens: list.to_token_stream() })))
        }
        other => error(other, format!("expected `=` or `,` after `{key}`")),
    }
}
