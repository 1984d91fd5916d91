//! The routes that have the hook, and the functions that they are certain to be.
//!
//! A hook wraps the code of a route, so that a router which is hooked again no longer shows what the inner one knows. The
//! address of the code identifies it while it exists.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rmcp::handler::server::router::tool::ToolRoute;

use super::authorize::Authorize;
use crate::site::Site;

/// What is known of each hooked route, by the address of the code.
type Routes = BTreeMap<usize, HookedRoute>;

/// A hooked route.
struct HookedRoute {
    /// The function, if it is known for certain.
    site: Option<&'static Site>,
    /// The functions that authorize its calls: a `Vec<Authorize<S>>`. `None` if there are none.
    authorized: Option<Box<dyn Any + Send>>,
}

fn routes() -> MutexGuard<'static, Routes> {
    static ROUTES: Mutex<Routes> = Mutex::new(Routes::new());
    ROUTES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a hooked route until it is dropped. Only the code of the route holds it, so that no other code has its
/// address before that.
#[derive(Default)]
pub(super) struct Remembered(OnceLock<usize>);

impl Remembered {
    /// Remembers a hooked route, whose code holds this.
    pub(super) fn remember<S: 'static>(
        &self,
        route: &ToolRoute<S>,
        site: Option<&'static Site>,
        authorized: &[Authorize<S>],
    ) {
        let authorized = (!authorized.is_empty()).then(|| Box::new(authorized.to_vec()) as Box<dyn Any + Send>);
        routes().insert(*self.0.get_or_init(|| address(route)), HookedRoute { site, authorized });
    }
}

impl Drop for Remembered {
    fn drop(&mut self) {
        if let Some(address) = self.0.get() {
            routes().remove(address);
        }
    }
}

/// Returns whether the code of a route is the hook.
pub(super) fn is_hooked<S>(route: &ToolRoute<S>) -> bool {
    routes().contains_key(&address(route))
}

/// Returns the function that a hooked route is certain to be.
pub(super) fn function_of<S>(route: &ToolRoute<S>) -> Option<&'static Site> {
    routes().get(&address(route))?.site
}

/// Returns the functions that authorize the calls of a hooked route.
pub(super) fn authorized_by<S: 'static>(route: &ToolRoute<S>) -> Vec<Authorize<S>> {
    let routes = routes();
    let known = routes.get(&address(route)).and_then(|known| known.authorized.as_ref()?.downcast_ref());
    known.cloned().unwrap_or_default()
}

fn address<S>(route: &ToolRoute<S>) -> usize {
    Arc::as_ptr(&route.call).cast::<()>().addr()
}
