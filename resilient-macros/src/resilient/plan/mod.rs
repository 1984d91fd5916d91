//! The plan of one function: its keys, its block's and the file's, merged into final decisions.

mod effect;
pub(crate) mod layers;

use std::time::Duration;

use darling::error::Accumulator;
use proc_macro2::Span;
use quote::format_ident;
use resilient_policy::{
    BreakerSettings, BulkheadSettings, BulkheadUse, CacheSettings, DeferredSettings, Effect, File, Named, Override,
    Policy, RateLimitSettings, RateLimitUse, Retry, Settings, Source,
};
use syn::{Expr, ExprPath, Ident, Path};

use crate::krate::Krate;
use crate::project::Project;
use crate::resilient::parse::args::Args;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::origins::Origins;
use crate::resilient::parse::tool::Tool;
use crate::resilient::parse::value::{At, BreakerArgs, FallbackStep, SettingsArgs};
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
    /// How a deferred write is delivered.
    pub(crate) deferred: Option<DeferredSettings>,
    /// The expression of the parameters that identifies a deferred write.
    pub(crate) deferred_key: Option<Expr>,
    /// The tools whose cached answers a call invalidates.
    pub(crate) invalidates: Vec<String>,
    /// The expression of the parameters that requests a limit.
    pub(crate) timeout_from: Option<Expr>,
    /// The function that runs before each retry.
    pub(crate) before: Option<Path>,
    /// The function that finds failures among good answers.
    pub(crate) classify: Option<Path>,
    pub(crate) log_args: Vec<Expr>,
    pub(crate) effect: Effect,
    /// Whether keys and annotations contradict each other about the effect, which is reported.
    pub(crate) is_contradicted: bool,
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
    /// The features of the tool.
    pub(crate) features: Vec<String>,
    /// The key `critical`.
    pub(crate) critical: Option<Span>,
    /// The functions that authorize its calls: of the block, and its own.
    pub(crate) authorized: Vec<ExprPath>,
    pub(crate) enforced: Enforced,
}

/// The fallbacks on which rules depend.
const RULED: [Source; 3] = [Source::Cache, Source::Function, Source::Deferred];

/// The sets of these fallbacks.
const SETS: &[&[Source]] = &[
    &[],
    &[Source::Cache],
    &[Source::Function],
    &[Source::Deferred],
    &[Source::Cache, Source::Function],
    &[Source::Cache, Source::Deferred],
    &[Source::Function, Source::Deferred],
    &RULED,
];

/// Where the policy is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enforced {
    /// In the function, by its expansion.
    ByFunction,
    /// In the function, which is a method of a handler.
    ByMethod,
    /// In the hook, which only enforces a timeout.
    ByHook,
    /// Nowhere: a sync tool, or one that opts out.
    Nowhere,
}

/// The part of a plan that blocks and files can set as well.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) retry: Option<Retry>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) bulkhead: Option<Limit<BulkheadSettings>>,
    pub(crate) rate_limit: Option<Limit<RateLimitSettings>>,
    /// The expressions whose values have separate limits, each with the key of the settings: `bulkhead`.
    pub(crate) keys: Vec<(&'static str, Expr)>,
    /// The location of each setting.
    pub(crate) origins: Origins,
}

/// The breaker of a function.
#[derive(Debug)]
pub(crate) enum Breaker {
    Named {
        name: String,
        settings: Option<BreakerSettings>,
        /// The word that publishes its openings to the other replicas.
        distributed: Option<Span>,
    },
    Static(Path),
}

/// A limit of a function.
#[derive(Debug)]
pub(crate) struct Limit<S> {
    /// The name under which functions share the limit.
    pub(crate) name: Option<String>,
    pub(crate) settings: S,
    /// Whether each caller has a separate limit.
    pub(crate) by_caller: bool,
    /// The word that shares the limit with all replicas of the server.
    pub(crate) distributed: Option<Span>,
    pub(crate) span: Span,
}

/// Returns the plan. A tool that its function does not guard has only the keys that the hook can use.
pub(crate) fn plan(
    args: &Args,
    enforced: Enforced,
    function: &OpaqueFn,
    project: &Project,
    errors: &mut Accumulator,
) -> Plan {
    let nothing = Args::default();
    let inherited = args.inherited.as_deref().unwrap_or(&nothing);
    let tool = Tool::find(&function.attrs);
    let own_name = syn::ext::IdentExt::unraw(&function.sig.ident).to_string();
    let served_as = tool.as_ref().map(|tool| tool.name.clone().unwrap_or_else(|| own_name.clone()));
    let tool_name = served_as.clone().filter(|_| tool.as_ref().is_some_and(|tool| !tool.is_prompt));
    let name = args.name.as_ref().map(|name| name.value.clone()).or_else(|| tool_name.clone()).unwrap_or(own_name);
    let features = if args.feature.is_some() { args.features() } else { inherited.features() };
    let features = features.filter(|_| tool_name.is_some()).unwrap_or_default();
    let authorized = inherited.authorize.iter().chain(&args.authorize);
    let authorized = authorized.filter(|_| tool_name.is_some() && args.inherited.is_some()).cloned().collect();
    let layers = Layers::of(args, inherited, served_as.as_deref(), project.file.as_ref());
    let mut plan = Plan {
        krate: args.krate.clone().or_else(|| inherited.krate.clone()).unwrap_or_default(),
        name,
        guards: Guards::default(),
        fallback: Vec::new(),
        cache: None,
        cache_key: None,
        deferred: None,
        deferred_key: None,
        invalidates: args.invalidates.iter().flatten().map(|tool| tool.value.clone()).collect(),
        timeout_from: None,
        before: None,
        classify: None,
        log_args: args.log_args.clone().unwrap_or_default(),
        effect: Effect::Unknown,
        is_contradicted: false,
        is_tool: tool.is_some(),
        tool_name,
        site_fn: args.inherited.is_some().then(|| site_fn(&function.sig.ident)),
        is_named: args.name.is_some(),
        profiles: layers.profiles.iter().map(|name| (*name).to_owned()).collect(),
        features: features.iter().map(|feature| feature.value.clone()).collect(),
        critical: args.critical,
        authorized,
        enforced,
    };
    match enforced {
        Enforced::ByFunction | Enforced::ByMethod => plan.guard(args, &layers),
        Enforced::ByHook => plan.guards.set_timeout(&layers),
        Enforced::Nowhere => {}
    }
    let tool = tool.unwrap_or_default();
    (plan.effect, plan.is_contradicted) = effect::of(args, &tool, &plan.fallback, errors);
    plan
}

impl Plan {
    /// Sets what the function enforces.
    fn guard(&mut self, args: &Args, layers: &Layers<'_>) {
        self.guards = Guards::of(layers, &self.name);
        self.fallback = args.fallback.as_ref().and_then(Override::value).cloned().unwrap_or_default();
        self.cache_key = args.cache.as_ref().and_then(Override::value).and_then(|cache| cache.key.clone());
        // No block or file has these parts.
        self.timeout_from = args.timeout_from().map(|from| from.value.clone());
        self.before = args.before().map(|before| before.value.clone());
        self.classify = args.classify.as_ref().and_then(Override::value).cloned();
        let is_cached = self.falls_back_on(Source::Cache);
        self.cache = match layers.find(|args| &args.cache, |table| &table.cache) {
            Some(found) if is_cached || matches!(found, Found::Written(_)) => Some(self.guards.settings(&found).1),
            _ => is_cached.then(CacheSettings::new),
        };
        self.deferred_key = args.deferred.as_ref().and_then(Override::value).and_then(|deferred| deferred.key.clone());
        let is_deferred = self.falls_back_on(Source::Deferred);
        self.deferred = match layers.find(|args| &args.deferred, |table| &table.deferred) {
            Some(found) if is_deferred || matches!(found, Found::Written(_)) => Some(self.guards.settings(&found).1),
            _ => is_deferred.then(DeferredSettings::new),
        };
    }

    /// Returns the location of `deferred` among the fallbacks.
    pub(crate) fn defers(&self) -> Option<Span> {
        self.fallback.iter().find(|step| step.source() == Source::Deferred).map(FallbackStep::span)
    }

    /// Returns whether a call looks for a kept answer before it runs the body.
    pub(crate) fn reads_first(&self) -> bool {
        self.cache.is_some_and(|cache| cache.fresh.is_some())
    }

    /// Returns whether the function is a prompt.
    pub(crate) const fn is_prompt(&self) -> bool {
        self.is_tool && self.tool_name.is_none()
    }

    fn falls_back_on(&self, source: Source) -> bool {
        self.fallback.iter().any(|step| step.source() == source)
    }

    /// Returns the policy that the runtime will see, as far as the rules depend on it.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = self.guards.policy().effect(self.effect);
        policy.cache = self.cache;
        policy.deferred = self.deferred;
        policy.has_before = self.before.is_some();
        // The rules depend neither on the order of fallbacks nor on a value.
        let is_same = |set: &&&[Source]| RULED.iter().all(|source| set.contains(source) == self.falls_back_on(*source));
        policy.fallback = SETS.iter().find(is_same).copied().unwrap_or_default();
        policy
    }
}

impl Guards {
    /// Merges the sources: for each key, the strongest one wins.
    pub(crate) fn of(layers: &Layers<'_>, name: &str) -> Self {
        let mut guards = Self::default();
        guards.set_timeout(layers);
        let attempt_timeout = layers.find(|args| &args.attempt_timeout, |table| &table.attempt_timeout);
        guards.attempt_timeout = attempt_timeout.map(|found| guards.duration("attempt_timeout", &found));
        let retry = layers.find(|args| &args.retry, |table| &table.retry);
        guards.retry = retry.map(|found| guards.settings(&found).1);
        let breaker = layers.find(|args| &args.breaker, |table| &table.breaker);
        guards.breaker = breaker.and_then(|found| guards.breaker(&found, name, layers.file));
        let bulkhead = layers.find(|args| &args.bulkhead, |table| &table.bulkhead);
        guards.bulkhead = bulkhead.map(|found| guards.limit(&found));
        let rate_limit = layers.find(|args| &args.rate_limit, |table| &table.rate_limit);
        guards.rate_limit = rate_limit.map(|found| guards.limit(&found));
        guards
    }

    fn set_timeout(&mut self, layers: &Layers<'_>) {
        let timeout = layers.find(|args| &args.timeout, |table| &table.timeout);
        self.timeout = timeout.map(|found| match found {
            Found::Written(written) => self.duration("timeout", &Found::Written(&written.max)),
            Found::Table(duration, places) => self.duration("timeout", &Found::Table(duration, places)),
        });
    }

    fn duration(&mut self, key: &'static str, found: &Found<'_, At<Duration>, Duration>) -> Duration {
        match found {
            Found::Written(written) => {
                self.origins.put(key, written.span);
                written.value
            }
            Found::Table(duration, places) => {
                self.origins.put_file(key, places);
                **duration
            }
        }
    }

    /// Returns the settings of a source, and their name.
    fn settings<S: Settings>(&mut self, found: &Found<'_, SettingsArgs, Named>) -> (Option<String>, S) {
        match found {
            Found::Written(written) => written.lower(&mut self.origins),
            Found::Table(named, places) => {
                self.origins.put_file(S::KEY, places);
                (named.name.clone(), S::of(&named.parts))
            }
        }
    }

    fn limit<S: Settings>(&mut self, found: &Found<'_, SettingsArgs, Named>) -> Limit<S> {
        let (name, settings) = self.settings(found);
        let Found::Written(written) = found else {
            return Limit { name, settings, by_caller: false, distributed: None, span: Span::call_site() };
        };
        self.keys.extend(written.key.clone().map(|key| (S::KEY, key)));
        let SettingsArgs { by_caller, distributed, span, .. } = **written;
        Limit { name, settings, by_caller, distributed, span }
    }

    /// Returns the breaker, unless the file disables it. A breaker without a name has the name of the tool.
    fn breaker(&mut self, found: &Found<'_, BreakerArgs, String>, tool: &str, file: Option<&File>) -> Option<Breaker> {
        let (name, settings, distributed) = match found {
            Found::Written(BreakerArgs::Static(path)) => return Some(Breaker::Static(path.clone())),
            Found::Written(BreakerArgs::Set(set)) => {
                let Limit { name, settings, distributed, .. } = self.limit(&Found::Written(&**set));
                (name.unwrap_or_else(|| tool.to_owned()), (!set.is_bare()).then_some(settings), distributed)
            }
            Found::Table(name, places) => {
                self.origins.put_file("breaker", places);
                ((*name).clone(), None, None)
            }
        };
        let Some(table) = file.and_then(|file| file.breakers.get(&name)) else {
            return Some(Breaker::Named { name, settings, distributed });
        };
        self.origins.put_file("breaker", &table.places);
        // A table that disables the breaker does not set anything else.
        let is_enabled = table.enabled != Some(false);
        let settings = settings.unwrap_or_else(|| BreakerSettings::of(&table.parts));
        is_enabled.then_some(Breaker::Named { name, settings: Some(settings), distributed })
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
            let mut wanted = RateLimitUse::new(rate_limit.settings);
            wanted.name = rate_limit.name.as_ref().map(|_| "checked_apart");
            wanted.by_caller = rate_limit.by_caller;
            wanted.distributed = rate_limit.distributed.is_some();
            wanted
        });
        policy
    }
}

/// Returns the name of the function that owns the record of a tool in a block.
pub(crate) fn site_fn(tool: &Ident) -> Ident {
    format_ident!("__resilient_{}_site", syn::ext::IdentExt::unraw(tool), span = Span::call_site())
}
