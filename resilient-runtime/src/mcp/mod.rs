//! The integration with rmcp: the hook around every route, the wire form of errors, and routers that are built once.

#[cfg(feature = "deferred")]
mod accepted;
mod annotations;
mod arguments;
mod authorize;
mod bad_arguments;
mod cached_router;
#[cfg(feature = "deferred")]
mod deferred_tools;
#[cfg(feature = "deferred")]
mod delivery;
mod error_data;
mod explain;
mod gated;
mod hook;
mod hook_timeout;
mod hooked;
mod operation;
mod operator;
#[cfg(feature = "deferred")]
mod own_writes;
mod pipeline_error;
pub(crate) mod request;
mod requests;
mod results;
mod routed;
mod routes;
mod service_error;
mod span;
#[cfg(feature = "deferred")]
#[doc(hidden)]
pub mod tasks;
mod tool_meta;
mod transport;
#[cfg(feature = "deferred")]
mod tried;
mod wire;
mod wire_error;

/// The result of a route of the router.
type Handled = Result<rmcp::model::CallToolResponse, rmcp::ErrorData>;

pub use crate::error::{CALL_META, CORRELATION_META, ERROR_META, POLICY_META};
#[doc(hidden)]
pub use authorize::{Authorization, Authorize, Authorizing, authorizing, unauthorized};
pub use cached_router::instrument;
#[cfg(feature = "config")]
pub(crate) use cached_router::known;
#[doc(hidden)]
pub use cached_router::{ToolFunctions, cached_router};
#[cfg(feature = "deferred")]
pub use deferred_tools::deferred_tools;
#[doc(hidden)]
pub use explain::{Explain, Explained, Explanations, Misfit};
pub use operator::operator_tools;
#[cfg(feature = "cache")]
#[doc(hidden)]
pub use requests::canonical_parameters;
#[doc(hidden)]
pub use requests::{Incoming, Received, Response, ServedMethod, Unserved, incoming, parameters, subscribed};
#[doc(hidden)]
pub use routed::{Routed, routed};

#[cfg(feature = "deferred")]
pub(crate) use delivery::{Server, ServerFactory, Worker};
pub(crate) use operation::Operation;
#[cfg(feature = "testing")]
pub(crate) use results::own_error;
pub(crate) use results::{
    failure_of_result, meaning_of_prompt, meaning_of_read, meaning_of_response, meaning_of_result,
};
pub(crate) use transport::Transport;
pub(crate) use wire::{error_data, tool_error};
