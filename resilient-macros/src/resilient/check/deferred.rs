//! Checks whether the calls of a function may be deferred.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::Effect;

use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::tool::Tool;
use crate::resilient::plan::Plan;

/// Rejects `fallback = deferred` on a function that is no write of a tool, or whose deliveries could not be recognized.
pub(super) fn check(plan: &Plan, function: &OpaqueFn, errors: &mut Accumulator) {
    let Some(deferred) = plan.defers() else { return };
    let message = if plan.is_prompt() {
        "`deferred` stores a write and delivers it later, and a prompt has no effect that could wait; remove it".into()
    } else if !plan.is_tool {
        "`deferred` delivers a write through the router of its server, and this is no tool; remove it, or write it \
         above the `#[tool]` that calls this function"
            .into()
    } else if plan.effect == Effect::ReadOnly {
        "`deferred` is for writes, and this tool only reads: later there is no caller for its answer; remove it".into()
    } else if plan.effect != Effect::Idempotent && plan.deferred_key.is_none() {
        unrecognized(plan, function)
    } else {
        return;
    };
    errors.push(Error::custom::<String>(message).with_span(&deferred));
}

/// Returns the message about a write without a key that is not idempotent, with both ways to correct it.
fn unrecognized(plan: &Plan, function: &OpaqueFn) -> String {
    let tool = Tool::find(&function.attrs).unwrap_or_default();
    let declares = "say `annotations(idempotent_hint = true)` in `#[tool(..)]`, or add `idempotent`";
    let declares = (tool.idempotent != Some(false)).then(|| format!("{declares} to `#[resilient(..)]`, or "));
    format!(
        "`deferred` delivers at least once, and nothing says that a second run of `{}` is harmless: {}name what \
         identifies a call in its arguments with `deferred(key = ..)`",
        plan.name,
        declares.unwrap_or_default()
    )
}
