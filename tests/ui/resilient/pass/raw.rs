//! Raw identifiers, in every position of a name.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, ResilienceError, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};

/// The arguments.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Asked {
    /// The value.
    pub r#type: u32,
    /// The module.
    pub r#mod: String,
}

/// A module.
pub mod r#mod {
    use super::{Breaker, BreakerSettings, ResilienceError};

    /// A breaker.
    pub static r#BREAKER: Breaker = Breaker::new("raw", BreakerSettings::new());

    /// A fallback.
    ///
    /// # Errors
    /// Never.
    pub async fn r#else(r#type: u32, _: &ResilienceError) -> Result<u32, ResilienceError> {
        std::future::ready(Ok(r#type)).await
    }
}

/// A function.
///
/// # Errors
/// Never.
#[resilient(
    retry = 1,
    read_only,
    breaker = r#mod::r#BREAKER,
    bulkhead(max = 1, key = r#type),
    fallback = [cached, r#mod::r#else, value(r#fn())],
    cache(key = r#type)
)]
pub async fn r#match(r#type: u32) -> Result<u32, ResilienceError> {
    Ok(r#type)
}

const fn r#fn() -> u32 {
    1
}

/// A server.
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct r#struct;

#[resilient(timeout = "5s")]
#[tool_router(router = r#use)]
impl r#struct {
    /// Inherits.
    #[tool]
    async fn r#move(&self, Parameters(Asked { r#type, r#mod }): Parameters<Asked>) -> Result<String, ResilienceError> {
        Ok(format!("{type}{mod}"))
    }

    /// Has its own keys.
    #[resilient(retry = 1, fallback = [cached, Self::r#ref])]
    #[tool(annotations(read_only_hint = true))]
    async fn r#for(&self, r#in: Parameters<Asked>) -> Result<String, ResilienceError> {
        Ok(r#in.0.r#mod)
    }

    async fn r#ref(&self, r#in: Parameters<Asked>, _: &ResilienceError) -> Result<String, ResilienceError> {
        std::future::ready(Ok(r#in.0.r#mod)).await
    }
}

fn main() {
    drop(r#match(1));
    let names: Vec<_> = r#struct::r#use().list_all().into_iter().map(|tool| tool.name).collect();
    assert_eq!(names.len(), 2);
}
