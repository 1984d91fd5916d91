//! The request context of a tool that runs without the hook but takes rmcp's request context as an argument. It
//! provides the id and the cancellation of the request. The argument is found by its type and not by its name.

use super::clone::NeededAgain;
use crate::context::CallContext;
use crate::site::Site;

impl<T> NeededAgain<'_, T> {
    /// Last choice: no request.
    #[must_use]
    pub const fn __context(&self, _: &Site) -> Option<CallContext> {
        None
    }
}

#[cfg(feature = "rmcp")]
mod requests {
    use rmcp::RoleServer;
    use rmcp::service::RequestContext;

    use crate::__private::clone::Arg;
    use crate::context::CallContext;
    use crate::site::Site;

    impl Arg<'_, RequestContext<RoleServer>> {
        /// First choice: the context of the request in the argument, unless there already is one.
        #[must_use]
        pub fn __context(&self, site: &Site) -> Option<CallContext> {
            if CallContext::current().is_some_and(|current| current.request().is_some()) {
                return None;
            }
            let effect = site.policy().effect;
            let server = crate::mcp::request::Server::Function;
            Some(crate::mcp::request::context(self.seen(), site.name().into(), effect, None, server).0)
        }
    }
}
