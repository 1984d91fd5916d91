//! A crate without a prelude.
#![no_implicit_prelude]
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

/// A server.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub struct Server;

type Wrapped = ::rmcp::handler::server::wrapper::Parameters<tools::Asked>;

/// Every step of the pipeline.
///
/// # Errors
/// Never.
#[::resilient_runtime::resilient(
    retry = 1,
    read_only,
    timeout = "2s",
    attempt_timeout = "1s",
    breaker(name = "bare", failures = 7, key = number),
    bulkhead(max = 5, queue = 5, wait = "1s", key = number),
    rate_limit(rate = "5/1s", key = number),
    fallback = [cached, other, value(7)]
)]
pub async fn guarded(number: u32) -> ::core::result::Result<u32, ::resilient_runtime::ResilienceError> {
    ::core::result::Result::Ok(number)
}

async fn other(
    number: u32,
    _: &::resilient_runtime::ResilienceError,
) -> ::core::result::Result<u32, ::resilient_runtime::ResilienceError> {
    ::core::future::ready(()).await;
    ::core::result::Result::Ok(number)
}

impl Server {
    /// A method.
    ///
    /// # Errors
    /// Never.
    #[::resilient_runtime::resilient(retry = 1, idempotent, fallback = [cached, Self::other], cache(key = wrapped.0.number))]
    pub async fn method(
        &self,
        wrapped: Wrapped,
    ) -> ::core::result::Result<::rmcp::model::CallToolResult, ::rmcp::ErrorData> {
        let _ = wrapped;
        ::core::result::Result::Ok(::rmcp::model::CallToolResult::success(::std::vec![]))
    }

    async fn other(
        &self,
        wrapped: Wrapped,
        _: &::rmcp::ErrorData,
    ) -> ::core::result::Result<::rmcp::model::CallToolResult, ::rmcp::ErrorData> {
        let _ = (self, wrapped);
        ::core::future::ready(()).await;
        ::core::result::Result::Ok(::rmcp::model::CallToolResult::success(::std::vec![]))
    }
}

/// The macros of rmcp and schemars generate code that needs the prelude and their names: here both exist.
pub mod tools {
    use ::{rmcp, schemars};
    use ::std::prelude::rust_2024::*;

    /// The arguments.
    #[derive(Clone, Debug, ::serde::Deserialize, schemars::JsonSchema)]
    pub struct Asked {
        /// The value.
        pub number: u32,
    }

    #[::resilient_runtime::resilient(timeout = "5s", breaker = "bare-tools")]
    #[::rmcp::tool_router(server_handler)]
    impl super::Server {
        /// Reads.
        #[::resilient_runtime::resilient(retry = 1, fallback = cached)]
        #[::rmcp::tool(annotations(read_only_hint = true))]
        async fn read(
            &self,
            context: ::rmcp::service::RequestContext<::rmcp::RoleServer>,
            wrapped: super::Wrapped,
        ) -> ::core::result::Result<::std::string::String, ::rmcp::ErrorData> {
            ::core::mem::drop(context);
            ::core::result::Result::Ok(::std::string::ToString::to_string(&wrapped.0.number))
        }

        /// Inherits.
        #[::rmcp::tool]
        async fn inherits(&self) -> ::core::result::Result<::std::string::String, ::rmcp::ErrorData> {
            ::core::result::Result::Ok(::std::string::String::new())
        }
    }

    /// Returns the number of tools.
    #[must_use]
    pub fn count() -> usize {
        super::Server::tool_router().list_all().len()
    }
}

fn main() {
    ::std::assert_eq!(tools::count(), 2);
    ::core::mem::drop(guarded(1));
    let wrapped = ::rmcp::handler::server::wrapper::Parameters(tools::Asked { number: 1 });
    ::core::mem::drop(Server.method(wrapped));
}
