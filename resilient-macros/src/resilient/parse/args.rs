//! The keys of `#[resilient(..)]` as they were written: spans kept, nothing decided.

use darling::{Error, FromMeta};
use proc_macro2::TokenStream;
use resilient_policy::{BulkheadSettings, CacheSettings, RateLimitSettings, Retry};
use syn::{Expr, Meta};

use crate::krate::Krate;
use crate::resilient::parse::list;
use crate::resilient::parse::value::{
    BreakerArgs, DurationArg, FallbackArgs, LogArgs, Setting, SettingsArgs, Text, Word,
};

/// The key under which an impl block hands its own keys to its tools. No user writes it.
pub(crate) const INHERITED: &str = "__inherited";

/// The key by which it says that it has reported mistakes in them: then no rule is checked for its tools.
pub(crate) const TOLD: &str = "__told";

/// The key by which it says that it has inserted the attribute, which no user wrote.
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
    TOLD,
    INSERTED,
];

/// The keys that need a return type which can carry an error.
pub(crate) const NEEDS_AN_ERROR: &[&str] =
    &["retry", "retry_unsafe", "attempt_timeout", "breaker", "fallback", "cache", "bulkhead", "rate_limit"];

/// The keys that make sense for one tool only, so that an impl block cannot have them.
const ONE_TOOL_ONLY: &[&str] =
    &["fallback", "cache", "read_only", "idempotent", "retry_unsafe", "log_args", "name", "skip"];

/// The keys that say what repeating the function does.
const SAY_EFFECT: &[&str] = &["fallback", "cache", "read_only", "idempotent", "retry_unsafe", INHERITED];

/// Whether it is a key that a block gives to its tools.
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
    #[darling(default, rename = "__told")]
    pub(crate) told: Option<Word>,
    #[darling(default, rename = "__inserted")]
    pub(crate) inserted: Option<Word>,
    /// Whether something that was written is not here, as it could not be read: then what is here is
    /// not what was meant.
    #[darling(skip)]
    pub(crate) is_incomplete: bool,
    /// Whether what could not be read may say what repeating the function does.
    #[darling(skip)]
    pub(crate) may_say_more: bool,
}

/// The keys of the impl block around a tool.
#[derive(Debug, Clone)]
pub(crate) struct Inherited(pub(crate) Box<Args>);

impl FromMeta for Inherited {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        // The block has checked them and reported what was wrong.
        let Meta::List(list) = item else { return Ok(Self(Box::default())) };
        Ok(Self(Box::new(parse_silently(list.tokens.clone()))))
    }
}

/// Reads all keys; mistakes go to `errors`, and what could be read is returned.
pub(crate) fn parse(tokens: TokenStream, errors: &mut darling::error::Accumulator) -> Args {
    let mut unknown = Error::accumulator();
    let entries = list::entries(tokens, KEYS, &mut unknown);
    let unknown = unknown.finish().err();
    let mut may_say_more = unknown.is_some();
    let mut found = Error::accumulator();
    // One by one: a value that is wrong must not take the others with it.
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
            .filter(|entry| !matches!(list::name_of(entry).as_deref(), Some("skip" | INHERITED | TOLD | INSERTED)));
        for other in others {
            let message = "`skip` refuses everything but the hook; remove this key or `skip`";
            errors.push(Error::custom(message).with_span(&list::span_of(other)));
        }
    }
    args
}

/// Reads all keys that can be read; what is wrong is reported elsewhere.
pub(crate) fn parse_silently(tokens: TokenStream) -> Args {
    let mut told = Error::accumulator();
    let args = parse(tokens, &mut told);
    drop(told.into_inner());
    args
}

/// Reads the keys of an impl block, which gives them to each of its tools.
pub(crate) fn parse_for_block(tokens: TokenStream, errors: &mut darling::error::Accumulator) -> Args {
    let mut told = Error::accumulator();
    for entry in list::entries(tokens.clone(), KEYS, &mut told) {
        if let Some(name) = list::name_of(&entry)
            && ONE_TOOL_ONLY.contains(&name.as_str())
        {
            let message = format!("`{name}` is about one tool; write it in the `#[resilient(..)]` above that tool");
            errors.push(Error::custom(message).with_span(&list::span_of(&entry)));
        }
    }
    drop(told.into_inner());
    let args = parse(tokens, errors);
    for key in args.keys() {
        let message = "`key` looks at one tool's parameters; write the limit in the `#[resilient(..)]` above that tool";
        errors.push(Error::custom(message).with_span(key));
    }
    args
}

impl Args {
    /// The expressions that keep the limits of one call apart from those of another.
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
