//! Reads the keys with parts: `bulkhead = 20`, `retry(max = 3, on(timeout))`, `cache(fresh = "30s")`.
//!
//! `resilient-policy` declares the parts. This module only knows `key`, `before` and `distributed`, which attributes
//! alone can have, and the names of shared settings.

use darling::Error;
use proc_macro2::Span;
use resilient_policy::{
    BreakerSettings, Form, Node, Number, Part, Parts, RateLimitSettings, Retry, Settings, Value, Written, check_name,
    check_name_at, without_quotes,
};
use syn::spanned::Spanned;
use syn::{Expr, Meta, MetaList, Path};

use super::{At, expected, function, text, word};
use crate::parse::{list, node};
use crate::resilient::parse::origins::Origins;

/// The value of a key with parts.
#[derive(Debug, Clone)]
pub(crate) struct SettingsArgs {
    pub(crate) parts: Parts<Span>,
    name: Option<At<String>>,
    /// The expression whose values have separate state.
    pub(crate) key: Option<Expr>,
    /// Whether each caller has separate state.
    pub(crate) by_caller: bool,
    /// The function that runs before each retry, with the location of its key.
    pub(crate) before: Option<At<Path>>,
    /// The word that shares the state with all replicas of the server.
    pub(crate) distributed: Option<Span>,
    /// The location of the key.
    pub(crate) span: Span,
}

/// Reads the first part alone, or parts in brackets.
pub(crate) fn settings<S: Settings>(entry: &Meta) -> darling::Result<SettingsArgs> {
    let mut settings = SettingsArgs::new(entry.path().span());
    match entry {
        Meta::List(list) => settings.read::<S>(list),
        Meta::NameValue(_) if S::FIRST_IS_ARGUMENT => {
            let first = S::PARTS.first().map(|part| first::<S>(part, &node::value(entry))).transpose()?;
            settings.parts.0.extend(first);
            Ok(settings)
        }
        other => Err(expected(S::EXPECTED).with_span(other)),
    }
}

/// Reads the first part alone.
fn first<S: Settings>(part: &Part<S>, value: &Node<Span>) -> darling::Result<Written<Span>> {
    let key = S::KEY;
    let message = match &value.value {
        _ if !matches!(part.form, Form::Count(..)) => return written(part, key, value),
        Value::Integer(_) | Value::Suffixed(..) => return written(part, key, value),
        Value::Text(text) if text.parse::<u32>().is_ok() => return written(part, key, value),
        Value::Text(_) => format!("a number: `{key} = 3`, or settings: `{key}(max = 3, ..)`"),
        _ => format!("{}, or `{key} = none`", S::EXPECTED),
    };
    Err(expected(&message).with_span(&value.location))
}

/// Reads a part.
fn written<S>(part: &Part<S>, key: &str, value: &Node<Span>) -> darling::Result<Written<Span>> {
    let setting = node::read(part.form, key, value)?;
    Ok(Written { name: part.name, path: part.path, value: setting, location: value.location })
}

impl SettingsArgs {
    fn new(span: Span) -> Self {
        Self { parts: Parts::default(), name: None, key: None, by_caller: false, before: None, distributed: None, span }
    }

    /// Reads parts in brackets.
    fn read<S: Settings>(mut self, list: &MetaList) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let mut known = S::names(false);
        let first = known.first().copied().unwrap_or_default();
        known.extend(S::CAN_BE_SHARED.then_some("name"));
        // The values of a `key` have separate state, and retries have none.
        known.push(if S::KEY == Retry::KEY { "before" } else { "key" });
        known.extend(can_be_distributed::<S>().then_some("distributed"));
        let short = if S::FIRST_IS_ARGUMENT || !S::CAN_BE_SHARED { first } else { "name" };
        // One by one, so that an invalid value does not hide the others.
        for entry in list::entries(list.tokens.clone(), &known, Some(short), &mut errors) {
            if let Meta::List(words) = &entry {
                list::split(words.tokens.clone(), "kind", &mut errors);
            }
            errors.handle(self.read_entry::<S>(&entry));
        }
        if let Err(unreadable) = errors.finish() {
            // Check these parts alone if some could not be read. Otherwise the rules are checked with the whole plan.
            let all = std::iter::once(unreadable).chain(self.problems::<S>());
            return Err(Error::multiple(all.collect()));
        }
        match S::NEEDED {
            Some((needed, part)) if !self.parts.has(first) => {
                let message = format!("{needed}: `{}({part}, ..)`", S::KEY);
                Err(expected(&message).with_span(&list.path))
            }
            _ => Ok(self),
        }
    }

    /// Reads a part, the name, the key or a word.
    fn read_entry<S: Settings>(&mut self, entry: &Meta) -> darling::Result<()> {
        let (name, value) = (list::name_of(entry), node::value(entry));
        let can_be_caller = S::KEY == RateLimitSettings::KEY;
        match (S::part(&name), entry, &value.value) {
            (Some(part), ..) => self.parts.0.push(written(part, &name, &value)?),
            _ if name == "name" => self.name = Some(text(entry)?),
            _ if name == "distributed" => self.distributed = Some(word(entry)?),
            _ if name == "before" => {
                self.before = Some(At { value: function(entry)?, span: entry.path().span() });
            }
            (_, _, Value::Word(word)) if can_be_caller && word == "caller" => self.by_caller = true,
            (_, _, Value::Text(text)) if text == "caller" => {
                let same = "a text is the same key for every call; expected an expression of the parameters";
                let message = if can_be_caller { without_quotes("caller") } else { same.into() };
                return Err(Error::custom(message).with_span(&value.location));
            }
            (_, Meta::NameValue(pair), _) => self.key = Some(pair.value.clone()),
            (_, other, _) => return Err(expected("an expression after `=`").with_span(other)),
        }
        Ok(())
    }

    /// Checks the name and the parts alone.
    fn problems<S: Settings>(&self) -> Vec<Error> {
        let mut origins = Origins::default();
        let (name, settings) = self.lower::<S>(&mut origins);
        let mut problems: Vec<_> = name.and_then(|name| check_name_at(S::NAME_PATH, &name)).into_iter().collect();
        settings.problems(&mut problems);
        problems.iter().map(|problem| origins.error(problem, None, self.span)).collect()
    }

    /// Returns the name, if there is one, and the settings.
    pub(crate) fn lower<S: Settings>(&self, origins: &mut Origins) -> (Option<String>, S) {
        origins.put(S::KEY, self.span);
        origins.put(S::NAME_PATH, self.name_span());
        if let Some(distributed) = self.distributed.filter(|_| S::KEY == RateLimitSettings::KEY) {
            origins.put("rate_limit.distributed", distributed);
        }
        for written in &self.parts.0 {
            origins.put(written.path, written.location);
        }
        (self.name.as_ref().map(|name| name.value.clone()), S::of(&self.parts))
    }

    /// Returns the location of the name, or of the key without a name.
    pub(crate) fn name_span(&self) -> Span {
        self.name.as_ref().map_or(self.span, |name| name.span)
    }

    /// Returns the location of a part, if it is written.
    pub(crate) fn location_of(&self, part: &str) -> Option<Span> {
        self.parts.get(part).map(|written| written.location)
    }

    /// Returns the name, or the tool's.
    pub(crate) fn name_or(&self, tool: &str) -> String {
        self.name.as_ref().map_or_else(|| tool.to_owned(), |name| name.value.clone())
    }

    /// Returns whether there are no parts beside a name, a `key` or a word: the settings then come from another source.
    pub(crate) fn is_bare(&self) -> bool {
        self.name.is_some() && self.parts.is_empty()
    }

    /// Returns the location of a `max_keys` without a `key`, here or, by the name, elsewhere.
    pub(crate) fn bound_without_key(&self) -> Option<Span> {
        let is_keyed = self.key.is_some() || self.by_caller || self.name.is_some();
        self.location_of("max_keys").filter(|_| !is_keyed)
    }
}

/// Returns whether replicas of the server can share the state.
fn can_be_distributed<S: Settings>() -> bool {
    [BreakerSettings::KEY, RateLimitSettings::KEY].contains(&S::KEY)
}

/// The value of `breaker`.
#[derive(Debug, Clone)]
pub(crate) enum BreakerArgs {
    /// A `static Breaker` of the user.
    Static(Path),
    /// A name, perhaps with settings.
    Set(Box<SettingsArgs>),
}

/// Reads `breaker = "make"`, `breaker = MAKE` or `breaker(name = "make", failures = 5, open = "60s")`.
pub(crate) fn breaker(entry: &Meta) -> darling::Result<BreakerArgs> {
    let Meta::NameValue(pair) = entry else {
        return Ok(BreakerArgs::Set(Box::new(settings::<BreakerSettings>(entry)?)));
    };
    match (&pair.value, node::value(entry).value) {
        (_, Value::Text(_) | Value::Suffixed(Number::Text(_), _)) => {
            let name = text(entry)?;
            let settings = SettingsArgs::new(name.span);
            Ok(BreakerArgs::Set(Box::new(SettingsArgs { name: Some(name), ..settings })))
        }
        // Statics have names in capitals, so a lower-case word is a name that lacks its quotes.
        (_, Value::Word(word)) if is_name(&word) => {
            let message = format!(
                "a breaker's name stands in quotes, and a `static` in capitals; write `\"{word}\"`, or for a `static` \
                 its path: `self::{word}`"
            );
            Err(Error::custom(message).with_span(&pair.value))
        }
        (Expr::Path(path), _) if path.qself.is_none() => Ok(BreakerArgs::Static(path.path.clone())),
        (other, _) => Err(expected("a name: `breaker = \"make\"`, or the path of a `static Breaker`").with_span(other)),
    }
}

fn is_name(word: &str) -> bool {
    let has_capitals = word.contains(|c: char| c.is_ascii_uppercase());
    check_name(word).is_ok() && !has_capitals && !matches!(word, "self" | "super" | "crate")
}
