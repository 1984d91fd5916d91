//! The rules that hold for files and variables as well, asked of a function or of a block, and
//! those about what a name means in this crate.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{BreakerSettings, BreakerUse, Problem, check, check_breaker, check_breaker_for, check_name};

use super::args::Args;
use super::layers::Layers;
use super::model::{Breaker, Guards, Plan};
use super::value::{At, BreakerArgs, Setting, Text};
use crate::project::{NAME, Project};

/// Every rule about the plan of one function.
pub(super) fn of_function(plan: &Plan, args: &Args, project: &Project, function: Span, errors: &mut Accumulator) {
    let guards = &plan.guards;
    let mut policy = plan.policy();
    let mut problems = names(guards);
    let own = match &args.breaker {
        Some(Setting::Is(BreakerArgs::Set(set))) => Some(set),
        _ => None,
    };
    match (&guards.breaker, own) {
        (Some(Breaker::Named(_, Some(settings))), Some(set)) => {
            policy.breaker = Some(BreakerUse::with("checked_apart", *settings));
            problems.extend(set.written().problems());
        }
        // What a block or a file says of it was checked there, and more than this function uses it.
        (Some(Breaker::Named(_, Some(settings))), None) => problems.extend(check_breaker_for(&policy, settings)),
        _ => {}
    }
    problems.extend(check(&policy));
    let otherwise = args.profile.as_ref().and_then(Setting::value).map_or(function, |profile| profile.0.span);
    tell(&problems, guards, args, otherwise, errors);
    known(args, project, &plan.name, errors);
}

/// Every rule about what a block gives to its tools, told once instead of at each of them.
///
/// `uses_default`: whether there is a tool that has none of these limits of time of its own, so
/// that what the block does not say is decided too.
pub(super) fn of_block(args: &Args, project: &Project, uses_default: bool, errors: &mut Accumulator) {
    let file = project.file.as_ref();
    let guards = Guards::of(&Layers::of_block(args, file), "breaker", file);
    let mut policy = guards.policy();
    if guards.timeout.is_none() && !uses_default {
        policy.timeout = std::time::Duration::from_secs(24 * 60 * 60);
    }
    let mut problems = names(&guards);
    if let Some(Setting::Is(BreakerArgs::Set(set))) = &args.breaker {
        if let Some(Breaker::Named(name, settings)) = &guards.breaker {
            problems.extend(
                check_breaker(name, settings.as_ref()).into_iter().filter(|problem| problem.path != "breaker.name"),
            );
        }
        problems.extend(set.written().problems());
    }
    problems.extend(check(&policy));
    tell(&problems, &guards, args, Span::call_site(), errors);
    known(args, project, "", errors);
}

/// What is wrong with names, all of which become labels and parts of variables.
fn names(guards: &Guards) -> Vec<Problem> {
    let breaker = match &guards.breaker {
        Some(Breaker::Named(name, _)) => Some(name.as_str()),
        _ => None,
    };
    let bulkhead = guards.bulkhead.as_ref().and_then(|bulkhead| bulkhead.name.as_deref());
    let rate_limit = guards.rate_limit.as_ref().and_then(|rate_limit| rate_limit.name.as_deref());
    let names = [("breaker.name", breaker), ("bulkhead.name", bulkhead), ("rate_limit.name", rate_limit)];
    names.into_iter().filter_map(|(path, name)| Some(Problem::new(path, check_name(name?).err()?))).collect()
}

fn tell(problems: &[Problem], guards: &Guards, args: &Args, otherwise: Span, errors: &mut Accumulator) {
    for problem in problems {
        let span = key_span(args, problem.path).unwrap_or(otherwise);
        errors.push(guards.places.error(problem, span));
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

/// Names that have to stand in the file: a profile always, a breaker where the file has any. One
/// that has settings there has the same everywhere.
fn known(args: &Args, project: &Project, tool: &str, errors: &mut Accumulator) {
    let profile = args.profile.as_ref().and_then(Setting::value);
    if let Some(Text(At { span, .. })) = profile
        && !project.exists()
    {
        let message = format!("there is no `{NAME}` beside the `Cargo.toml`, in which a profile could stand");
        errors.push(Error::custom(message).with_span(span));
    }
    // Nothing is known of a file that is wrong, which is told elsewhere.
    let Some(file) = &project.file else { return };
    if let Some(Text(At { value, span })) = profile
        && let Err(why) = file.knows_profile(value)
    {
        errors.push(Error::custom(format!("{why} in `{NAME}`")).with_span(span));
    }
    match args.breaker.as_ref().and_then(Setting::value) {
        Some(BreakerArgs::Named(At { value, span })) => {
            if let Err(why) = file.knows_breaker(value) {
                errors.push(Error::custom(format!("{why} in `{NAME}`")).with_span(span));
            }
        }
        Some(BreakerArgs::Set(set)) => {
            let (name, span, settings) = set.named(tool);
            if let Some(table) = file.breakers.get(&name)
                && table.part.whole() != settings
            {
                let (place, differences) = (&table.place, settings.differences(&table.part.whole()));
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

/// Settings of one breaker that stand in one block and differ: the first ones hold, the others are
/// told.
pub(super) fn of_breakers<'a>(all: impl Iterator<Item = (String, &'a BreakerArgs)>, errors: &mut Accumulator) {
    let mut first: Vec<(String, BreakerSettings)> = Vec::new();
    for (tool, breaker) in all {
        let BreakerArgs::Set(set) = breaker else { continue };
        let (name, span, settings) = set.named(&tool);
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
