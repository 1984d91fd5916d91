//! Applies the rules that attributes share with files and variables to a function or a block, and checks what names
//! refer to in this crate.

use std::collections::BTreeMap;

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{
    Beside, BreakerSettings, BreakerUse, Override, Policy, Problem, Settings, Source, check, check_breaker_for,
    check_breaker_parts, check_cache_parts, check_deferred_parts, check_name, check_names, check_same_breaker,
    check_slow_in_time, check_values,
};

use crate::project::{NAME, Project};
use crate::resilient::parse::args::Args;
use crate::resilient::parse::value::{At, SettingsArgs};
use crate::resilient::plan::layers::Layers;
use crate::resilient::plan::{Breaker, Guards, Plan};

/// Checks all rules for the plan of one function.
pub(crate) fn of_function(plan: &Plan, args: &Args, project: &Project, function: Span, errors: &mut Accumulator) {
    // The block has reported the mistakes in these keys.
    if args.reported.is_some() {
        return;
    }
    let (guards, is_incomplete) = (&plan.guards, is_incomplete(args, project));
    let mut policy = plan.policy();
    let mut problems = check_names(&names(guards));
    let mut of_attempts = Vec::new();
    if let Some(Breaker::Named { settings: Some(settings), .. }) = &guards.breaker {
        if let Some(set) = breaker_with_settings(args) {
            policy.breaker = Some(BreakerUse::with("checked_apart", *settings));
            problems.extend(check_breaker_parts(&set.parts));
        } else {
            // Settings from a block or a file were checked there, and other functions use them too.
            of_attempts = check_breaker_for(&policy, settings);
        }
    }
    if let Some(cache) = args.cache.as_ref().and_then(Override::value).filter(|_| !is_incomplete) {
        problems.extend(check_cache_parts(&cache.parts, policy.fallback.contains(&Source::Cache)));
    }
    if let Some(deferred) = args.deferred.as_ref().and_then(Override::value).filter(|_| plan.defers().is_some()) {
        problems.extend(check_deferred_parts(&deferred.parts));
    }
    problems.extend(rules(&policy, is_incomplete));
    if !is_incomplete && check_values(&policy).is_empty() {
        problems.extend(of_attempts);
    }
    if let Some(At { value, span }) = &args.name {
        report(check_name(value), *span, errors);
    }
    let otherwise = args.profile.as_ref().and_then(Override::value).map_or(function, |profile| profile.span);
    for problem in &problems {
        errors.push(guards.origins.error(problem, clash(args, problem.path), otherwise));
    }
    bounds_without_keys(args, errors);
    distributed_keys(args, errors);
    known(args, project, &plan.name, errors);
}

/// Checks the keys that a block passes to its tools, so that mistakes are reported once.
///
/// `uses_default`: a tool without a timeout exists, so the block's missing keys take their defaults. `is_alone`: no
/// tool has a timeout.
pub(crate) fn of_block(args: &Args, project: &Project, uses_default: bool, is_alone: bool, errors: &mut Accumulator) {
    let (nothing, is_incomplete) = (Args::default(), is_incomplete(args, project));
    let guards = Guards::of(&Layers::of(args, &nothing, None, project.file.as_ref()), "breaker");
    let mut policy = guards.policy();
    if guards.timeout.is_none() && !uses_default {
        policy.timeout = Policy::LONGEST_TIMEOUT;
    }
    let mut problems = check_names(&names(&guards));
    if let Some(set) = breaker_with_settings(args) {
        if let Some(Breaker::Named { settings: Some(settings), .. }) = &guards.breaker {
            settings.problems(&mut problems);
            if is_alone && !is_incomplete && check_values(&policy).is_empty() {
                problems.extend(check_slow_in_time(&policy, settings));
            }
        }
        problems.extend(check_breaker_parts(&set.parts));
    }
    problems.extend(rules(&policy, is_incomplete));
    errors.extend(problems.iter().map(|problem| guards.origins.error(problem, None, Span::call_site())));
    bounds_without_keys(args, errors);
    known(args, project, "", errors);
}

/// Returns whether a key is missing from the plan because it could not be read.
fn is_incomplete(args: &Args, project: &Project) -> bool {
    args.is_incomplete || args.inherited.as_ref().is_some_and(|inherited| inherited.is_incomplete) || project.is_wrong()
}

/// Checks a policy. If it is incomplete, rules between its keys would report wrong mistakes.
fn rules(policy: &Policy, is_incomplete: bool) -> Vec<Problem> {
    if is_incomplete { check_values(policy) } else { check(policy) }
}

/// Returns the names in a policy, which become labels and parts of variables.
pub(crate) fn names(guards: &Guards) -> Beside<'_> {
    Beside {
        breaker: match &guards.breaker {
            Some(Breaker::Named { name, .. }) => Some(name),
            Some(Breaker::Static(_)) | None => None,
        },
        bulkhead: guards.bulkhead.as_ref().and_then(|bulkhead| bulkhead.name.as_deref()),
        rate_limit: guards.rate_limit.as_ref().and_then(|rate_limit| rate_limit.name.as_deref()),
        ..Beside::default()
    }
}

/// Returns the function's own key with which an inherited value conflicts, if the problem is with such a value.
fn clash(args: &Args, path: &str) -> Option<Span> {
    let is_own = match path.split('.').next()? {
        "timeout" => args.timeout.is_some(),
        "attempt_timeout" => args.attempt_timeout.is_some(),
        "retry" => args.retry.is_some(),
        "bulkhead" => args.bulkhead.is_some(),
        "breaker" => args.breaker.is_some(),
        // The other keys are not inherited, or are checked alone.
        _ => true,
    };
    let timeout = args.timeout.as_ref().and_then(Override::value).map(|timeout| timeout.max.span);
    let attempt_timeout = args.attempt_timeout.as_ref().and_then(Override::value).map(|timeout| timeout.span);
    let retry = args.retry.as_ref().and_then(Override::value).map(|retry| retry.span);
    timeout.or(attempt_timeout).or(retry).filter(|_| !is_own)
}

/// Reports `max_keys` without a `key`.
fn bounds_without_keys(args: &Args, errors: &mut Accumulator) {
    for span in args.limits().filter_map(SettingsArgs::bound_without_key) {
        let message = "there is no `key` whose values could be told apart; add `key = ..`, or remove `max_keys`";
        errors.push(Error::custom(message).with_span(&span));
    }
}

/// Reports a breaker whose keys have separate breakers, and that replicas are to share. A block cannot have a `key`.
fn distributed_keys(args: &Args, errors: &mut Accumulator) {
    let Some(set) = args.breaker_set().filter(|set| set.key.is_some()) else { return };
    if let Some(distributed) = set.distributed {
        let message = "the breakers of a `key` are local, so replicas cannot share them; remove `key` or `distributed`";
        errors.push(Error::custom(message).with_span(&distributed));
    }
}

/// Returns the breaker of an attribute, if there are settings beside its name.
fn breaker_with_settings(args: &Args) -> Option<&SettingsArgs> {
    args.breaker_set().filter(|set| !set.is_bare())
}

/// Checks the names that refer to the file: a profile has to be there, and a breaker or a feature if the file has any. A
/// breaker with settings in the file must not have other settings here.
fn known(args: &Args, project: &Project, tool: &str, errors: &mut Accumulator) {
    let here = format!(" in `{NAME}`");
    if let Some(At { value, span }) = args.profile.as_ref().and_then(Override::value) {
        let known = match &project.file {
            Some(file) => file.knows_profile(value, &here),
            None if project.exists() => Ok(()),
            None => Err(format!("there is no `{NAME}` beside the `Cargo.toml`, in which a profile could stand")),
        };
        report(known, *span, errors);
    }
    // If the file is invalid, its names are unknown, and its mistakes are reported elsewhere.
    let Some(file) = &project.file else { return };
    for At { value, span } in args.features().unwrap_or_default() {
        report(file.knows_feature(value, &here), *span, errors);
    }
    let Some(set) = args.breaker_set() else { return };
    let name = set.name_or(tool);
    let known = match file.breakers.get(&name) {
        _ if set.is_bare() => file.knows_breaker(&name, &here),
        Some(table) if !table.parts.is_empty() => {
            let (there, theirs) = (format!("in {}", table.place), BreakerSettings::of(&table.parts));
            check_same_breaker(&name, (&there, &theirs), ("here", &BreakerSettings::of(&set.parts)))
        }
        // A table that only disables the breaker has no settings to compare.
        _ => Ok(()),
    };
    report(known, set.name_span(), errors);
}

/// Checks that each breaker has the same settings everywhere in a block. The first ones apply.
pub(crate) fn of_breakers<'a>(all: impl Iterator<Item = (&'a str, &'a Args)>, errors: &mut Accumulator) {
    let mut first = BTreeMap::new();
    for (tool, args) in all {
        let Some(set) = breaker_with_settings(args) else { continue };
        let (name, settings) = (set.name_or(tool), BreakerSettings::of(&set.parts));
        let first = first.entry(name.clone()).or_insert(settings);
        report(check_same_breaker(&name, ("above", first), ("in the others", &settings)), set.name_span(), errors);
    }
}

fn report(checked: Result<(), String>, span: Span, errors: &mut Accumulator) {
    errors.handle(checked.map_err(|why| Error::custom(why).with_span(&span)));
}
