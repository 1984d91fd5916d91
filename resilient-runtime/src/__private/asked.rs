//! A tool that runs without the hook and takes the request's context as an argument: its id and
//! its cancellation are then known all the same. Found by the argument's type, not by its name.

use std::ops::Deref;

use crate::context::CallContext;
use crate::site::Site;

/// An argument: rmcp's own context of a request has a method here, everything else behind it.
#[derive(Debug)]
pub struct Asked<'a, T>(NoRequest<'a, T>);

/// Everything that is no request.
#[derive(Debug)]
pub struct NoRequest<'a, T>(&'a T);

impl<'a, T> Asked<'a, T> {
    /// Looks at an argument.
    pub const fn of(argument: &'a T) -> Self {
        Self(NoRequest(argument))
    }
}

impl<'a, T> Deref for Asked<'a, T> {
    type Target = NoRequest<'a, T>;

    fn deref(&self) -> &NoRequest<'a, T> {
        &self.0
    }
}

impl<T> NoRequest<'_, T> {
    /// Nothing.
    #[expect(clippy::unused_self, reason = "what is looked for is a method")]
    #[must_use]
    pub const fn __context(&self, _: &Site) -> Option<CallContext> {
        None
    }
}

#[cfg(feature = "rmcp")]
mod requests {
    use rmcp::RoleServer;
    use rmcp::service::RequestContext;

    use super::Asked;
    use crate::context::CallContext;
    use crate::site::Site;

    impl Asked<'_, RequestContext<RoleServer>> {
        /// The context of the call that it asks for, unless there is one already.
        #[must_use]
        pub fn __context(&self, site: &Site) -> Option<CallContext> {
            if CallContext::current().is_some_and(|current| current.request().is_some()) {
                return None;
            }
            let effect = site.policy().effect;
            Some(crate::mcp::request::context(self.0.0, site.name().into(), effect, None, None).0)
        }
    }
}
