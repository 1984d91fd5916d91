//! Parses the keys of `#[resilient(..)]`, with their spans.

use darling::{Error, FromMeta};
use proc_macro2::TokenStream;
use resilient_policy::{BulkheadSettings, CacheSettings, RateLimitSettings, Retry};
use syn::{Expr, Meta};

use crate::krate::Krate;
use crate::parse::list;
use crate::resilient::parse::value::{
    BreakerArgs, DurationArg, FallbackArgs, LogArgs, Setting, SettingsArgs, Text, Word,
};

/// The key with which an impl block passes its own keys to its tools. Users do not write it.
pub(crate) const INHERITED: &str = "__inherited";

/// The key with which a block says that it has reported mistakes in its keys, so that its tools check no rules.
pub(crate) const REPORTED: &str = "__reported";

/// The key with which a block says that it has inserted the attribute.
pub(crate) const INSERTED: &str = "__inserted";

pub(crate) const KEYS: &[&str] = &[
    "retry",
    "timeout",
    "attempt_timeout",
    "breaker",
    "bulkhead",
    "rate_limit",
    "fallback",
    "cache",
    "read_only",
    "idempotent",
    "retry_unsafe",
    "profile",
    "log_args",
    "name",
    "skip",
    "crate",
    INHERITED,
    REPORTED,
    INSERTED,
];

/// The keys that need a return type which can carry an error.
pub(crate) const NEEDS_AN_ERROR: &[&str] =
    &["retry", "retry_unsafe", "attempt_timeout", "breaker", "fallback", "cache", "bulkhead", "rate_limit"];

/// The keys that only make sense for one tool, so that an impl block cannot have them.
const ONE_TOOL_ONLY: &[&str] =
    &["fallback", "cache", "read_only", "idempotent", "retry_unsafe", "log_args", "name", "skip"];

/// The keys that declare the effect of the function.
const SAY_EFFECT: &[&str] = &["fallback", "cache", "read_only", "idempotent", "retry_unsafe", INHERITED];

/// Returns whether a block passes this key to its tools.
pub(crate) fn is_of_blocks(name: &str) -> bool {
    name != "crate" && KEYS.contains(&name) && !ONE_TOOL_ONLY.contains(&name)
}

#[derive(Debug, Clone, Default, FromMeta)]
pub(crate) struct Args {
    #[darling(default)]
    pub(crate) retry: Option<Setting<SettingsArgs<Retry>>>,
    #[darling(default)]
    pub(crate) timeout: Option<Setting<DurationArg>>,
    #[darling(default)]
    pub(crate) attempt_timeout: Option<Setting<DurationArg>>,
    #[darling(default)]
    pub(crate) breaker: Option<Setting<BreakerArgs>>,
    #[darling(default)]
    pub(crate) bulkhead: Option<Setting<SettingsArgs<BulkheadSettings>>>,
    #[darling(default)]
    pub(crate) rate_limit: Option<Setting<SettingsArgs<RateLimitSettings>>>,
    #[darling(default)]
    pub(crate) fallback: Option<Setting<FallbackArgs>>,
    #[darling(default)]
    pub(crate) cache: Option<Setting<SettingsArgs<CacheSettings>>>,
    #[darling(default)]
    pub(crate) read_only: Option<Word>,
    #[darling(default)]
    pub(crate) idempotent: Option<Word>,
    #[darling(default)]
    pub(crate) retry_unsafe: Option<Text>,
    #[darling(default)]
    pub(crate) profile: Option<Setting<Text>>,
    #[darling(default)]
    #[expect(clippy::struct_field_names, reason = "the key's own name")]
    pub(crate) log_args: Option<LogArgs>,
    #[darling(default)]
    pub(crate) name: Option<Text>,
    #[darling(default)]
    pub(crate) skip: Option<Word>,
    #[darling(default, rename = "crate")]
    pub(crate) krate: Option<Krate>,
    #[darling(default, rename = "__inherited")]
    pub(crate) inherited: Option<Inherited>,
    #[darling(default, rename = "__reported")]
    pub(crate) reported: Option<Word>,
    #[darling(default, rename = "__inserted")]
    pub(crate) inserted: Option<Word>,
    /// Whether a key could not be read, so that these keys are not all that the user meant.
    #[darling(skip)]
    pub(crate) is_incomplete: bool,
    /// Whether a key that could not be read may declare the effect of the function.
    #[darling(skip)]
    pub(crate) may_say_more: bool,
}

/// The keys of the impl block around a tool.
#[derive(Debug, Clone)]
pub(crate) struct Inherited(pub(crate) Box<Args>);

impl FromMeta for Inherited {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        // The block has checked them and reported its mistakes.
        let Meta::List(list) = item else { return Ok(Self(Box::default())) };
        Ok(Self(Box::new(parse_silently(list.tokens.clone()))))
    }
}

/// Parses all keys. Mistakes go to `errors`, and all valid keys are returned.
pub(crate) fn parse(tokens: TokenStream, errors: &mut darling::error::Accumulator) -> Args {
    let mut unknown = Error::accumulator();
    let entries = list::entries(tokens, KEYS, &mut unknown);
    let unknown = unknown.finish().err();
    let mut may_say_more = unknown.is_some();
    let mut found = Error::accumulator();
    // One by one, so that an invalid value does not hide the others.
    let readable: Vec<_> = entries
        .into_iter()
        .filter(|entry| {
            let is_readable = found.handle(Args::from_list(std::slice::from_ref(entry))).is_some();
            may_say_more |= !is_readable && list::name_of(entry).is_none_or(|name| SAY_EFFECT.contains(&name.as_str()));
            is_readable
        })
        .collect();
    let mut args = Args::from_list(&readable).unwrap_or_default();
    args.may_say_more = may_say_more;
    for error in unknown.into_iter().chain(found.finish().err()) {
        args.is_incomplete = true;
        errors.push(error);
    }
    if args.skip.is_some() {
        let others = readable
            .iter()
            .filter(|entry| !matches!(list::name_of(entry).as_deref(), Some("skip" | INHERITED | REPORTED | INSERTED)));
        for other in others {
            let message = "`skip` refuses everything but the hook; remove this key or `skip`";
            errors.push(Error::custom(message).with_span(&list::span_of(other)));
        }
    }
    args
}

/// Parses all valid keys. Mistakes are reported elsewhere.
pub(crate) fn parse_silently(tokens: TokenStream) -> Args {
    let mut ignored = Error::accumulator();
    let args = parse(tokens, &mut ignored);
    drop(ignored.into_inner());
    args
}

/// Parses the keys of an impl block, which apply to each of its tools.
pub(crate) fn parse_for_block(tokens: TokenStream, errors: &mut darling::error::Accumulator) -> Args {
    let mut ignored = Error::accumulator();
    for entry in list::entries(tokens.clone(), KEYS, &mut ignored) {
        if let Some(name) = list::name_of(&entry)
            && ONE_TOOL_ONLY.contains(&name.as_str())
        {
            let message = format!("`{name}` is about one tool; write it in the `#[resilient(..)]` above that tool");
            errors.push(Error::custom(message).with_span(&list::span_of(&entry)));
        }
    }
    drop(ignored.into_inner());
    let args = parse(tokens, errors);
    for key in args.keys() {
        let message = "`key` looks at one tool's parameters; write the limit in the `#[resilient(..)]` above that tool";
        errors.push(Error::custom(message).with_span(key));
    }
    args
}

impl Args {
    /// Returns the expressions of all `key`s.
    fn keys(&self) -> impl Iterator<Item = &Expr> {
        let breaker = match self.breaker.as_ref().and_then(Setting::value) {
            Some(BreakerArgs::Set(set)) => set.key(),
            _ => None,
        };
        let bulkhead = self.bulkhead.as_ref().and_then(Setting::value).and_then(SettingsArgs::key);
        let rate_limit = self.rate_limit.as_ref().and_then(Setting::value).and_then(SettingsArgs::key);
        [breaker, bulkhead, rate_limit].into_iter().flatten()
    }
}
