//! Safety: what repeating a function does to the world, and that nothing is repeated, and no old
//! answer served, of which nobody says that this is harmless.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::Effect;

use super::args::Args;
use super::function::OpaqueFn;
use super::model::Plan;
use super::tool::Tool;
use super::value::{self, FallbackStep};

/// What repeating the function would do, by its own keys, its annotations and its fallback.
///
/// And whether they contradict each other, which is told.
pub(super) fn effect(
    args: &Args,
    tool: Option<&Tool>,
    fallback: &[FallbackStep],
    errors: &mut Accumulator,
) -> (Effect, bool) {
    let mut contradicted = false;
    let denied = tool.and_then(Tool::denies_reading);
    let cached = fallback.iter().find_map(|step| match step {
        FallbackStep::Cached(span) => Some(*span),
        _ => None,
    });
    for span in [args.read_only.as_ref().map(|word| word.0), cached].into_iter().flatten() {
        if denied.is_some() {
            contradicted = true;
            let message = "the tool's annotations say that it writes (`read_only_hint = false` or `destructive_hint = \
                           true`), and only a read can have an old answer or be `read_only`; remove this, or correct \
                           the annotations";
            errors.push(Error::custom(message).with_span(&span));
        }
    }
    if let Some(word) = &args.idempotent
        && tool.and_then(|tool| tool.idempotent).is_some_and(|hint| !hint.value)
    {
        errors.push(
            Error::custom(
                "the tool's annotations say `idempotent_hint = false`; remove `idempotent`, or correct the annotations",
            )
            .with_span(&word.0),
        );
    }
    if let Some(span) = cached
        && tool.is_some_and(|tool| tool.is_prompt)
    {
        let message = "a prompt's last good answers are not kept, as prompts have no hook that knows whose they are; \
                       use a function or `value(expr)`";
        errors.push(Error::custom(message).with_span(&span));
    }
    if let (Some(_), Some(span), false) = (&args.retry_unsafe, cached, contradicted) {
        contradicted = true;
        let message = "`fallback = cached` says that the tool only reads, `retry_unsafe` that it writes; remove one";
        errors.push(Error::custom(message).with_span(&span));
    }
    let says_read = tool.is_some_and(Tool::says_read_only) || args.read_only.is_some();
    let effect = if says_read || (cached.is_some() && denied.is_none()) {
        Effect::ReadOnly
    } else if tool.is_some_and(Tool::says_idempotent) || args.idempotent.is_some() {
        Effect::Idempotent
    } else if denied.is_some() || args.retry_unsafe.is_some() {
        Effect::Writes
    } else {
        Effect::Unknown
    };
    (effect, contradicted)
}

/// A function is only repeated if that is known to be harmless, or if somebody says why it may be.
pub(super) fn gate(plan: &Plan, args: &Args, function: &OpaqueFn, errors: &mut Accumulator) {
    if let Some(reason) = &args.retry_unsafe {
        let span = reason.0.span;
        if reason.0.value.trim().is_empty() {
            errors.push(Error::custom("say why it may be repeated: `retry_unsafe = \"reason\"`").with_span(&span));
        } else if plan.effect.is_repeatable() && plan.cache.is_none() {
            errors.push(Error::custom("the function can be repeated anyway; remove `retry_unsafe`").with_span(&span));
        }
        return;
    }
    // No retries are none, which is another mistake.
    if plan.guards.retry.is_none_or(|retry| retry.max == 0) || plan.effect.is_repeatable() {
        return;
    }
    let span = match &args.retry {
        Some(retry) => retry.value().map_or_else(|| function.sig.ident.span(), value::RetryArgs::span),
        None => function.sig.ident.span(),
    };
    let name = &plan.name;
    // What the annotations deny is no way out.
    let tool = Tool::find(&function.attrs);
    let is_read = tool.as_ref().is_none_or(|tool| tool.denies_reading().is_none());
    let is_idempotent = tool.as_ref().is_none_or(|tool| tool.idempotent.is_none_or(|hint| hint.value));
    let ways = |read: &'static str, idempotent: &'static str| {
        let ways = [(is_read, read), (is_idempotent, idempotent)];
        let ways: Vec<_> = ways.into_iter().filter_map(|(is_open, way)| is_open.then_some(way)).collect();
        ways.join(" or ")
    };
    let mut cures = Vec::new();
    if is_read || is_idempotent {
        if plan.is_tool {
            let ways = ways("`annotations(read_only_hint = true)`", "`annotations(idempotent_hint = true)`");
            cures.push(format!("say what it does with {ways} in `#[tool(..)]`"));
        }
        cures.push(format!("add {} to `#[resilient(..)]`", ways("`read_only`", "`idempotent`")));
    }
    cures.push("accept it with `retry_unsafe = \"reason\"`".into());
    cures.push("refuse it with `retry = none`".into());
    let harm = if is_read || is_idempotent {
        "nothing says that this is harmless"
    } else {
        "its annotations say that it writes and is not idempotent"
    };
    let cures = cures.join(", or ");
    let message = format!("`retry` may run `{name}` again, and {harm}: {cures}");
    errors.push(Error::custom(message).with_span(&span));
}
