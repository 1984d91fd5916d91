//! The plan of one function: its keys, its block's and the file's, merged into final decisions.

mod effect;
pub(crate) mod layers;

use darling::error::Accumulator;
use proc_macro2::Span;
use quote::format_ident;
use resilient_policy::{
    BreakerSettings, BulkheadSettings, BulkheadUse, CacheSettings, Effect, File, Named, Policy, RateLimitSettings,
    RateLimitUse, Retry, Settings, Source,
};
use syn::{Expr, Ident, Path};

use crate::krate::Krate;
use crate::project::Project;
use crate::resilient::parse::args::Args;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::origins::Origins;
use crate::resilient::parse::tool::Tool;
use crate::resilient::parse::value::{At, BreakerArgs, DurationArg, FallbackStep, InAttribute, Setting, SettingsArgs};
use crate::resilient::plan::layers::{Found, Layers};

/// The input of the expansion of one function.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) krate: Krate,
    pub(crate) name: String,
    pub(crate) guards: Guards,
    pub(crate) fallback: Vec<FallbackStep>,
    pub(crate) cache: Option<CacheSettings>,
    pub(crate) cache_key: Option<Expr>,
    pub(crate) log_args: Vec<Expr>,
    pub(crate) effect: Effect,
    /// Whether rmcp serves the function, so that its request contains its arguments.
    pub(crate) is_tool: bool,
    /// The name of the function in rmcp's tool router, if it is a tool.
    pub(crate) tool_name: Option<String>,
    /// The function that owns the record, for a tool of a block.
    pub(crate) site_fn: Option<Ident>,
    /// Whether the user chose the name.
    pub(crate) is_named: bool,
    /// The profiles that apply, from the strongest to the weakest.
    pub(crate) profiles: Vec<String>,
    pub(crate) enforced: Enforced,
}

/// Where the policy is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enforced {
    /// In the function, by its expansion.
    ByFunction,
    /// In the hook, which only enforces a timeout.
    ByHook,
    /// Nowhere: a sync tool, or one that opts out.
    Nowhere,
}

/// The part of a plan that blocks and files can set as well.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) attempt_timeout: Option<std::time::Duration>,
    pub(crate) retry: Option<Retry>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) bulkhead: Option<Bulkhead>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) keys: Keys,
    /// The location of each setting.
    pub(crate) origins: Origins,
}

/// The breaker of a function.
#[derive(Debug)]
pub(crate) enum Breaker {
    Named(String, Option<BreakerSettings>),
    Static(Path),
}

/// Returns the plan. The second value is whether keys and annotations disagree about the effect.
pub(crate) fn plan(args: &Args, function: &OpaqueFn, project: &Project, errors: &mut Accumulator) -> (Plan, bool) {
    let nothing = Args::default();
    let inherited = args.inherited.as_ref().map_or(&nothing, |inherited| &*inherited.0);
    let tool = Tool::find(&function.attrs);
    let own_name = syn::ext::IdentExt::unraw(&function.sig.ident).to_string();
    let served_as = tool.as_ref().map(|tool| tool.name.clone().unwrap_or_else(|| own_name.clone()));
    let tool_name = served_as.clone().filter(|_| tool.as_ref().is_some_and(|tool| !tool.is_prompt));
    let name = args.name.as_ref().map(|name| name.0.value.clone()).or_else(|| tool_name.clone()).unwrap_or(own_name);

    let file = project.file.as_ref();
    let layers = Layers::of_function(args, inherited, served_as.as_deref(), file);
    let mut guards = Guards::of(&layers, &name, file);
    let fallback =
        args.fallback.as_ref().and_then(Setting::value).map(|fallback| fallback.0.clone()).unwrap_or_default();
    let cache_args = args.cache.as_ref().and_then(Setting::value);
    let is_cached = fallback.iter().any(|step| matches!(step, FallbackStep::Cached(_)));
    let cache = match layers.find(|args| args.cache.as_ref(), |table| table.cache.clone()) {
        Some(found) if found.written().is_some() || is_cached => Some(settings(found, &mut guards.origins).1),
        _ => is_cached.then(CacheSettings::new),
    };
    let (effect, is_contradicted) = effect::of(args, tool.as_ref(), &fallback, errors);

    let plan = Plan {
        krate: args.krate.clone().or_else(|| inherited.krate.clone()).unwrap_or_default(),
        name,
        guards,
        fallback,
        cache,
        cache_key: cache_args.and_then(SettingsArgs::key).cloned(),
        log_args: args.log_args.as_ref().map(|log_args| log_args.0.clone()).unwrap_or_default(),
        effect,
        is_tool: tool.is_some(),
        tool_name,
        site_fn: args.inherited.is_some().then(|| site_fn(&function.sig.ident)),
        is_named: args.name.is_some(),
        profiles: layers.profiles.iter().map(|name| (*name).to_owned()).collect(),
        enforced: Enforced::ByFunction,
    };
    (plan, is_contradicted)
}

/// Returns the plan of a tool that its function does not guard: the timeout and the keys that the hook can use.
///
/// `inherited` are the keys of the block that the hook can use.
pub(crate) fn of_hooked(
    args: &Args,
    inherited: &Args,
    enforced: Enforced,
    function: &OpaqueFn,
    project: &Project,
    errors: &mut Accumulator,
) -> Plan {
    let tool = Tool::find(&function.attrs);
    let own_name = syn::ext::IdentExt::unraw(&function.sig.ident).to_string();
    let tool_name = tool.as_ref().map(|tool| tool.name.clone().unwrap_or_else(|| own_name.clone()));
    let name = args.name.as_ref().map(|name| name.0.value.clone()).or_else(|| tool_name.clone()).unwrap_or(own_name);
    let layers = Layers::of_function(args, inherited, tool_name.as_deref(), project.file.as_ref());
    let mut guards = Guards::default();
    if enforced == Enforced::ByHook {
        let timeout = layers.find(|args| args.timeout.as_ref(), |table| table.timeout);
        guards.timeout = timeout.map(|found| duration("timeout", &found, &mut guards.origins));
    }
    let (effect, _) = effect::of(args, tool.as_ref(), &[], errors);
    Plan {
        krate: args.krate.clone().or_else(|| inherited.krate.clone()).unwrap_or_default(),
        name,
        guards,
        fallback: Vec::new(),
        cache: None,
        cache_key: None,
        log_args: args.log_args.as_ref().map(|log_args| log_args.0.clone()).unwrap_or_default(),
        effect,
        is_tool: tool.is_some(),
        tool_name,
        site_fn: Some(site_fn(&function.sig.ident)),
        is_named: args.name.is_some(),
        profiles: layers.profiles.iter().map(|name| (*name).to_owned()).collect(),
        enforced,
    }
}

impl Guards {
    /// Merges the sources: for each key, the strongest one wins.
    pub(crate) fn of(layers: &Layers<'_>, name: &str, file: Option<&File>) -> Self {
        let mut origins = Origins::default();
        let mut keys = Keys::default();
        let timeout = layers.find(|args| args.timeout.as_ref(), |table| table.timeout);
        let timeout = timeout.map(|found| duration("timeout", &found, &mut origins));
        let attempt_timeout = layers.find(|args| args.attempt_timeout.as_ref(), |table| table.attempt_timeout);
        let attempt_timeout = attempt_timeout.map(|found| duration("attempt_timeout", &found, &mut origins));
        let retry = layers.find(|args| args.retry.as_ref(), |table| table.retry.clone());
        let retry = retry.map(|found| settings(found, &mut origins).1);
        let breaker = layers.find(|args| args.breaker.as_ref(), |table| table.breaker.clone());
        let breaker = breaker.and_then(|found| match found {
            Found::Written(breaker) => written_breaker(breaker, name, file, &mut keys, &mut origins),
            Found::Table(name, table) => {
                origins.put_file("breaker", table);
                named_breaker(name, file, &mut origins)
            }
        });
        let bulkhead = layers.find(|args| args.bulkhead.as_ref(), |table| table.bulkhead.clone());
        let bulkhead = bulkhead.map(|found| {
            keys.bulkhead = found.written().and_then(SettingsArgs::key).cloned();
            let (name, settings) = settings(found, &mut origins);
            Bulkhead { name, settings }
        });
        let rate_limit = layers.find(|args| args.rate_limit.as_ref(), |table| table.rate_limit.clone());
        let rate_limit = rate_limit.map(|found| {
            let written = found.written();
            keys.rate_limit = written.and_then(SettingsArgs::key).cloned();
            let by_caller = written.is_some_and(SettingsArgs::by_caller);
            let span = written.map_or_else(Span::call_site, |written| written.span);
            let (name, settings) = settings(found, &mut origins);
            RateLimit { name, settings, by_caller, span }
        });
        Self { timeout, attempt_timeout, retry, breaker, bulkhead, rate_limit, keys, origins }
    }

    /// Returns the policy that the runtime will see, as far as the rules depend on it.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::new();
        policy.timeout = self.timeout.unwrap_or(policy.timeout);
        policy.attempt_timeout = self.attempt_timeout;
        policy.retry = self.retry;
        // Names are checked separately.
        policy.bulkhead = self.bulkhead.as_ref().map(|bulkhead| BulkheadUse::new(bulkhead.settings));
        policy.rate_limit = self.rate_limit.as_ref().map(|rate_limit| {
            let wanted = RateLimitUse::new(rate_limit.settings);
            if rate_limit.by_caller { wanted.by_caller() } else { wanted }
        });
        policy
    }
}

impl Plan {
    /// Returns the policy that the runtime will see, as far as the rules depend on it.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = self.guards.policy().effect(self.effect);
        policy.cache = self.cache;
        let is = |wanted: fn(&FallbackStep) -> bool| self.fallback.iter().any(wanted);
        // The rules do not depend on the order of fallbacks.
        policy.fallback = match (
            is(|step| matches!(step, FallbackStep::Cached(_))),
            is(|step| matches!(step, FallbackStep::Function(_))),
        ) {
            (true, true) => &[Source::Cache, Source::Function],
            (true, false) => &[Source::Cache],
            (false, true) => &[Source::Function],
            (false, false) => &[],
        };
        policy
    }
}

fn duration(
    path: &'static str,
    found: &Found<'_, DurationArg, std::time::Duration>,
    origins: &mut Origins,
) -> std::time::Duration {
    match found {
        Found::Written(DurationArg(At { value, span })) => {
            origins.put(path, *span);
            *value
        }
        Found::Table(value, table) => {
            origins.put_file(path, table);
            *value
        }
    }
}

/// Returns the settings that one source gives, and their name.
fn settings<S: InAttribute>(found: Found<'_, SettingsArgs<S>, Named>, origins: &mut Origins) -> (Option<String>, S) {
    match found {
        Found::Written(written) => written.lower(origins),
        Found::Table(named, table) => {
            origins.put_file(S::KEY, table);
            (named.name, S::of(&named.parts))
        }
    }
}

fn written_breaker(
    breaker: &BreakerArgs,
    tool: &str,
    file: Option<&File>,
    keys: &mut Keys,
    origins: &mut Origins,
) -> Option<Breaker> {
    match breaker {
        BreakerArgs::Named(At { value, span }) => {
            origins.put("breaker.name", *span);
            named_breaker(value.clone(), file, origins)
        }
        BreakerArgs::Static(path) => Some(Breaker::Static(path.clone())),
        BreakerArgs::Set(set) => {
            let (named, settings) = set.lower(origins);
            keys.breaker = set.key().cloned();
            let name = named.unwrap_or_else(|| tool.to_owned());
            let in_file = named_breaker(name.clone(), file, origins)?;
            // A table that disables the breaker does not set anything else.
            Some(if set.is_bare() { in_file } else { Breaker::Named(name, Some(settings)) })
        }
    }
}

/// Returns the breaker of this name, with the file's settings for it, unless the file disables it.
fn named_breaker(name: String, file: Option<&File>, origins: &mut Origins) -> Option<Breaker> {
    let Some(table) = file.and_then(|file| file.breakers.get(&name)) else { return Some(Breaker::Named(name, None)) };
    origins.put_file_places("breaker", &table.places);
    (table.enabled != Some(false)).then(|| Breaker::Named(name, Some(BreakerSettings::of(&table.parts))))
}

/// Returns the name of the function that owns the record of a tool in a block.
pub(crate) fn site_fn(tool: &Ident) -> Ident {
    format_ident!("__resilient_{}_site", syn::ext::IdentExt::unraw(tool), span = Span::call_site())
}

/// The bulkhead of a function.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    pub(crate) name: Option<String>,
    pub(crate) settings: BulkheadSettings,
}

/// The rate limit of a function.
#[derive(Debug)]
pub(crate) struct RateLimit {
    pub(crate) name: Option<String>,
    pub(crate) settings: RateLimitSettings,
    pub(crate) by_caller: bool,
    pub(crate) span: Span,
}

/// The expressions whose values have separate limits.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) breaker: Option<Expr>,
    pub(crate) bulkhead: Option<Expr>,
    pub(crate) rate_limit: Option<Expr>,
}

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.named().next().is_none()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Expr> {
        self.named().map(|(_, key)| key)
    }

    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &Expr)> {
        let Self { breaker, bulkhead, rate_limit } = self;
        [
            breaker.as_ref().map(|key| ("breaker_key", key)),
            bulkhead.as_ref().map(|key| ("bulkhead_key", key)),
            rate_limit.as_ref().map(|key| ("rate_limit_key", key)),
        ]
        .into_iter()
        .flatten()
    }
}
