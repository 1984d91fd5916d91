//! Determines the effect of a function from its keys, its annotations and its fallback.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::{Effect, Source};

use crate::resilient::parse::args::Args;
use crate::resilient::parse::tool::Tool;
use crate::resilient::parse::value::FallbackStep;

const DENIED: &str = "the tool's annotations say that it writes (`read_only_hint = false` or `destructive_hint = true`), \
                      and only a read can have an old answer or be `read_only`; remove this, or correct the \
                      annotations";
const NOT_IDEMPOTENT: &str =
    "the tool's annotations say `idempotent_hint = false`; remove `idempotent`, or correct the annotations";
const PROMPT: &str = "a prompt's last good answers are not kept, as prompts have no hook that knows whose they are; use \
                      a function or `value(expr)`";
const UNSAFE: &str = "`fallback = cached` says that the tool only reads, `retry_unsafe` that it writes; remove one";

/// Returns the effect of the function, by its own keys, its annotations and its fallback.
///
/// The second value is whether they contradict each other, which is reported.
pub(crate) fn of(args: &Args, tool: &Tool, fallback: &[FallbackStep], errors: &mut Accumulator) -> (Effect, bool) {
    let cached = fallback.iter().find(|step| step.source() == Source::Cache).map(FallbackStep::span);
    let (is_denied, is_unsafe) = (tool.denies_reading(), args.retry_unsafe.is_some());
    for (is_wrong, key, message) in [
        (is_denied, args.read_only, DENIED),
        (is_denied, cached, DENIED),
        (tool.idempotent == Some(false), args.idempotent, NOT_IDEMPOTENT),
        (tool.is_prompt, cached, PROMPT),
        (is_unsafe && !is_denied, cached, UNSAFE),
    ] {
        errors.extend(key.filter(|_| is_wrong).map(|span| Error::custom(message).with_span(&span)));
    }
    let is_contradicted = is_denied && args.read_only.is_some() || (is_denied || is_unsafe) && cached.is_some();
    let effect = if tool.says_read_only() || args.read_only.is_some() || cached.is_some() && !is_denied {
        Effect::ReadOnly
    } else if tool.idempotent == Some(true) || args.idempotent.is_some() {
        Effect::Idempotent
    } else if is_denied || is_unsafe {
        Effect::Writes
    } else {
        Effect::Unknown
    };
    (effect, is_contradicted)
}
