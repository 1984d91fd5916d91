//! Determines the effect of a function from its keys, its annotations and its fallback.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::Effect;

use crate::resilient::parse::args::Args;
use crate::resilient::parse::tool::Tool;
use crate::resilient::parse::value::FallbackStep;

/// Returns the effect of the function, by its own keys, its annotations and its fallback.
///
/// The second value is whether they contradict each other, which is reported.
pub(crate) fn of(
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
