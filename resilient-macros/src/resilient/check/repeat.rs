//! Checks whether retries are safe.

use darling::Error;
use darling::error::Accumulator;

use crate::resilient::parse::args::Args;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::tool::Tool;
use crate::resilient::plan::Plan;

/// Rejects retries of a function that is not known to be harmless, unless `retry_unsafe` gives a reason.
pub(crate) fn gate(plan: &Plan, args: &Args, function: &OpaqueFn, errors: &mut Accumulator) {
    if let Some(reason) = &args.retry_unsafe {
        let span = reason.span;
        if reason.value.trim().is_empty() {
            errors.push(Error::custom("say why it may be repeated: `retry_unsafe = \"reason\"`").with_span(&span));
        } else if plan.effect.is_repeatable() && plan.cache.is_none() {
            errors.push(Error::custom("the function can be repeated anyway; remove `retry_unsafe`").with_span(&span));
        }
        return;
    }
    // `retry = 0` is another mistake, reported elsewhere.
    if plan.guards.retry.is_none_or(|retry| retry.max == 0) || plan.effect.is_repeatable() {
        return;
    }
    let span = match &args.retry {
        Some(retry) => retry.value().map_or_else(|| function.sig.ident.span(), |retry| retry.span),
        None => function.sig.ident.span(),
    };
    let name = &plan.name;
    // Do not suggest what the annotations deny.
    let tool = Tool::find(&function.attrs);
    let is_read = tool.as_ref().is_none_or(|tool| !tool.denies_reading());
    let is_idempotent = tool.as_ref().is_none_or(|tool| tool.idempotent != Some(false));
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
