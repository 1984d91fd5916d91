//! A tool that runs without the hook and takes the request's context as an argument: its id and
//! its cancellation are then known all the same. Found by the argument's type, not by its name.

use crate::context::CallContext;
use crate::site::Site;

/// An argument, looked at from one or two references away.
#[derive(Debug)]
pub struct Asked<'a, T: ?Sized>(pub &'a T);

/// Everything that is no request.
pub trait NoRequest {
    /// Nothing.
    fn context(&self, _: &Site) -> Option<CallContext> {
        None
    }
}

impl<T: ?Sized> NoRequest for Asked<'_, T> {}

#[cfg(feature = "rmcp")]
mod requests {
    use rmcp::RoleServer;
    use rmcp::service::RequestContext;

    use super::Asked;
    use crate::context::CallContext;
    use crate::site::Site;

    /// rmcp's own context of a request.
    pub trait ARequest {
        /// The context of the call that it asks for, unless there is one already.
        fn context(&self, site: &Site) -> Option<CallContext>;
    }

    impl ARequest for &Asked<'_, RequestContext<RoleServer>> {
        fn context(&self, site: &Site) -> Option<CallContext> {
            if CallContext::current().is_some_and(|current| current.request().is_some()) {
                return None;
            }
            let effect = site.policy().effect;
            Some(crate::mcp::request::context(self.0, site.name().into(), effect, None, None).0)
        }
    }
}

#[cfg(feature = "rmcp")]
pub use requests::ARequest;
