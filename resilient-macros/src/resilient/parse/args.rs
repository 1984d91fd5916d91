//! Parses the keys of `#[resilient(..)]`, with their spans.

use std::time::Duration;

use darling::error::Accumulator;
use darling::{Error, FromMeta};
use proc_macro2::{Span, TokenStream};
use resilient_policy::{BulkheadSettings, CacheSettings, DeferredSettings, Override, RateLimitSettings, Retry};
use syn::{Expr, ExprPath, Meta, Path};

use crate::krate::Krate;
use crate::parse::list;
use crate::resilient::parse::value::{
    At, BreakerArgs, FallbackStep, SettingsArgs, TimeoutArgs, authorize, breaker, duration, fallback, features,
    function, invalidates, log_args, or_none, settings, text, timeout, word,
};

/// The key with which an impl block passes its own keys to its tools. Users do not write it.
pub(crate) const INHERITED: &str = "__inherited";

/// The key with which a block says that it has reported mistakes in its keys, so that its tools check no rules.
pub(crate) const REPORTED: &str = "__reported";

/// The key with which a block says that it has inserted the attribute.
pub(crate) const INSERTED: &str = "__inserted";

/// A property of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// It needs a return type that can carry an error.
    NeedsAnError,
    /// It only makes sense for one tool, so that an impl block cannot have it.
    OneToolOnly,
    /// It declares the effect of the function, or that a repetition of its calls is recognized.
    SaysEffect,
    /// Only the hook of a tool can apply it.
    NeedsHook,
}

/// Declares the keys: the name, the field of [`Args`], the type, the function that reads the value, the properties.
macro_rules! keys {
    ($($name:tt $field:ident: $type:ty = $read:expr $(, $property:ident)*;)*) => {
        pub(crate) const KEYS: &[&str] = &[$($name),*];

        /// The keys of one attribute.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Args {
            $(pub(crate) $field: Option<$type>,)*
            /// Whether a key could not be read, so that these keys are not all that the user meant.
            pub(crate) is_incomplete: bool,
            /// Whether a key that could not be read may declare the effect of the function.
            pub(crate) may_say_more: bool,
        }

        impl Args {
            /// Reads the value of a key.
            fn read(&mut self, name: &str, entry: &Meta) -> darling::Result<()> {
                match name {
                    $($name => self.$field = Some($read(entry)?),)*
                    _ => {}
                }
                Ok(())
            }
        }

        /// Returns whether a key has a property.
        pub(crate) fn has(name: &str, property: Property) -> bool {
            match name {
                $($name => [$(Property::$property),*].contains(&property),)*
                _ => false,
            }
        }
    };
}

keys! {
    "retry" retry: Override<SettingsArgs> = or_none(settings::<Retry>), NeedsAnError;
    "timeout" timeout: Override<TimeoutArgs> = or_none(timeout);
    "attempt_timeout" attempt_timeout: Override<At<Duration>> = or_none(duration), NeedsAnError;
    "breaker" breaker: Override<BreakerArgs> = or_none(breaker), NeedsAnError;
    "bulkhead" bulkhead: Override<SettingsArgs> = or_none(settings::<BulkheadSettings>), NeedsAnError;
    "rate_limit" rate_limit: Override<SettingsArgs> = or_none(settings::<RateLimitSettings>), NeedsAnError;
    "fallback" fallback: Override<Vec<FallbackStep>> = or_none(fallback), NeedsAnError, OneToolOnly, SaysEffect;
    "cache" cache: Override<SettingsArgs> = or_none(settings::<CacheSettings>), NeedsAnError, OneToolOnly, SaysEffect;
    "deferred" deferred: Override<SettingsArgs> = or_none(settings::<DeferredSettings>), NeedsAnError, OneToolOnly, SaysEffect;
    "invalidates" invalidates: Vec<At<String>> = invalidates, NeedsAnError, OneToolOnly;
    "classify" classify: Override<Path> = or_none(function), NeedsAnError, OneToolOnly;
    "read_only" read_only: Span = word, OneToolOnly, SaysEffect;
    "idempotent" idempotent: Span = word, OneToolOnly, SaysEffect;
    "retry_unsafe" retry_unsafe: At<String> = text, NeedsAnError, OneToolOnly, SaysEffect;
    "profile" profile: Override<At<String>> = or_none(text);
    "feature" feature: Override<Vec<At<String>>> = or_none(features), NeedsHook;
    "critical" critical: Span = word, OneToolOnly, NeedsHook;
    "authorize" authorize: ExprPath = authorize, NeedsHook;
    "log_args" log_args: Vec<Expr> = log_args, OneToolOnly;
    "name" name: At<String> = text, OneToolOnly;
    "skip" skip: Span = word, OneToolOnly;
    "crate" krate: Krate = Krate::from_meta;
    INHERITED inherited: Box<Args> = inherited, SaysEffect;
    REPORTED reported: Span = word;
    INSERTED inserted: Span = word;
}

/// Reads the keys of the impl block around a tool. The block has checked them and reported its mistakes.
fn inherited(entry: &Meta) -> darling::Result<Box<Args>> {
    Ok(Box::new(parse_silently(entry.require_list()?.tokens.clone())))
}

/// Parses all keys. Mistakes go to `errors`, and all valid keys are returned.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Accumulator) -> Args {
    let mut found = Error::accumulator();
    let mut entries = list::entries(tokens, KEYS, None, &mut found);
    let mut found = found.into_inner();
    let mut args = Args { may_say_more: !found.is_empty(), ..Args::default() };
    // One by one, so that an invalid value does not hide the others.
    entries.retain(|entry| {
        let name = list::name_of(entry);
        let error = args.read(&name, entry).err();
        args.may_say_more |= error.is_some() && has(&name, Property::SaysEffect);
        let is_readable = error.is_none();
        found.extend(error);
        is_readable
    });
    args.is_incomplete = !found.is_empty();
    errors.extend(found);
    if args.skip.is_some() {
        entries.retain(|entry| !matches!(&*list::name_of(entry), "skip" | INHERITED | REPORTED | INSERTED));
        let message = "`skip` refuses everything but the hook; remove this key or `skip`";
        errors.extend(entries.iter().map(|other| Error::custom(message).with_span(other.path())));
    }
    args
}

/// Parses all valid keys. Mistakes are reported elsewhere.
pub(crate) fn parse_silently(tokens: TokenStream) -> Args {
    silently(|errors| parse(tokens, errors))
}

/// Parses the keys of an impl block, which apply to each of its tools.
pub(crate) fn parse_for_block(tokens: TokenStream, errors: &mut Accumulator) -> Args {
    for entry in entries(tokens.clone()) {
        let name = list::name_of(&entry);
        if has(&name, Property::OneToolOnly) {
            let message = format!("`{name}` is about one tool; write it in the `#[resilient(..)]` above that tool");
            errors.push(Error::custom(message).with_span(entry.path()));
        }
    }
    let args = parse(tokens, errors);
    for key in args.limits().filter_map(|limit| limit.key.as_ref()) {
        let message = "`key` looks at one tool's parameters; write the limit in the `#[resilient(..)]` above that tool";
        errors.push(Error::custom(message).with_span(key));
    }
    if let Some(from) = args.timeout_from() {
        let message = "`from` looks at one tool's parameters; place it in the `#[resilient(..)]` above that tool";
        errors.push(Error::custom(message).with_span(&from.span));
    }
    if let Some(before) = args.before() {
        let message = "`before` gets the error of one tool; place it in the `#[resilient(..)]` above that tool";
        errors.push(Error::custom(message).with_span(&before.span));
    }
    args
}

/// Returns the entries with a known key. Mistakes are reported elsewhere.
pub(crate) fn entries(tokens: TokenStream) -> Vec<Meta> {
    silently(|errors| list::entries(tokens, KEYS, None, errors))
}

/// Drops the errors that a function reports.
pub(crate) fn silently<T>(read: impl FnOnce(&mut Accumulator) -> T) -> T {
    let mut ignored = Error::accumulator();
    let value = read(&mut ignored);
    drop(ignored.into_inner());
    value
}

impl Args {
    /// Returns the breaker, unless it is a `static`.
    pub(crate) fn breaker_set(&self) -> Option<&SettingsArgs> {
        match self.breaker.as_ref()?.value()? {
            BreakerArgs::Set(set) => Some(set),
            BreakerArgs::Static(_) => None,
        }
    }

    /// Returns the expression that requests a limit, with the location of its key.
    pub(crate) fn timeout_from(&self) -> Option<&At<Expr>> {
        self.timeout.as_ref()?.value()?.from.as_ref()
    }

    /// Returns the function that runs before each retry, with the location of its key.
    pub(crate) fn before(&self) -> Option<&At<Path>> {
        self.retry.as_ref()?.value()?.before.as_ref()
    }

    /// Returns the features in these keys.
    pub(crate) fn features(&self) -> Option<&[At<String>]> {
        self.feature.as_ref()?.value().map(Vec::as_slice)
    }

    /// Returns the settings whose state a `key` can separate, without those of the cache.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &SettingsArgs> {
        let others = [&self.bulkhead, &self.rate_limit].into_iter().flatten().filter_map(Override::value);
        self.breaker_set().into_iter().chain(others)
    }
}
