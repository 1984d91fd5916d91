//! The key `authorize` on every kind of tool, on blocks with type parameters, and on attributes that the block cannot see.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::resilient as guard;
use resilient_runtime::{ResilienceError, resilient};
use rmcp::model::JsonObject;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, tool, tool_router};

/// A server with a type parameter.
#[derive(Debug, Clone)]
pub struct Server<'s, T> {
    text: &'s str,
    value: T,
}

/// Who may call.
pub mod rights {
    use super::{ErrorData, JsonObject, RequestContext, RoleServer, Server};

    /// Lets every call through.
    ///
    /// # Errors
    /// Never.
    #[allow(clippy::unused_async, reason = "it has to be")]
    pub async fn any<T: Sync>(
        _: &Server<'static, T>,
        _: &RequestContext<RoleServer>,
        _: &JsonObject,
    ) -> Result<(), ErrorData> {
        Ok(())
    }
}

/// A function of a trait that authorizes.
pub trait Authorizes {
    /// Lets calls with arguments through.
    fn may_call(
        &self,
        request: &RequestContext<RoleServer>,
        arguments: &JsonObject,
    ) -> impl Future<Output = Result<(), ResilienceError>> + Send;
}

impl<T: Sync> Authorizes for Server<'_, T> {
    async fn may_call(&self, _: &RequestContext<RoleServer>, arguments: &JsonObject) -> Result<(), ResilienceError> {
        if arguments.is_empty() { Err(ResilienceError::Cancelled) } else { Ok(()) }
    }
}

#[resilient(authorize = <Self as Authorizes>::may_call, timeout = "5s")]
#[tool_router(router = tools)]
#[allow(clippy::missing_const_for_fn, clippy::unused_self)]
impl<T> Server<'static, T>
where
    T: Clone + Send + Sync + std::fmt::Display + 'static,
{
    /// Inherits.
    #[tool]
    async fn inherits(&self) -> Result<String, ErrorData> {
        Ok(self.text.to_owned())
    }

    /// Inherits.
    #[tool]
    fn inherits_sync(&self) -> String {
        self.value.to_string()
    }

    /// Has its own function in addition.
    #[resilient(authorize = rights::any, retry = 2, read_only, fallback = cached)]
    #[tool]
    async fn guarded(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Has its own function in addition.
    #[resilient(authorize = rights::any::<T>,)]
    #[tool]
    async fn text(&self) -> String {
        String::new()
    }

    /// Has its own function in addition.
    #[resilient(authorize = rights::any)]
    #[tool]
    fn r#match() -> String {
        String::new()
    }

    /// Refuses everything else.
    #[resilient(skip)]
    #[tool]
    fn skipped(&self) -> String {
        String::new()
    }

    /// Under another name.
    #[guard(authorize = rights::any)]
    #[tool]
    async fn renamed(&self) -> Result<String, ErrorData> {
        Ok(String::new())
    }

    /// In `cfg_attr`.
    #[cfg_attr(all(), resilient(authorize = rights::any))]
    #[tool]
    fn present(&self) -> String {
        String::new()
    }

    /// In a `cfg_attr` that is not there.
    #[cfg_attr(any(), resilient(authorize = rights::any))]
    #[tool]
    fn absent(&self) -> String {
        String::new()
    }
}

fn main() {
    assert_eq!(Server::<'static, u8>::tools().map.len(), 9);
    assert_eq!(Server { text: "a", value: 1 }.clone().text, "a");
}
