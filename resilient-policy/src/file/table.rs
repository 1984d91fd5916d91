//! Reads the keys of one table.

use std::sync::Arc;
use std::time::Duration;

use super::values::{duration, flag, name};
use super::{Entry, FileProblem, Reader, SourceLocation, entries_of, of_variable};
use crate::breaker::{BreakerSettings, check_breaker_parts};
use crate::bulkhead::{BulkheadSettings, BulkheadUse};
use crate::cache::{CacheSettings, check_cache_parts};
use crate::check::{check, check_breaker};
use crate::deferred::{DeferredSettings, check_deferred_parts};
use crate::form::is_none;
use crate::node::{Syntax, Value};
use crate::policy::{Policy, Source};
use crate::problem::Problem;
use crate::rate_limit::{RateLimitSettings, RateLimitUse};
use crate::retry::Retry;
use crate::schema::{Override, Parts, Settings};
use crate::setting::{Setting, Window};

const KEYS: &[&str] =
    &["timeout", "attempt_timeout", "retry", "breaker", "bulkhead", "rate_limit", "cache", "deferred"];
/// The key that switches a tool, a feature or a breaker off.
pub(super) const ENABLED: &str = "enabled";

/// The location of each setting.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceLocations(Vec<(&'static str, SourceLocation)>);

impl SourceLocations {
    fn put(&mut self, path: &'static str, entry: &Entry) {
        self.0.push((path, entry.value.location.clone()));
    }

    fn put_parts(&mut self, parts: &Parts<SourceLocation>) {
        self.0.extend(parts.0.iter().map(|written| (written.path, written.location.clone())));
    }

    fn first(&self) -> Option<&SourceLocation> {
        self.0.first().map(|(_, place)| place)
    }

    /// Returns the locations of the settings below a key, including the key itself.
    pub fn under<'p>(&'p self, key: &'p str) -> impl Iterator<Item = (&'static str, &'p SourceLocation)> {
        let is_under =
            move |path: &str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.0.iter().filter(move |(path, _)| is_under(path)).map(|(path, place)| (*path, place))
    }

    /// Returns the location of the setting, or of the table that it belongs to.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&SourceLocation> {
        let place = |wanted: &str| self.0.iter().rev().find(|(known, _)| *known == wanted);
        place(path).or_else(|| place(path.split_once('.')?.0)).map(|(_, place)| place)
    }
}

/// Parts of settings, and the name under which functions share them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Named {
    /// The parts.
    pub parts: Parts<SourceLocation>,
    /// The name.
    pub name: Option<String>,
}

/// The keys of one table for functions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// See [`Policy::timeout`].
    pub timeout: Option<Override<Duration>>,
    /// See [`Policy::attempt_timeout`].
    pub attempt_timeout: Option<Override<Duration>>,
    /// See [`Policy::retry`].
    pub retry: Option<Override<Named>>,
    /// The name of the breaker. See [`Policy::breaker`].
    pub breaker: Option<Override<String>>,
    /// See [`Policy::bulkhead`].
    pub bulkhead: Option<Override<Named>>,
    /// See [`Policy::rate_limit`].
    pub rate_limit: Option<Override<Named>>,
    /// See [`Policy::cache`].
    pub cache: Option<Override<Named>>,
    /// See [`Policy::deferred`].
    pub deferred: Option<Override<Named>>,
    /// The location of each key.
    pub places: SourceLocations,
    /// The location of the table's header, if the table was written.
    pub place: Option<SourceLocation>,
}

impl Table {
    /// The keys that a table may have.
    pub const KEYS: &'static [&'static str] = KEYS;

    /// Returns the keys that the table of a tool may have.
    #[must_use]
    pub fn tool_keys() -> Vec<&'static str> {
        KEYS.iter().copied().chain([ENABLED]).collect()
    }

    /// Reads a variable for one of the keys, below the name of the tool or profile.
    #[must_use]
    pub fn of_variable(variable: &Arc<str>, keys: &[String], value: &str) -> (Self, Vec<FileProblem>) {
        let mut found = Vec::new();
        let entries: Vec<_> = of_variable(variable, keys, value).into_iter().collect();
        let place = SourceLocation::Variable(Arc::clone(variable));
        let table = Self::read(&entries, "", place.clone(), &mut found);
        if found.is_empty() {
            found = table.check("", &place, false);
        }
        (table, found)
    }

    /// Returns the table without the locations.
    pub(super) fn without_places(&self) -> Self {
        let mut table = Self { places: SourceLocations::default(), place: None, ..self.clone() };
        let Self { retry, bulkhead, rate_limit, cache, deferred, .. } = &mut table;
        for named in [retry, bulkhead, rate_limit, cache, deferred] {
            if let Some(Override::Is(named)) = named {
                named.parts.forget_places();
            }
        }
        table
    }

    /// Returns the location of any key of the table.
    #[must_use]
    pub fn any_place(&self) -> Option<&SourceLocation> {
        self.places.first()
    }

    pub(super) fn read(entries: &[Entry], under: &str, place: SourceLocation, found: &mut Vec<FileProblem>) -> Self {
        let mut table = Self { place: Some(place), ..Self::default() };
        let mut reader = Reader { found, under: under.into(), syntax: Syntax::File };
        for entry in entries {
            let places = &mut table.places;
            let Some(key) = KEYS.iter().find(|key| **key == entry.key) else {
                if entry.key == super::READ_ONLY {
                    let message = "this is set for the whole server: before the first table of the file, or with \
                                   `RESILIENT_READ_ONLY`";
                    reader.problem(entry, message);
                } else if under.starts_with("tool.") {
                    reader.unknown(entry, &Self::tool_keys());
                } else {
                    reader.unknown(entry, KEYS);
                }
                continue;
            };
            places.put(key, entry);
            match *key {
                "timeout" => table.timeout = or_none(entry, |entry| duration(entry, &mut reader)),
                "attempt_timeout" => table.attempt_timeout = or_none(entry, |entry| duration(entry, &mut reader)),
                "retry" => table.retry = or_none(entry, |entry| settings::<Retry>(entry, &mut reader, places)),
                "bulkhead" => {
                    table.bulkhead = or_none(entry, |entry| settings::<BulkheadSettings>(entry, &mut reader, places));
                }
                "rate_limit" => {
                    table.rate_limit =
                        or_none(entry, |entry| settings::<RateLimitSettings>(entry, &mut reader, places));
                }
                "cache" => table.cache = or_none(entry, |entry| settings::<CacheSettings>(entry, &mut reader, places)),
                "deferred" => {
                    table.deferred = or_none(entry, |entry| settings::<DeferredSettings>(entry, &mut reader, places));
                }
                _ => table.breaker = or_none(entry, |entry| breaker(entry, &mut reader)),
            }
        }
        table
    }

    /// Checks the rules within the table. A missing part is a mistake only if the table has to be `whole`.
    pub(super) fn check(&self, under: &str, place: &SourceLocation, whole: bool) -> Vec<FileProblem> {
        let timeout = value(self.timeout.as_ref()).copied().unwrap_or(Policy::LONGEST_TIMEOUT);
        let mut policy = Policy::new().timeout(timeout);
        let mut found = Vec::new();
        policy.attempt_timeout = value(self.attempt_timeout.as_ref()).copied();
        policy.retry = value(self.retry.as_ref()).map(|Named { parts, .. }| {
            let mut retry = Retry::of(parts);
            complete(parts, &mut retry.base, &mut retry.cap, whole);
            retry
        });
        policy.bulkhead = value(self.bulkhead.as_ref()).map(|Named { parts, .. }| {
            let mut settings = BulkheadSettings::of(parts);
            if !whole && !parts.has("queue") {
                // The code may have a queue already.
                settings.queue = settings.queue.max(1);
            }
            found.extend(first_is_missing::<BulkheadSettings>(parts).filter(|_| whole));
            BulkheadUse::new(settings)
        });
        policy.rate_limit = value(self.rate_limit.as_ref()).map(|Named { parts, .. }| {
            found.extend(first_is_missing::<RateLimitSettings>(parts).filter(|_| whole));
            RateLimitUse::new(RateLimitSettings::of(parts))
        });
        policy.cache = value(self.cache.as_ref()).map(|Named { parts, .. }| {
            found.extend(check_cache_parts(parts, true));
            let mut settings = CacheSettings::of(parts);
            if !whole {
                // The code may set it already.
                settings.fresh = settings.fresh.or(settings.stale_while_revalidate.map(|stale| stale / 2));
            }
            settings
        });
        policy.deferred = value(self.deferred.as_ref()).map(|Named { parts, .. }| {
            found.extend(check_deferred_parts(parts).into_iter().filter(|_| whole));
            let mut settings = DeferredSettings::of(parts);
            complete(parts, &mut settings.base, &mut settings.cap, whole);
            settings
        });
        policy.fallback = &[Source::Cache, Source::Deferred];
        found.extend(check(&policy));
        found.into_iter().map(|problem| FileProblem::of(&problem, &self.places, place, under)).collect()
    }
}

/// The keys of a `[breaker.NAME]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerTable {
    /// The settings.
    pub parts: Parts<SourceLocation>,
    /// `false` removes the breaker from every function that uses it.
    pub enabled: Option<bool>,
    /// The location of each key.
    pub places: SourceLocations,
    /// The location of the table's header.
    pub place: SourceLocation,
}

impl Parts<SourceLocation> {
    fn forget_places(&mut self) {
        for written in &mut self.0 {
            written.location = nowhere();
        }
    }
}

/// Returns the location of everything, for a comparison without locations.
fn nowhere() -> SourceLocation {
    SourceLocation::Variable("".into())
}

impl BreakerTable {
    /// Returns the table without the locations.
    pub(super) fn without_places(&self) -> Self {
        let mut parts = self.parts.clone();
        parts.forget_places();
        Self { parts, places: SourceLocations::default(), place: nowhere(), ..self.clone() }
    }

    /// The keys that a table may have.
    #[must_use]
    pub fn keys() -> Vec<&'static str> {
        let mut keys = BreakerSettings::names(true);
        keys.insert(0, ENABLED);
        keys
    }

    /// Reads a variable for one of a breaker's keys, below its name.
    #[must_use]
    pub fn of_variable(variable: &Arc<str>, keys: &[String], value: &str) -> (Self, Vec<FileProblem>) {
        let mut found = Vec::new();
        let entries: Vec<_> = of_variable(variable, keys, value).into_iter().collect();
        let table = Self::read(&entries, "", SourceLocation::Variable(Arc::clone(variable)), &mut found);
        if found.is_empty() {
            found = table.check("", false);
        }
        (table, found)
    }

    pub(super) fn read(entries: &[Entry], under: &str, place: SourceLocation, found: &mut Vec<FileProblem>) -> Self {
        let mut table = Self { parts: Parts::default(), enabled: None, places: SourceLocations::default(), place };
        let mut reader = Reader { found, under: under.into(), syntax: Syntax::File };
        for entry in entries {
            if entry.key == ENABLED {
                table.enabled = flag(entry, &mut reader);
            } else if reader.part::<BreakerSettings>(entry, &mut table.parts).is_none() {
                reader.unknown(entry, &Self::keys());
            }
        }
        table.places.put_parts(&table.parts);
        table
    }

    pub(super) fn check(&self, under: &str, whole: bool) -> Vec<FileProblem> {
        let mut settings = BreakerSettings::of(&self.parts);
        if let (false, false, Some(min_calls)) = (whole, self.parts.has("window"), settings.min_calls) {
            // A window that is large enough for `min_calls`.
            settings.window = Window::Count(min_calls.max(1));
        }
        let mut problems = check_breaker("named", Some(&settings));
        if whole {
            problems.extend(check_breaker_parts(&self.parts));
        }
        problems.into_iter().map(|problem| FileProblem::of(&problem, &self.places, &self.place, under)).collect()
    }
}

/// Returns the problem of settings without the first part, if the part has no default.
fn first_is_missing<S: Settings>(parts: &Parts<SourceLocation>) -> Option<Problem> {
    let (needed, example) = S::NEEDED?;
    let is_there = parts.has(S::PARTS.first()?.name);
    (!is_there).then(|| Problem::new(S::KEY, format!("expected {needed}: `{} = {{ {example} }}`", S::KEY)))
}

/// Fits the default of `base` or `cap` to the other one, if the code may set it.
fn complete(parts: &Parts<SourceLocation>, base: &mut Duration, cap: &mut Duration, whole: bool) {
    if !whole && !parts.has("cap") {
        *cap = (*cap).max(*base);
    } else if !whole && !parts.has("base") {
        *base = (*base).min(*cap);
    }
}

fn value<T>(given: Option<&Override<T>>) -> Option<&T> {
    given.and_then(Override::value)
}

fn or_none<T>(entry: &Entry, read: impl FnOnce(&Entry) -> Option<T>) -> Option<Override<T>> {
    match is_none(&entry.value.value, Syntax::File) {
        Ok(true) => Some(Override::None),
        _ => read(entry).map(Override::Is),
    }
}

fn breaker(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    if matches!(entry.value.value, Value::Table(_)) {
        reader.problem(entry, "expected a name: the settings stand in `[breaker.NAME]`");
        return None;
    }
    name(entry, reader)
}

/// Reads settings: the first part alone if the key allows it, or a table of parts and a name.
fn settings<S: Settings>(entry: &Entry, reader: &mut Reader<'_>, places: &mut SourceLocations) -> Option<Named> {
    if !matches!(entry.value.value, Value::Table(_)) && S::FIRST_IS_ARGUMENT {
        let parts = reader.first_part::<S>(entry)?;
        places.put_parts(&parts);
        return Some(Named { parts, name: None });
    }
    let mut defaults = S::PARTS.iter().map(|part| (part.name, (part.get)(&S::defaults())));
    let example = defaults.find(|(_, default)| matches!(default, Setting::Duration(_)));
    let example = example.map(|(name, default)| format!(": `{} = {{ {name} = \"{default}\" }}`", S::KEY));
    let entries = entries_of(reader, entry, &format!("settings in a table{}", example.unwrap_or_default()))?;
    let mut named = Named::default();
    let inner = reader.under_key(S::KEY);
    let under = std::mem::replace(&mut reader.under, inner);
    for entry in entries {
        if reader.part::<S>(entry, &mut named.parts).is_some() {
            continue;
        }
        if entry.key == "name" && S::CAN_BE_SHARED {
            places.put(S::NAME_PATH, entry);
            named.name = name(entry, reader);
        } else {
            let mut known = S::names(true);
            known.extend(S::CAN_BE_SHARED.then_some("name"));
            reader.unknown(entry, &known);
        }
    }
    reader.under = under;
    places.put_parts(&named.parts);
    Some(named)
}
