//! What the functions of `authorize` have let through.

#[cfg(feature = "rmcp")]
use std::any::TypeId;

use crate::clock::Moment;

/// A request that is authorized.
#[derive(Debug, Clone)]
pub(crate) struct Authorized {
    /// When the call began. The guarded function measures its timeout from then.
    pub(crate) began: Moment,
    #[cfg(feature = "rmcp")]
    pub(super) by: By,
}

/// Whose functions have authorized the request.
#[cfg(feature = "rmcp")]
#[derive(Debug, Clone)]
pub(super) enum By {
    /// None: no request came from a client.
    #[cfg(feature = "testing")]
    Nothing,
    /// Those of a tool.
    Tool(ServerId, Box<[usize]>),
    /// That of a handler, which authorizes no call of a tool.
    Handler(ServerId),
}

/// A server value: its type and its address. Another value may read other permissions.
#[cfg(feature = "rmcp")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerId(TypeId, usize);

#[cfg(feature = "rmcp")]
impl ServerId {
    pub(crate) fn of<S: 'static>(server: &S) -> Self {
        Self(TypeId::of::<S>(), std::ptr::from_ref(server).addr())
    }
}

impl Authorized {
    /// A call that begins now and that no client has requested.
    #[cfg(feature = "testing")]
    pub(crate) fn without_request() -> Self {
        Self {
            began: Moment::now(),
            #[cfg(feature = "rmcp")]
            by: By::Nothing,
        }
    }

    /// A call of a tool, by the functions at these addresses.
    #[cfg(feature = "rmcp")]
    pub(crate) fn of_tool(began: Moment, server: ServerId, functions: impl Iterator<Item = usize>) -> Self {
        Self { began, by: By::Tool(server, functions.collect()) }
    }

    /// A request that a method of the handler serves.
    #[cfg(feature = "rmcp")]
    pub(crate) fn of_handler(began: Moment, server: ServerId) -> Self {
        Self { began, by: By::Handler(server) }
    }

    /// Returns whether tools may run in the request.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_of_tool(&self) -> bool {
        !matches!(self.by, By::Handler(_))
    }

    /// Returns whether this server has authorized the request.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_by(&self, server: ServerId) -> bool {
        matches!(self.by, By::Tool(by, _) | By::Handler(by) if by == server)
    }

    /// Returns whether each of these functions of a tool has let the call through.
    #[cfg(feature = "rmcp")]
    pub(crate) fn covers(&self, server: ServerId, mut functions: impl Iterator<Item = usize>) -> bool {
        matches!(&self.by, By::Tool(by, all) if *by == server && functions.all(|function| all.contains(&function)))
    }
}
