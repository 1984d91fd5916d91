//! Checks the rules of a plan, and reports each mistake at its token.

mod deferred;
pub(crate) mod invalidates;
pub(crate) mod parameters;
pub(crate) mod policy;
mod repeat;
pub(crate) mod shape;

use darling::error::Accumulator;

use super::parse::args::Args;
use super::parse::function::OpaqueFn;
use super::plan::{Enforced, Plan};
use crate::project::Project;

/// Checks all rules of a guarded function.
pub(crate) fn function(plan: &Plan, args: &Args, function: &OpaqueFn, project: &Project, errors: &mut Accumulator) {
    policy::of_function(plan, args, project, function.sig.ident.span(), errors);
    // An invalid value does not change the effect of the function.
    let inherits_more = args.inherited.as_ref().is_some_and(|inherited| inherited.may_say_more);
    let is_known = args.reported.is_none() && !args.may_say_more && !inherits_more && !project.is_wrong();
    if is_known && !plan.is_contradicted {
        repeat::check(plan, args, function, errors);
        deferred::check(plan, function, errors);
    }
    if plan.guards.retry.is_some() {
        shape::repeatable(function, errors);
    }
    if plan.reads_first() && plan.cache_key.is_none() && !plan.is_tool && plan.enforced != Enforced::ByMethod {
        shape::has_key(function, args, errors);
    }
    if let Some(before) = args.before() {
        shape::has_error(function, before.span, errors);
    }
    parameters::check(function, args, &plan.guards.keys, errors);
}
