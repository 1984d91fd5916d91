//! `#[resilient]` above `impl ServerHandler`: a where clause, a const parameter, methods that return futures, and
//! attributes of methods.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use std::fmt::Debug;

use resilient_runtime::resilient;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ListResourcesResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

/// A server with parameters.
#[derive(Debug, Clone)]
pub struct Server<T, const N: usize> {
    values: [T; N],
}

#[resilient(timeout = "10s")]
impl<T, const N: usize> ServerHandler for Server<T, N>
where
    T: Clone + Debug + Send + Sync + 'static,
{
    fn get_info(&self) -> ServerConfig {
        ServerConfig::default()
    }

    /// Lists nothing, in a future that borrows the server.
    fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListResourcesResult, ErrorData>> + Send + '_ {
        let count = self.values.len();
        async move {
            let is_empty = count == 0;
            if is_empty { Err(ErrorData::invalid_request("empty", None)) } else { Ok(ListResourcesResult::default()) }
        }
    }

    /// Is only there under a condition that holds.
    #[cfg(not(any()))]
    #[doc(alias = "read")]
    #[allow(clippy::used_underscore_binding, reason = "the name of the argument")]
    async fn read_resource(
        &self,
        mut _request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        _request.uri.push('/');
        Ok(ReadResourceResult::new(Vec::new()).into())
    }

    /// Is not there.
    #[cfg(any())]
    async fn read_resource(&self, request: Missing) -> Missing {
        request
    }

    #[resilient(timeout = "2s", retry = 1)]
    async fn complete(
        &self,
        CompleteRequestParams { argument: __request, .. }: CompleteRequestParams,
        __incoming: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let _ = (__incoming, __request, &self.values);
        Ok(CompleteResult::new(CompletionInfo::default()))
    }
}

fn main() {
    let server = Server { values: [1] };
    assert_eq!(server.values.len(), 1);
    let _ = server.get_info();
}
