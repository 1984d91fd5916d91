//! One method of a handler: its policy, and whether a guarded function enforces it.

use std::time::Duration;

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::TokenStream;
use quote::ToTokens;
use resilient_policy::Policy;
use syn::ext::IdentExt;

use super::keys;
use crate::project::Project;
use crate::resilient::expand::Served;
use crate::resilient::parse::args::Args;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::method::{Kind, Method};
use crate::resilient::parse::tool;
use crate::resilient::plan::{self, Enforced, Plan};
use crate::resilient::{check, expand};

/// Returns the wrapped method, or `None` if nothing wraps it. `has_tasks` says whether the block has the methods for the
/// tasks of deferred writes.
pub(super) fn wrap(
    block: &Args,
    function: &OpaqueFn,
    has_tasks: bool,
    project: &Project,
    errors: &mut Accumulator,
) -> Option<TokenStream> {
    let name = function.sig.ident.unraw().to_string();
    let own_at = function.attrs.iter().position(|attr| tool::last_is(attr, "resilient"));
    let Some(method) = Method::find(&name) else {
        let own = function.attrs.get(own_at?)?;
        let message = format!("`{name}` serves no request, so that nothing can guard it; remove the attribute");
        errors.push(Error::custom(message).with_span(own.path()));
        return Some(without(function, own_at).into_token_stream());
    };
    let own = own_at.and_then(|at| function.attrs.get(at));
    let mut args = own.map(|own| keys::of_method(own, method, errors)).unwrap_or_default();
    let function = without(function, own_at);
    // rustc reports a method with other arguments.
    if function.arguments().count() != method.arguments || function.sig.receiver().is_none() {
        return own_at.map(|_| function.into_token_stream());
    }
    args.inherited = Some(Box::new(inherited(block, method)));
    if method.reads && args.idempotent.is_none() {
        args.read_only = args.read_only.or(Some(function.sig.ident.span()));
    }
    let mut found = Error::accumulator();
    let mut plan = plan::plan(&args, Enforced::ByMethod, &function, project, &mut found);
    plan.site_fn = None;
    if method.kind == Kind::CallTool && args.timeout.is_none() {
        plan.guards.timeout = None;
    }
    let is_guarded = is_guarded(&plan);
    if is_guarded || args.timeout.is_some() {
        check::function(&plan, &args, &function, project, &mut found);
    }
    if is_guarded {
        check::shape::check(&function, &mut found);
    }
    // The handler runs it, before the guarded function.
    plan.authorized = block.authorize.iter().filter(|_| method.is_authorized()).cloned().collect();
    if let Err(mistakes) = found.finish() {
        errors.push(mistakes);
        return Some(function.into_token_stream());
    }
    let usual = (method.kind == Kind::Request).then_some(Policy::DEFAULT_TIMEOUT);
    let timeout = plan.guards.timeout.or(usual);
    if is_guarded {
        plan.guards.timeout = Some(timeout.unwrap_or(Duration::MAX));
    }
    let enforced = if is_guarded { Enforced::ByMethod } else { Enforced::ByHook };
    let served = Served { method, timeout, enforced, has_tasks };
    Some(expand::method(plan, &served, &function, project))
}

/// Returns the keys that the method has from its block: only methods that serve requests with a timeout have any.
fn inherited(block: &Args, method: &Method) -> Args {
    let krate = block.krate.clone();
    match method.kind {
        Kind::Request => Args { authorize: None, ..block.clone() },
        Kind::CallTool | Kind::Subscription | Kind::Notification => Args { krate, ..Args::default() },
    }
}

/// Returns whether the method needs more than a timeout, so that it is a guarded function.
fn is_guarded(plan: &Plan) -> bool {
    let guards = &plan.guards;
    let is_limited = guards.bulkhead.is_some() || guards.rate_limit.is_some();
    let needs_parameters = plan.timeout_from.is_some();
    is_limited || needs_parameters || guards.retry.is_some() || guards.breaker.is_some() || plan.cache.is_some()
}

/// Returns the function without its own attribute.
fn without(function: &OpaqueFn, own_at: Option<usize>) -> OpaqueFn {
    let mut function = function.clone();
    if let Some(at) = own_at {
        function.attrs.remove(at);
    }
    function
}
