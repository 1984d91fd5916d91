//! Determines the effect of a function from its keys, its annotations and its fallback.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{Effect, Source};

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
    let mut error = |span: Span, message: &str| errors.push(Error::custom(message).with_span(&span));
    let is_denied = tool.is_some_and(Tool::denies_reading);
    let cached = fallback.iter().find(|step| step.source() == Source::Cache).map(FallbackStep::span);
    let mut is_contradicted = false;
    for span in [args.read_only, cached].into_iter().flatten().filter(|_| is_denied) {
        is_contradicted = true;
        let message = "the tool's annotations say that it writes (`read_only_hint = false` or `destructive_hint = \
                       true`), and only a read can have an old answer or be `read_only`; remove this, or correct the \
                       annotations";
        error(span, message);
    }
    if let Some(span) = args.idempotent
        && tool.is_some_and(|tool| tool.idempotent == Some(false))
    {
        let message =
            "the tool's annotations say `idempotent_hint = false`; remove `idempotent`, or correct the annotations";
        error(span, message);
    }
    if let Some(span) = cached
        && tool.is_some_and(|tool| tool.is_prompt)
    {
        let message = "a prompt's last good answers are not kept, as prompts have no hook that knows whose they are; \
                       use a function or `value(expr)`";
        error(span, message);
    }
    if let Some(span) = cached.filter(|_| args.retry_unsafe.is_some() && !is_contradicted) {
        is_contradicted = true;
        error(span, "`fallback = cached` says that the tool only reads, `retry_unsafe` that it writes; remove one");
    }
    let says_read = tool.is_some_and(Tool::says_read_only) || args.read_only.is_some();
    let effect = if says_read || (cached.is_some() && !is_denied) {
        Effect::ReadOnly
    } else if tool.is_some_and(|tool| tool.idempotent == Some(true)) || args.idempotent.is_some() {
        Effect::Idempotent
    } else if is_denied || args.retry_unsafe.is_some() {
        Effect::Writes
    } else {
        Effect::Unknown
    };
    (effect, is_contradicted)
}
