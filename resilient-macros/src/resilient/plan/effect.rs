//! Determines the effect of a function from its keys, its annotations, its fallback and its cache.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::{Effect, Override, Source};

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
const PROMPT_FRESH: &str =
    "the answers of a prompt are not cached, because prompts have no hook that knows their caller; remove `cache`";
const INVALIDATES: &str =
    "only a tool that writes makes cached answers outdated, and this one only reads; remove `invalidates`";

/// Returns the effect of the function, by its own keys, its annotations, its fallback and its cache.
///
/// The second value is whether they contradict each other, which is reported.
pub(crate) fn of(args: &Args, tool: &Tool, fallback: &[FallbackStep], errors: &mut Accumulator) -> (Effect, bool) {
    let cached = fallback.iter().find(|step| step.source() == Source::Cache).map(FallbackStep::span);
    let fresh = args.cache.as_ref().and_then(Override::value).and_then(|cache| cache.location_of("fresh"));
    // Both declare that the function reads. If it does not, one message is sufficient.
    let reads = cached.or(fresh);
    let (is_denied, is_unsafe) = (tool.denies_reading(), args.retry_unsafe.is_some());
    let declares = if cached.is_some() { "`fallback = cached`" } else { "`cache(fresh ..)`" };
    let contradicts = format!("{declares} says that the tool only reads, `retry_unsafe` that it writes; remove one");
    for (is_wrong, key, message) in [
        (is_denied, args.read_only, DENIED),
        (is_denied, reads, DENIED),
        (tool.idempotent == Some(false), args.idempotent, NOT_IDEMPOTENT),
        (tool.is_prompt, cached, PROMPT),
        (tool.is_prompt, fresh, PROMPT_FRESH),
        (is_unsafe && !is_denied, reads, &contradicts),
    ] {
        errors.extend(key.filter(|_| is_wrong).map(|span| Error::custom(message).with_span(&span)));
    }
    let is_contradicted = is_denied && args.read_only.is_some() || (is_denied || is_unsafe) && reads.is_some();
    let effect = if tool.says_read_only() || args.read_only.is_some() || reads.is_some() && !is_denied {
        Effect::ReadOnly
    } else if tool.idempotent == Some(true) || args.idempotent.is_some() {
        Effect::Idempotent
    } else if is_denied || is_unsafe {
        Effect::Writes
    } else {
        Effect::Unknown
    };
    let invalidates =
        args.invalidates.iter().flatten().next().filter(|_| effect == Effect::ReadOnly && !is_contradicted);
    errors.extend(invalidates.map(|tool| Error::custom(INVALIDATES).with_span(&tool.span)));
    (effect, is_contradicted)
}
