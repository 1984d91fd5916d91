//! Checks whether retries are safe.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::{Declarable, Override, harmful_retry};

use crate::resilient::parse::args::Args;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::tool::Tool;
use crate::resilient::plan::{Enforced, Plan};

/// Rejects retries of a function that is not known to be harmless, unless `retry_unsafe` gives a reason.
pub(crate) fn check(plan: &Plan, args: &Args, function: &OpaqueFn, errors: &mut Accumulator) {
    let is_repeatable = plan.effect.is_repeatable();
    if let Some(reason) = &args.retry_unsafe {
        let span = reason.span;
        if reason.value.trim().is_empty() {
            errors.push(Error::custom("say why it may be repeated: `retry_unsafe = \"reason\"`").with_span(&span));
        } else if is_repeatable && plan.cache.is_none() {
            errors.push(Error::custom("the function can be repeated anyway; remove `retry_unsafe`").with_span(&span));
        }
        return;
    }
    // `retry = 0` is another mistake, reported elsewhere.
    if is_repeatable || plan.guards.retry.is_none_or(|retry| retry.max == 0) {
        return;
    }
    let tool = Tool::find(&function.attrs);
    let declarable = Declarable {
        // A method of a handler cannot have `read_only`.
        read_only: plan.enforced != Enforced::ByMethod && tool.as_ref().is_none_or(|tool| !tool.denies_reading()),
        idempotent: tool.is_none_or(|tool| tool.idempotent != Some(false)),
        by_annotations: plan.is_tool,
    };
    let own = args.retry.as_ref().and_then(Override::value).map(|retry| retry.span);
    let span = own.unwrap_or_else(|| function.sig.ident.span());
    errors.push(Error::custom(harmful_retry(&plan.name, declarable)).with_span(&span));
}
