//! Applies the rules that attributes share with files and variables to a function or a block, and checks what names
//! refer to in this crate.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{
    BreakerSettings, BreakerUse, Policy, Problem, Settings, check, check_breaker, check_breaker_for,
    check_breaker_parts, check_name, check_slow_in_time, check_values,
};

use crate::project::{NAME, Project};
use crate::resilient::parse::args::Args;
use crate::resilient::parse::value::{At, BreakerArgs, Setting, SettingsArgs};
use crate::resilient::plan::layers::Layers;
use crate::resilient::plan::{Breaker, Guards, Plan};

/// Checks all rules for the plan of one function.
pub(crate) fn of_function(plan: &Plan, args: &Args, project: &Project, function: Span, errors: &mut Accumulator) {
    // The block has reported the mistakes in these keys.
    if args.reported.is_some() {
        return;
    }
    let guards = &plan.guards;
    let mut policy = plan.policy();
    let mut problems = names(guards);
    problems.extend(args.name.as_ref().and_then(|name| Some(Problem::new("name", check_name(&name.value).err()?))));
    let mut of_breaker = Vec::new();
    match (&guards.breaker, &args.breaker) {
        (Some(Breaker::Named(_, Some(settings))), Some(Setting::Is(BreakerArgs::Set(set)))) if !set.is_bare() => {
            policy.breaker = Some(BreakerUse::with("checked_apart", *settings));
            problems.extend(check_breaker_parts(&set.parts));
        }
        // Settings that a block or a file gives were checked there, and other functions use them too.
        (Some(Breaker::Named(_, Some(settings))), _) => of_breaker = check_breaker_for(&policy, settings),
        _ => {}
    }
    let (values, is_incomplete) = (check_values(&policy), is_incomplete(args, project));
    let are_right = values.is_empty() && !is_incomplete;
    problems.extend(if is_incomplete { values } else { check(&policy) });
    if are_right {
        problems.extend(of_breaker);
    }
    let otherwise = args.profile.as_ref().and_then(Setting::value).map_or(function, |profile| profile.span);
    for problem in &problems {
        let span = key_span(args, problem.path).unwrap_or(otherwise);
        // A problem with an inherited value is reported at the function's own key that conflicts with it.
        let clash = clash(args, problem.path);
        errors.push(guards.origins.error(problem, clash, span));
    }
    bounds_without_keys(args, errors);
    known(args, project, &plan.name, errors);
}

/// Returns whether a key is missing from the plan because it could not be read. Rules between keys would then report
/// wrong mistakes.
fn is_incomplete(args: &Args, project: &Project) -> bool {
    args.is_incomplete || args.inherited.as_ref().is_some_and(|inherited| inherited.is_incomplete) || project.is_wrong()
}

/// Checks the keys that a block passes to its tools, so that mistakes are reported once.
///
/// `uses_default`: a tool without a timeout exists, so the block's missing keys take their defaults. `is_alone`: no
/// tool has a timeout.
pub(crate) fn of_block(args: &Args, project: &Project, uses_default: bool, is_alone: bool, errors: &mut Accumulator) {
    let file = project.file.as_ref();
    let nothing = Args::default();
    let guards = Guards::of(&Layers::of(args, &nothing, None, file), "breaker", file);
    let mut policy = guards.policy();
    if guards.timeout.is_none() && !uses_default {
        policy.timeout = Policy::LONGEST_TIMEOUT;
    }
    let mut problems = names(&guards);
    if let Some(Setting::Is(BreakerArgs::Set(set))) = &args.breaker
        && !set.is_bare()
    {
        if let Some(Breaker::Named(name, settings)) = &guards.breaker {
            let found = check_breaker(name, settings.as_ref());
            problems.extend(found.into_iter().filter(|problem| problem.path != "breaker.name"));
            let is_right = is_alone && !is_incomplete(args, project) && check_values(&policy).is_empty();
            problems.extend(settings.filter(|_| is_right).and_then(|settings| check_slow_in_time(&policy, &settings)));
        }
        problems.extend(check_breaker_parts(&set.parts));
    }
    problems.extend(if is_incomplete(args, project) { check_values(&policy) } else { check(&policy) });
    for problem in &problems {
        let span = key_span(args, problem.path).unwrap_or_else(Span::call_site);
        errors.push(guards.origins.error(problem, None, span));
    }
    bounds_without_keys(args, errors);
    known(args, project, "", errors);
}

/// Reports `max_keys` without a `key`.
fn bounds_without_keys(args: &Args, errors: &mut Accumulator) {
    let breaker = match args.breaker.as_ref().and_then(Setting::value) {
        Some(BreakerArgs::Set(set)) => set.bound_without_key(),
        _ => None,
    };
    let bulkhead = args.bulkhead.as_ref().and_then(Setting::value).and_then(SettingsArgs::bound_without_key);
    let rate_limit = args.rate_limit.as_ref().and_then(Setting::value).and_then(SettingsArgs::bound_without_key);
    for span in [breaker, bulkhead, rate_limit].into_iter().flatten() {
        let message = "there is no `key` whose values could be told apart; add `key = ..`, or remove `max_keys`";
        errors.push(Error::custom(message).with_span(&span));
    }
}

/// Checks the names, which become labels and parts of variables.
fn names(guards: &Guards) -> Vec<Problem> {
    let breaker = match &guards.breaker {
        Some(Breaker::Named(name, _)) => Some(name.as_str()),
        _ => None,
    };
    let bulkhead = guards.bulkhead.as_ref().and_then(|bulkhead| bulkhead.name.as_deref());
    let rate_limit = guards.rate_limit.as_ref().and_then(|rate_limit| rate_limit.name.as_deref());
    let names = [("bulkhead.name", bulkhead), ("rate_limit.name", rate_limit)];
    let of_limits = names.into_iter().filter_map(|(path, name)| Some(Problem::new(path, check_name(name?).err()?)));
    breaker.map(|name| check_breaker(name, None)).into_iter().flatten().chain(of_limits).collect()
}

/// Returns one of the function's own keys, if the problem is with an inherited one.
fn clash(args: &Args, path: &str) -> Option<Span> {
    let has = |key: &str| match key {
        "timeout" => args.timeout.is_some(),
        "attempt_timeout" => args.attempt_timeout.is_some(),
        "retry" => args.retry.is_some(),
        "bulkhead" => args.bulkhead.is_some(),
        "breaker" => args.breaker.is_some(),
        // The other keys are not inherited, or are checked alone.
        _ => true,
    };
    if has(path.split('.').next().unwrap_or(path)) {
        return None;
    }
    let durations = [args.timeout.as_ref(), args.attempt_timeout.as_ref()].into_iter().flatten();
    let mut durations = durations.filter_map(Setting::value).map(|duration| duration.span);
    durations.next().or_else(|| Some(args.retry.as_ref()?.value()?.span))
}

/// Returns the location of a key whose value has no span.
fn key_span(args: &Args, path: &str) -> Option<Span> {
    match path {
        "retry.max" => Some(args.retry.as_ref()?.value()?.span),
        "cache" => Some(args.cache.as_ref()?.value()?.span),
        "name" => Some(args.name.as_ref()?.span),
        _ => None,
    }
}

/// Checks the names that refer to the file: a profile has to be there, and a breaker if the file has any. A breaker
/// with settings in the file must not have other settings here.
fn known(args: &Args, project: &Project, tool: &str, errors: &mut Accumulator) {
    let profile = args.profile.as_ref().and_then(Setting::value);
    if let Some(At { span, .. }) = profile
        && !project.exists()
    {
        let message = format!("there is no `{NAME}` beside the `Cargo.toml`, in which a profile could stand");
        errors.push(Error::custom(message).with_span(span));
    }
    // If the file is invalid, its names are unknown, and its mistakes are reported elsewhere.
    let Some(file) = &project.file else { return };
    let here = format!(" in `{NAME}`");
    if let Some(At { value, span }) = profile
        && let Err(why) = file.knows_profile(value, &here)
    {
        errors.push(Error::custom(why).with_span(span));
    }
    match args.breaker.as_ref().and_then(Setting::value) {
        // Only a name, and perhaps a key.
        Some(BreakerArgs::Set(set)) if set.is_bare() => {
            let (name, span) = (set.name_or(tool), set.name_span());
            if let Err(why) = file.knows_breaker(&name, &here) {
                errors.push(Error::custom(why).with_span(&span));
            }
        }
        Some(BreakerArgs::Set(set)) => {
            let (name, span, settings) = (set.name_or(tool), set.name_span(), BreakerSettings::of(&set.parts));
            // A table that only disables the breaker has no settings to compare.
            if let Some(table) = file.breakers.get(&name)
                && !table.parts.is_empty()
                && BreakerSettings::of(&table.parts) != settings
            {
                let (place, differences) = (&table.place, settings.differences(&BreakerSettings::of(&table.parts)));
                let message = format!(
                    "the breaker `{name}` has other settings in {place}: {differences}; write them in one place, and \
                     `breaker = \"{name}\"` here"
                );
                errors.push(Error::custom(message).with_span(&span));
            }
        }
        Some(BreakerArgs::Static(_)) | None => {}
    }
}

/// Reports different settings of one breaker within a block. The first ones apply, and each other one is a mistake.
pub(crate) fn of_breakers<'a>(all: impl Iterator<Item = (&'a str, &'a BreakerArgs)>, errors: &mut Accumulator) {
    let mut first: Vec<(String, BreakerSettings)> = Vec::new();
    for (tool, breaker) in all {
        let BreakerArgs::Set(set) = breaker else { continue };
        if set.is_bare() {
            continue;
        }
        let (name, span, settings) = (set.name_or(tool), set.name_span(), BreakerSettings::of(&set.parts));
        match first.iter().find(|(known, _)| *known == name) {
            Some((_, there)) if *there != settings => {
                let differences = settings.differences(there);
                let message = format!(
                    "the breaker `{name}` has other settings above: {differences}; write them in one place, and \
                     `breaker = \"{name}\"` in the others"
                );
                errors.push(Error::custom(message).with_span(&span));
            }
            Some(_) => {}
            None => first.push((name, settings)),
        }
    }
}
