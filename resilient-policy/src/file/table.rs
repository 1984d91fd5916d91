//! The keys of one table.

use std::sync::Arc;
use std::time::Duration;

use super::node::{Entry, Kind, Place};
use super::read::{self, Reader};
use super::{FileProblem, of_variable};
use crate::{
    BreakerPart, BulkheadPart, BulkheadSettings, BulkheadUse, CachePart, CacheSettings, Given, Policy, RateLimitPart,
    RateLimitSettings, RateLimitUse, RetryPart, Source, Window, check, check_breaker,
};

const KEYS: &[&str] = &["timeout", "attempt_timeout", "retry", "breaker", "bulkhead", "rate_limit", "cache"];
const RETRY: &[&str] = &["max", "base", "factor", "cap", "jitter", "on", "budget"];
const BULKHEAD: &[&str] = &["max", "queue", "wait", "name", "max_keys"];
const RATE_LIMIT: &[&str] = &["rate", "burst", "name", "max_keys"];
const CACHE: &[&str] = &["max_age", "max"];
const BREAKER: &[&str] = &[
    "enabled",
    "failures",
    "rate",
    "window",
    "min_calls",
    "slow",
    "slow_rate",
    "open",
    "probes",
    "successes",
    "max_keys",
];

/// Where each setting was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places(Vec<(&'static str, Place)>);

impl Places {
    fn put(&mut self, path: &'static str, entry: &Entry) {
        self.0.push((path, entry.value.place.clone()));
    }

    fn first(&self) -> Option<&Place> {
        self.0.first().map(|(_, place)| place)
    }

    /// The settings under a key, the key itself too.
    pub fn under<'p>(&'p self, key: &'p str) -> impl Iterator<Item = (&'static str, &'p Place)> {
        let is_under =
            move |path: &str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.0.iter().filter(move |(path, _)| is_under(path)).map(|(path, place)| (*path, place))
    }

    /// Where the setting was written, or what it belongs to.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Place> {
        let place = |wanted: &str| self.0.iter().rev().find(|(known, _)| *known == wanted);
        place(path).or_else(|| place(path.split_once('.')?.0)).map(|(_, place)| place)
    }
}

/// Parts of a limit, and the name under which it is shared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Named<T> {
    /// The parts.
    pub part: T,
    /// The name.
    pub name: Option<String>,
}

/// What a table says about the functions that it is for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// See [`Policy::timeout`].
    pub timeout: Option<Given<Duration>>,
    /// See [`Policy::attempt_timeout`].
    pub attempt_timeout: Option<Given<Duration>>,
    /// See [`Policy::retry`].
    pub retry: Option<Given<RetryPart>>,
    /// The name of the breaker. See [`Policy::breaker`].
    pub breaker: Option<Given<String>>,
    /// See [`Policy::bulkhead`].
    pub bulkhead: Option<Given<Named<BulkheadPart>>>,
    /// See [`Policy::rate_limit`].
    pub rate_limit: Option<Given<Named<RateLimitPart>>>,
    /// See [`Policy::cache`].
    pub cache: Option<Given<CachePart>>,
    /// Where each of them was written.
    pub places: Places,
    /// Where the table begins, if it was written at all.
    pub place: Option<Place>,
}

impl Table {
    /// The keys that a table may have.
    pub const KEYS: &'static [&'static str] = KEYS;

    /// What a variable says about one of the keys: those below the tool's or the profile's name.
    #[must_use]
    pub fn of_variable(variable: &Arc<str>, keys: &[String], value: &str) -> (Self, Vec<FileProblem>) {
        let mut found = Vec::new();
        let entries: Vec<_> = of_variable(variable, keys, value).into_iter().collect();
        let place = Place::Variable(Arc::clone(variable));
        let table = Self::read(&entries, "", place.clone(), &mut found);
        if found.is_empty() {
            found = table.check("", &place, false);
        }
        (table, found)
    }

    /// The place of anything that the table says.
    #[must_use]
    pub fn any_place(&self) -> Option<&Place> {
        self.places.first()
    }

    pub(super) fn read(entries: &[Entry], under: &str, place: Place, found: &mut Vec<FileProblem>) -> Self {
        let mut table = Self { place: Some(place), ..Self::default() };
        let mut reader = Reader { found, under: under.into() };
        for entry in entries {
            let places = &mut table.places;
            match entry.key.as_str() {
                "timeout" => {
                    places.put("timeout", entry);
                    table.timeout = or_none(entry, |entry| reader.take(entry, read::duration));
                }
                "attempt_timeout" => {
                    places.put("attempt_timeout", entry);
                    table.attempt_timeout = or_none(entry, |entry| reader.take(entry, read::duration));
                }
                "retry" => {
                    places.put("retry", entry);
                    table.retry = or_none(entry, |entry| retry(entry, &mut reader, places));
                }
                "breaker" => {
                    places.put("breaker", entry);
                    table.breaker = or_none(entry, |entry| {
                        if matches!(entry.value.kind, Kind::Table(_)) {
                            reader.problem(entry, "expected a name: the settings stand in `[breaker.NAME]`");
                            return None;
                        }
                        reader.take(entry, read::name)
                    });
                }
                "bulkhead" => {
                    places.put("bulkhead", entry);
                    table.bulkhead = or_none(entry, |entry| bulkhead(entry, &mut reader, places));
                }
                "rate_limit" => {
                    places.put("rate_limit", entry);
                    table.rate_limit = or_none(entry, |entry| rate_limit(entry, &mut reader, places));
                }
                "cache" => {
                    places.put("cache", entry);
                    table.cache = or_none(entry, |entry| cache(entry, &mut reader, places));
                }
                _ => reader.unknown(entry, KEYS),
            }
        }
        table
    }

    /// The rules that hold for what the table says by itself. What it does not say is not its mistake,
    /// unless it has to be `whole`.
    pub(super) fn check(&self, under: &str, place: &Place, whole: bool) -> Vec<FileProblem> {
        let timeout = value(self.timeout.as_ref()).copied().unwrap_or(Policy::LONGEST_TIMEOUT);
        let mut policy = Policy::new().timeout(timeout);
        let mut found = Vec::new();
        policy.attempt_timeout = value(self.attempt_timeout.as_ref()).copied();
        policy.retry = value(self.retry.as_ref()).map(|part| {
            let mut retry = part.whole();
            if !whole && part.cap.is_none() {
                retry.cap = retry.cap.max(retry.base);
            }
            if !whole && part.base.is_none() {
                retry.base = retry.base.min(retry.cap);
            }
            retry
        });
        if let Some(Named { part, .. }) = value(self.bulkhead.as_ref()) {
            let mut settings = BulkheadSettings::new(part.max.unwrap_or(1));
            part.apply(&mut settings);
            if !whole && part.queue.is_none() {
                // Whatever it is in the code.
                settings.queue = settings.queue.max(1);
            }
            policy.bulkhead = Some(BulkheadUse::new(settings));
            if whole && part.max.is_none() {
                let message = "expected how many attempts may run at a time: `bulkhead = { max = 20 }`";
                found.push(crate::Problem::new("bulkhead", message));
            }
        }
        if let Some(Named { part, .. }) = value(self.rate_limit.as_ref()) {
            let mut settings = RateLimitSettings::new(if whole { 1 } else { u32::MAX }, Duration::from_secs(1));
            part.apply(&mut settings);
            policy.rate_limit = Some(RateLimitUse::new(settings));
            if whole && part.rate.is_none() {
                let message = "expected how many calls may begin in a time: `rate_limit = { rate = \"100/1s\" }`";
                found.push(crate::Problem::new("rate_limit", message));
            }
        }
        policy.cache = value(self.cache.as_ref()).map(|part| {
            let mut settings = CacheSettings::new();
            part.apply(&mut settings);
            settings
        });
        policy.fallback = &[Source::Cache];
        found.extend(check(&policy));
        found.into_iter().map(|problem| FileProblem::of(&problem, &self.places, place, under)).collect()
    }
}

/// What a table says about a breaker.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerTable {
    /// The settings, and whether the breaker is there at all.
    pub part: BreakerPart,
    /// Where each of them was written.
    pub places: Places,
    /// Where the table begins.
    pub place: Place,
}

impl BreakerTable {
    /// The keys that a table may have.
    pub const KEYS: &'static [&'static str] = BREAKER;

    /// What a variable says about one of a breaker's keys: those below its name.
    #[must_use]
    pub fn of_variable(variable: &Arc<str>, keys: &[String], value: &str) -> (Self, Vec<FileProblem>) {
        let mut found = Vec::new();
        let entries: Vec<_> = of_variable(variable, keys, value).into_iter().collect();
        let table = Self::read(&entries, "", Place::Variable(Arc::clone(variable)), &mut found);
        if found.is_empty() {
            found = table.check("", false);
        }
        (table, found)
    }

    pub(super) fn read(entries: &[Entry], under: &str, place: Place, found: &mut Vec<FileProblem>) -> Self {
        let mut table = Self { part: BreakerPart::default(), places: Places::default(), place };
        let mut reader = Reader { found, under: under.into() };
        let (part, places) = (&mut table.part, &mut table.places);
        for entry in entries {
            match entry.key.as_str() {
                "enabled" => part.enabled = reader.take(entry, read::flag),
                "failures" => part.failures = at("breaker.failures", entry, places, &mut reader, read::count),
                "rate" => part.rate = at("breaker.rate", entry, places, &mut reader, read::number),
                "window" => part.window = at("breaker.window", entry, places, &mut reader, read::window),
                "min_calls" => part.min_calls = at("breaker.min_calls", entry, places, &mut reader, read::count),
                "slow" => part.slow = at("breaker.slow", entry, places, &mut reader, read::duration),
                "slow_rate" => part.slow_rate = at("breaker.slow_rate", entry, places, &mut reader, read::number),
                "open" => part.open = at("breaker.open", entry, places, &mut reader, read::duration),
                "probes" => part.probes = at("breaker.probes", entry, places, &mut reader, read::count),
                "successes" => part.successes = at("breaker.successes", entry, places, &mut reader, read::count),
                "max_keys" => part.max_keys = at("breaker.max_keys", entry, places, &mut reader, read::count),
                _ => reader.unknown(entry, BREAKER),
            }
        }
        table
    }

    pub(super) fn check(&self, under: &str, whole: bool) -> Vec<FileProblem> {
        let mut settings = self.part.whole();
        if let (false, None, Some(min_calls)) = (whole, self.part.window, self.part.min_calls) {
            // As many as there may be.
            settings.window = Window::Count(min_calls.max(1));
        }
        let mut problems = check_breaker("named", Some(&settings));
        if whole {
            problems.extend(self.part.written().problems());
        }
        problems.into_iter().map(|problem| FileProblem::of(&problem, &self.places, &self.place, under)).collect()
    }
}

fn value<T>(given: Option<&Given<T>>) -> Option<&T> {
    given.and_then(Given::value)
}

fn or_none<T>(entry: &Entry, read: impl FnOnce(&Entry) -> Option<T>) -> Option<Given<T>> {
    if read::is_none(&entry.value) { Some(Given::None) } else { read(entry).map(Given::Is) }
}

/// Reads a value and notes where it stands.
fn at<T>(
    path: &'static str,
    entry: &Entry,
    places: &mut Places,
    reader: &mut Reader<'_>,
    read: fn(&super::node::Node) -> Result<T, String>,
) -> Option<T> {
    places.put(path, entry);
    reader.take(entry, read)
}

/// Goes over the keys of a table under `key`.
fn below(entry: &Entry, reader: &mut Reader<'_>, mut each: impl FnMut(&Entry, &mut Reader<'_>)) {
    let Kind::Table(entries) = &entry.value.kind else { return };
    let mut inner = Reader { under: reader.path(&entry.key), found: reader.found };
    for entry in entries {
        each(entry, &mut inner);
    }
}

fn retry(entry: &Entry, reader: &mut Reader<'_>, places: &mut Places) -> Option<RetryPart> {
    let mut part = RetryPart::default();
    if !matches!(entry.value.kind, Kind::Table(_)) {
        part.max = Some(at("retry.max", entry, places, reader, read::count)?);
        return Some(part);
    }
    below(entry, reader, |entry, reader| match entry.key.as_str() {
        "max" => part.max = at("retry.max", entry, places, reader, read::count),
        "base" => part.base = at("retry.base", entry, places, reader, read::duration),
        "factor" => part.factor = at("retry.factor", entry, places, reader, read::number),
        "cap" => part.cap = at("retry.cap", entry, places, reader, read::duration),
        "jitter" => part.jitter = at("retry.jitter", entry, places, reader, read::jitter),
        "on" => part.on = at("retry.on", entry, places, reader, read::kinds),
        "budget" => part.budget = at("retry.budget", entry, places, reader, read::share),
        _ => reader.unknown(entry, RETRY),
    });
    Some(part)
}

fn bulkhead(entry: &Entry, reader: &mut Reader<'_>, places: &mut Places) -> Option<Named<BulkheadPart>> {
    let mut named = Named::<BulkheadPart>::default();
    if !matches!(entry.value.kind, Kind::Table(_)) {
        named.part.max = Some(at("bulkhead.max", entry, places, reader, read::count)?);
        return Some(named);
    }
    below(entry, reader, |entry, reader| match entry.key.as_str() {
        "max" => named.part.max = at("bulkhead.max", entry, places, reader, read::count),
        "queue" => named.part.queue = at("bulkhead.queue", entry, places, reader, read::count),
        "wait" => named.part.wait = at("bulkhead.wait", entry, places, reader, read::duration),
        "name" => named.name = at("bulkhead.name", entry, places, reader, read::name),
        "max_keys" => named.part.max_keys = at("bulkhead.max_keys", entry, places, reader, read::count),
        _ => reader.unknown(entry, BULKHEAD),
    });
    Some(named)
}

fn rate_limit(entry: &Entry, reader: &mut Reader<'_>, places: &mut Places) -> Option<Named<RateLimitPart>> {
    let mut named = Named::<RateLimitPart>::default();
    if !matches!(entry.value.kind, Kind::Table(_)) {
        named.part.rate = Some(at("rate_limit.rate", entry, places, reader, read::rate)?);
        return Some(named);
    }
    below(entry, reader, |entry, reader| match entry.key.as_str() {
        "rate" => named.part.rate = at("rate_limit.rate", entry, places, reader, read::rate),
        "burst" => named.part.burst = at("rate_limit.burst", entry, places, reader, read::count),
        "name" => named.name = at("rate_limit.name", entry, places, reader, read::name),
        "max_keys" => named.part.max_keys = at("rate_limit.max_keys", entry, places, reader, read::count),
        _ => reader.unknown(entry, RATE_LIMIT),
    });
    Some(named)
}

fn cache(entry: &Entry, reader: &mut Reader<'_>, places: &mut Places) -> Option<CachePart> {
    let mut part = CachePart::default();
    reader.entries(entry, "settings in a table: `cache = { max_age = \"1h\" }`")?;
    below(entry, reader, |entry, reader| match entry.key.as_str() {
        "max_age" => part.max_age = at("cache.max_age", entry, places, reader, read::duration),
        "max" => part.max = at("cache.max", entry, places, reader, read::count),
        _ => reader.unknown(entry, CACHE),
    });
    Some(part)
}
