//! The plan of one function: keys of its own and of the block around it put together, everything
//! decided, rules checked.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{
    BreakerSettings, BreakerUse, BulkheadUse, CacheSettings, Effect, Policy, RateLimitUse, Retry, Source, check,
};
use syn::spanned::Spanned;
use syn::{Expr, Path};

use super::args::Args;
use super::function::OpaqueFn;
use super::limits::{self, Bulkhead, Keys, RateLimit};
use super::places::Places;
use super::tool::Tool;
use super::value::{At, BreakerArgs, DurationArg, FallbackStep, Setting};
use crate::krate::Krate;

/// What the expansion of one function needs to know.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) krate: Krate,
    pub(super) name: String,
    pub(super) timeout: Option<std::time::Duration>,
    pub(super) attempt_timeout: Option<std::time::Duration>,
    pub(super) retry: Option<Retry>,
    pub(super) breaker: Option<Breaker>,
    pub(super) bulkhead: Option<Bulkhead>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) keys: Keys,
    pub(super) fallback: Vec<FallbackStep>,
    pub(super) cache: Option<CacheSettings>,
    pub(super) cache_key: Option<Expr>,
    pub(super) effect: Effect,
    /// Whether rmcp serves the function, so that its request holds its arguments.
    pub(super) is_tool: bool,
    /// The name under which rmcp's tool router knows the function, if it is a tool.
    pub(super) tool_name: Option<String>,
    /// The function that owns the record, for a tool of a block.
    pub(super) site_fn: Option<syn::Ident>,
    /// Whether the user chose the name.
    pub(super) is_named: bool,
}

/// The breaker of a function.
#[derive(Debug)]
pub(super) enum Breaker {
    Named(String, Option<BreakerSettings>),
    Static(Path),
}

/// Puts the keys together and checks them. Mistakes go to `errors`.
pub(super) fn plan(args: &Args, function: &OpaqueFn, errors: &mut Accumulator) -> Plan {
    let nothing = Args::default();
    let inherited = args.inherited.as_ref().map_or(&nothing, |inherited| &*inherited.0);
    let tool = Tool::find(&function.attrs);
    let mut places = Places::default();

    let own_name = syn::ext::IdentExt::unraw(&function.sig.ident).to_string();
    let tool_name =
        tool.as_ref().filter(|tool| !tool.is_prompt).map(|tool| tool.name.clone().unwrap_or_else(|| own_name.clone()));
    let name = args.name.as_ref().map(|name| name.0.value.clone()).or_else(|| tool_name.clone()).unwrap_or(own_name);
    let timeout = duration("timeout", args.timeout.as_ref(), inherited.timeout.as_ref(), &mut places);
    let attempt_timeout =
        duration("attempt_timeout", args.attempt_timeout.as_ref(), inherited.attempt_timeout.as_ref(), &mut places);
    let retry_args = own_or(args.retry.as_ref(), inherited.retry.as_ref());
    let retry = retry_args.map(|retry| retry.lower(&mut places));
    let mut keys = Keys::default();
    let breaker = own_or(args.breaker.as_ref(), inherited.breaker.as_ref()).map(|breaker| match breaker {
        BreakerArgs::Named(At { value, span }) => {
            places.put("breaker.name", *span);
            Breaker::Named(value.clone(), None)
        }
        BreakerArgs::Static(path) => Breaker::Static(path.clone()),
        BreakerArgs::Set(set) => {
            let (named, settings) = set.lower(&mut places);
            keys.breaker = set.key().cloned();
            Breaker::Named(named.unwrap_or_else(|| name.clone()), Some(settings))
        }
    });
    let bulkhead = own_or(args.bulkhead.as_ref(), inherited.bulkhead.as_ref()).map(|bulkhead| {
        keys.bulkhead = bulkhead.key().cloned();
        let (name, settings) = bulkhead.lower(&mut places);
        Bulkhead { name, settings }
    });
    let rate_limit = own_or(args.rate_limit.as_ref(), inherited.rate_limit.as_ref()).map(|rate_limit| {
        keys.rate_limit = rate_limit.key().cloned();
        let (name, settings) = rate_limit.lower(&mut places);
        RateLimit { name, settings, by_caller: rate_limit.by_caller(), span: rate_limit.span() }
    });
    let fallback =
        args.fallback.as_ref().and_then(Setting::value).map(|fallback| fallback.0.clone()).unwrap_or_default();
    let is_cached = fallback.iter().any(|step| matches!(step, FallbackStep::Cached(_)));
    let cache_args = args.cache.as_ref().and_then(Setting::value);
    let cache = match cache_args {
        Some(cache) => Some(cache.lower(&mut places)),
        None => is_cached.then(CacheSettings::new),
    };
    let effect = effect(args, tool.as_ref(), &fallback, errors);

    let plan = Plan {
        krate: args.krate.clone().or_else(|| inherited.krate.clone()).unwrap_or_default(),
        name,
        timeout,
        attempt_timeout,
        retry,
        breaker,
        bulkhead,
        rate_limit,
        keys,
        fallback,
        cache,
        cache_key: cache_args.and_then(|cache| cache.key().cloned()),
        effect,
        is_tool: tool.is_some(),
        tool_name,
        site_fn: args.inherited.is_some().then(|| super::expand::site_fn(&function.sig.ident)),
        is_named: args.name.is_some(),
    };
    policy_rules(&plan, args, &places, function.sig.ident.span(), errors);
    gate(&plan, args, function, errors);
    plan
}

/// A key of the function's own, which may refuse the block's; else the block's.
fn own_or<'a, T>(own: Option<&'a Setting<T>>, inherited: Option<&'a Setting<T>>) -> Option<&'a T> {
    own.or(inherited).and_then(Setting::value)
}

fn duration(
    path: &'static str,
    own: Option<&Setting<DurationArg>>,
    inherited: Option<&Setting<DurationArg>>,
    places: &mut Places,
) -> Option<std::time::Duration> {
    own_or(own, inherited).map(|DurationArg(At { value, span })| {
        places.put(path, *span);
        *value
    })
}

/// The policy that the runtime will see, as far as the rules look at it.
fn policy(plan: &Plan) -> Policy {
    let mut policy = Policy::new().effect(plan.effect);
    policy.timeout = plan.timeout.unwrap_or(policy.timeout);
    policy.attempt_timeout = plan.attempt_timeout;
    policy.retry = plan.retry;
    // Their names are checked on their own.
    policy.bulkhead = plan.bulkhead.as_ref().map(|bulkhead| BulkheadUse::new(bulkhead.settings));
    policy.rate_limit = plan.rate_limit.as_ref().map(|rate_limit| RateLimitUse::new(rate_limit.settings));
    policy.cache = plan.cache;
    if plan.fallback.iter().any(|step| matches!(step, FallbackStep::Cached(_))) {
        policy.fallback = &[Source::Cache];
    }
    policy
}

/// The rules that hold for files and variables as well.
fn policy_rules(plan: &Plan, args: &Args, places: &Places, fallback_span: Span, errors: &mut Accumulator) {
    let mut policy = policy(plan);
    let mut problems = Vec::new();
    if let Some(Breaker::Named(name, settings)) = &plan.breaker {
        problems.extend(resilient_policy::check_breaker(name, None));
        // What a block says of its breaker was checked there, and more than one tool uses it.
        if let Some(Setting::Is(BreakerArgs::Set(set))) = &args.breaker {
            policy.breaker = settings.map(|settings| BreakerUse::with("checked_apart", settings));
            problems.extend(set.written().problems());
        }
    }
    problems.extend(check(&policy));
    let bulkhead = plan.bulkhead.as_ref().and_then(|bulkhead| bulkhead.name.as_deref());
    let rate_limit = plan.rate_limit.as_ref().and_then(|rate_limit| rate_limit.name.as_deref());
    problems.extend(limits::names(bulkhead, rate_limit));
    for problem in problems {
        let span = places.find(problem.path).or_else(|| key_span(args, problem.path)).unwrap_or(fallback_span);
        errors.push(Error::custom(problem.message).with_span(&span));
    }
}

/// Where a key stands whose value has no span of its own.
fn key_span(args: &Args, path: &str) -> Option<Span> {
    match path {
        "retry.max" => Some(args.retry.as_ref()?.value()?.span()),
        "cache" => Some(args.cache.as_ref()?.value()?.span()),
        _ => None,
    }
}

/// What repeating the function would do, by its own keys, its annotations and its fallback.
fn effect(args: &Args, tool: Option<&Tool>, fallback: &[FallbackStep], errors: &mut Accumulator) -> Effect {
    let denied = tool.and_then(Tool::denies_reading);
    let cached = fallback.iter().find_map(|step| match step {
        FallbackStep::Cached(span) => Some(*span),
        _ => None,
    });
    for span in [args.read_only.as_ref().map(|word| word.0), cached].into_iter().flatten() {
        if denied.is_some() {
            let message = "the tool's annotations say that it changes something; an old answer or a repetition is no \
                           substitute for that";
            errors.push(Error::custom(message).with_span(&span));
        }
    }
    if let Some(word) = &args.idempotent
        && tool.and_then(|tool| tool.idempotent).is_some_and(|hint| !hint.value)
    {
        errors.push(Error::custom("the tool's annotations say `idempotent_hint = false`").with_span(&word.0));
    }
    if let Some(span) = cached
        && tool.is_some_and(|tool| tool.is_prompt)
    {
        let message = "a prompt's last good answers are not kept, as prompts have no hook that knows whose they are; \
                       use a function or `value(expr)`";
        errors.push(Error::custom(message).with_span(&span));
    }
    if let (Some(_), Some(span)) = (&args.retry_unsafe, cached) {
        let message = "`fallback = cached` says that the tool only reads, `retry_unsafe` that it writes; remove one";
        errors.push(Error::custom(message).with_span(&span));
    }
    let says_read = tool.is_some_and(Tool::says_read_only) || args.read_only.is_some();
    if says_read || (cached.is_some() && denied.is_none()) {
        Effect::ReadOnly
    } else if tool.is_some_and(Tool::says_idempotent) || args.idempotent.is_some() {
        Effect::Idempotent
    } else if denied.is_some() || args.retry_unsafe.is_some() {
        Effect::Writes
    } else {
        Effect::Unknown
    }
}

/// A function is only repeated if that is known to be harmless, or if somebody says why it may be.
fn gate(plan: &Plan, args: &Args, function: &OpaqueFn, errors: &mut Accumulator) {
    if let Some(reason) = &args.retry_unsafe {
        let span = reason.0.span;
        if reason.0.value.trim().is_empty() {
            errors.push(Error::custom("say why it may be repeated: `retry_unsafe = \"reason\"`").with_span(&span));
        } else if plan.effect.is_repeatable() && plan.cache.is_none() {
            errors.push(Error::custom("the function can be repeated anyway; remove `retry_unsafe`").with_span(&span));
        }
        return;
    }
    if plan.retry.is_none() || plan.effect.is_repeatable() {
        return;
    }
    let span = match &args.retry {
        Some(retry) => retry.value().map_or_else(|| function.sig.ident.span(), super::value::RetryArgs::span),
        None => function.sig.ident.span(),
    };
    let name = &plan.name;
    let annotate = if plan.is_tool {
        "say what it does with `annotations(read_only_hint = true)` or `annotations(idempotent_hint = true)` in \
         `#[tool(..)]`, or "
    } else {
        ""
    };
    errors.push(
        Error::custom(format!(
            "`retry` may run `{name}` again, and nothing says that this is harmless: {annotate}add `read_only` or \
             `idempotent` to `#[resilient(..)]`, or accept it with `retry_unsafe = \"reason\"`, or refuse it with \
             `retry = none`"
        ))
        .with_span(&span),
    );
}

/// Checks the keys of a block on their own, once, instead of at each of its tools.
pub(super) fn check_block(args: &Args, errors: &mut Accumulator) {
    let mut places = Places::default();
    let mut policy = Policy::new();
    if let Some(timeout) = duration("timeout", args.timeout.as_ref(), None, &mut places) {
        policy.timeout = timeout;
    }
    policy.attempt_timeout = duration("attempt_timeout", args.attempt_timeout.as_ref(), None, &mut places);
    policy.retry = own_or(args.retry.as_ref(), None).map(|retry| retry.lower(&mut places));
    let (mut bulkhead_name, mut rate_limit_name) = (None, None);
    if let Some(bulkhead) = own_or(args.bulkhead.as_ref(), None) {
        let (name, settings) = bulkhead.lower(&mut places);
        bulkhead_name = name;
        policy.bulkhead = Some(BulkheadUse::new(settings));
    }
    if let Some(rate_limit) = own_or(args.rate_limit.as_ref(), None) {
        let (name, settings) = rate_limit.lower(&mut places);
        rate_limit_name = name;
        policy.rate_limit = Some(RateLimitUse::new(settings));
    }
    let mut problems = check(&policy);
    problems.extend(limits::names(bulkhead_name.as_deref(), rate_limit_name.as_deref()));
    match own_or(args.breaker.as_ref(), None) {
        Some(BreakerArgs::Named(At { value, span })) => {
            places.put("breaker.name", *span);
            problems.extend(resilient_policy::check_breaker(value, None));
        }
        Some(BreakerArgs::Set(set)) => {
            let (name, settings) = set.lower(&mut places);
            problems.extend(resilient_policy::check_breaker(name.as_deref().unwrap_or("breaker"), Some(&settings)));
            problems.extend(set.written().problems());
        }
        Some(BreakerArgs::Static(_)) | None => {}
    }
    for problem in problems {
        let span = places.find(problem.path).or_else(|| key_span(args, problem.path)).unwrap_or_else(Span::call_site);
        errors.push(Error::custom(problem.message).with_span(&span));
    }
}

/// The span of a fallback step, where its type errors belong.
pub(super) fn step_span(step: &FallbackStep) -> Span {
    match step {
        FallbackStep::Cached(span) => *span,
        FallbackStep::Function(path) => path.span(),
        FallbackStep::Value(expr) => expr.span(),
    }
}
