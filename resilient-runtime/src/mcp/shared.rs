//! Routers that are built once per process instead of once per request.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use rmcp::handler::server::router::tool::ToolRouter;

use crate::site::Site;

type Routers = HashMap<(TypeId, &'static str), &'static (dyn Any + Send + Sync)>;

/// The router of server `S` under this label, built and instrumented at the first question.
///
/// The tools that are guarded are bound then to what they share.
///
/// A `static` cannot do this in a generic impl: there it would be one for all type arguments. The
/// router is never freed; there is one for each server type and label in the code.
pub fn shared<S>(
    label: &'static str,
    build: fn() -> ToolRouter<S>,
    guarded: &[fn() -> &'static Site],
) -> &'static ToolRouter<S>
where
    S: Send + Sync + 'static,
{
    static ROUTERS: LazyLock<Mutex<Routers>> = LazyLock::new(Mutex::default);
    let key = (TypeId::of::<S>(), label);
    let find = || {
        let routers = ROUTERS.lock().unwrap_or_else(PoisonError::into_inner);
        routers.get(&key).and_then(|router| router.downcast_ref::<ToolRouter<S>>())
    };
    if let Some(found) = find() {
        return found;
    }
    // Everything that the tools share is known, with its settings, before the first call.
    for site in guarded {
        site().bind();
    }
    // Built outside the lock: building runs the user's code, which may ask for another router.
    let made: &'static ToolRouter<S> = Box::leak(Box::new(super::instrument(build())));
    ROUTERS.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made);
    find().unwrap_or(made)
}
