//! Parses the keys with parts: `bulkhead = 20`, `retry(max = 3, on(timeout))`, `cache(max_age = "1h")`.
//!
//! `resilient-policy` declares the parts. This module only knows `key`, which attributes alone can have, and the names
//! of shared settings.

use std::marker::PhantomData;

use darling::{Error, FromMeta};
use proc_macro2::Span;
use resilient_policy::{
    BreakerSettings, BulkheadSettings, CacheSettings, Form, Parts, Problem, RateLimitSettings, Reader, Retry, Settings,
    Syntax, Value, check_breaker, check_name,
};
use syn::spanned::Spanned;
use syn::{Expr, Meta, MetaList};

use super::key::Key;
use super::{At, Text, expected, is_word};
use crate::parse::{list, node};
use crate::resilient::parse::origins::Origins;

/// Settings in an attribute.
pub(crate) trait InAttribute: Settings {
    /// The value of the short form, and an example.
    const SHORT: (&'static str, &'static str);
    /// The value that is missing without the first part, unless there is a default.
    const NEEDED: Option<&'static str> = None;
    /// Whether a `key` can separate the state of calls.
    const KEYED: bool = true;
    /// Whether the `key` can be the word `caller`.
    const BY_CALLER: bool = false;
}

impl InAttribute for Retry {
    const SHORT: (&'static str, &'static str) = ("a number", "3");
    const KEYED: bool = false;
}

impl InAttribute for BreakerSettings {
    const SHORT: (&'static str, &'static str) = ("a name", "\"make\"");
}

impl InAttribute for BulkheadSettings {
    const SHORT: (&'static str, &'static str) = ("a number", "20");
    const NEEDED: Option<&'static str> = Some("how many attempts may run at a time: `bulkhead(max = 20, ..)`");
}

impl InAttribute for RateLimitSettings {
    const SHORT: (&'static str, &'static str) = ("a rate", "\"100/1s\"");
    const NEEDED: Option<&'static str> =
        Some("how many calls may begin in a time: `rate_limit(rate = \"100/1s\", ..)`");
    const BY_CALLER: bool = true;
}

impl InAttribute for CacheSettings {
    const SHORT: (&'static str, &'static str) = ("settings in brackets", "");
}

/// The value of a key with parts.
#[derive(Debug, Clone)]
pub(crate) struct SettingsArgs<S> {
    pub(crate) parts: Parts<Span>,
    name: Option<At<String>>,
    key: Option<Expr>,
    /// The key.
    pub(crate) span: Span,
    settings: PhantomData<S>,
}

impl<S: InAttribute> FromMeta for SettingsArgs<S> {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let (what, example) = S::SHORT;
        let (key, own) = (S::KEY, Self::empty(item.path().span()));
        match item {
            Meta::List(list) => own.read(list),
            _ if !S::FIRST_IS_ARGUMENT => {
                Err(expected(&format!("{what}: `{key}(max_age = \"1h\", max = 1024)`")).with_span(item))
            }
            Meta::Path(path) => Err(expected(&format!("{what}: `{key} = {example}`")).with_span(path)),
            Meta::NameValue(pair) => own.short(&pair.value),
        }
    }
}

impl<S: InAttribute> SettingsArgs<S> {
    fn empty(span: Span) -> Self {
        Self { parts: Parts::default(), name: None, key: None, span, settings: PhantomData }
    }

    /// Reads the first part alone.
    fn short(mut self, value: &Expr) -> darling::Result<Self> {
        let (what, example) = S::SHORT;
        let (key, value) = (S::KEY, node::node(value));
        let message = match (S::PARTS.first().map(|part| part.form), &value.value) {
            (Some(Form::Count(..)), Value::Text(text)) if text.parse::<u32>().is_err() => {
                Some(format!("{what}: `{key} = 3`, or settings: `{key}(max = 3, ..)`"))
            }
            (Some(Form::Count(..)), Value::Text(_) | Value::Integer(_) | Value::Suffixed(..)) => None,
            (Some(Form::Count(..)), _) => Some(format!("{what}: `{key} = {example}`, or `{key} = none`")),
            _ => None,
        };
        if let Some(message) = message {
            return Err(expected(&message).with_span(&value.location));
        }
        let mut found = Vec::new();
        let mut reader = Reader { found: &mut found, under: String::new(), syntax: Syntax::Attribute };
        let entry = resilient_policy::Entry { key: key.into(), location: self.span, value };
        if let Some(parts) = reader.first_part::<S>(&entry) {
            self.parts = parts;
            return Ok(self);
        }
        Err(Error::multiple(found.iter().map(node::error).collect()))
    }

    /// Reads parts in brackets.
    fn read(mut self, list: &MetaList) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let mut known = S::names(false);
        known.extend(S::CAN_BE_SHARED.then_some("name"));
        known.extend(S::KEYED.then_some("key"));
        let short = if S::FIRST_IS_ARGUMENT || !S::CAN_BE_SHARED { known.first().copied() } else { Some("name") };
        // One by one, so that an invalid value does not hide the others.
        for entry in list::with_short(list.tokens.clone(), &known, short, &mut errors) {
            let meta = std::slice::from_ref(&entry);
            match list::name_of(&entry).as_deref() {
                Some("name") => self.name = errors.handle(list::only::<Text>(meta)).map(|Text(name)| name),
                Some("key") => {
                    let key = list::only::<Key>(meta).and_then(|key| key.checked(S::BY_CALLER));
                    self.key = errors.handle(key);
                }
                _ => {
                    let Some(entry) = node::entry(&entry, &mut errors) else { continue };
                    let mut found = Vec::new();
                    let mut reader = Reader { found: &mut found, under: String::new(), syntax: Syntax::Attribute };
                    let _ = reader.part::<S>(&entry, &mut self.parts);
                    for mistake in &found {
                        errors.push(node::error(mistake));
                    }
                }
            }
        }
        if let Err(unreadable) = errors.finish() {
            // Check these parts alone if some could not be read. Otherwise the rules are checked with the whole plan.
            let mut errors = Error::accumulator();
            errors.push(unreadable);
            let mut origins = Origins::default();
            let (name, settings) = self.lower(&mut origins);
            origins.tell(&problems(name.as_deref(), &settings), self.span, &mut errors);
            return errors.finish_with(self);
        }
        match S::NEEDED {
            Some(needed) if self.parts.get(known.first().copied().unwrap_or_default()).is_none() => {
                Err(expected(needed).with_span(&list.path))
            }
            _ => Ok(self),
        }
    }

    /// Returns the name, if there is one, and the settings.
    pub(crate) fn lower(&self, origins: &mut Origins) -> (Option<String>, S) {
        origins.put(S::KEY, self.span);
        origins.put(S::NAME_PATH, self.name_span());
        for written in &self.parts.0 {
            origins.put(written.path, written.location);
        }
        (self.name.as_ref().map(|name| name.value.clone()), S::of(&self.parts))
    }

    /// Returns the location of the name, or of the key without a name.
    pub(crate) fn name_span(&self) -> Span {
        self.name.as_ref().map_or(self.span, |name| name.span)
    }

    /// Returns the name, or the tool's.
    pub(crate) fn name_or(&self, tool: &str) -> String {
        self.name.as_ref().map_or_else(|| tool.to_owned(), |name| name.value.clone())
    }

    /// Returns whether there is only a name, and perhaps a `key`: the settings then come from another source.
    pub(crate) fn is_bare(&self) -> bool {
        self.name.is_some() && self.parts.is_empty()
    }

    /// Returns the location of a `max_keys` without a `key`, here or, by the name, elsewhere.
    pub(crate) fn bound_without_key(&self) -> Option<Span> {
        let bound = self.parts.get("max_keys").filter(|_| self.key.is_none() && self.name.is_none());
        bound.map(|max_keys| max_keys.location)
    }

    /// Returns whether each caller has separate state.
    pub(crate) fn by_caller(&self) -> bool {
        S::BY_CALLER && self.key.as_ref().is_some_and(|key| is_word(key, "caller"))
    }

    /// Returns the expression whose values have separate state.
    pub(crate) fn key(&self) -> Option<&Expr> {
        self.key.as_ref().filter(|_| !self.by_caller())
    }
}

fn problems<S: Settings>(name: Option<&str>, settings: &S) -> Vec<Problem> {
    let mut found = match name {
        Some(name) if S::KEY == BreakerSettings::KEY => check_breaker(name, None),
        Some(name) => check_name(name).err().map(|why| Problem::new(S::NAME_PATH, why)).into_iter().collect(),
        None => Vec::new(),
    };
    settings.problems(&mut found);
    found
}
