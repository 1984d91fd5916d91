//! `distributed` on limits and breakers, in every position.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]
#![allow(clippy::unused_async, reason = "a tool has to be async")]

use std::time::Duration;

use resilient_runtime::policy::{BreakerUse, RateLimitSettings, RateLimitUse};
use resilient_runtime::{Guard, Policy, ResilienceError, resilient};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

static IN_CODE: Guard = Guard::new(
    "in-code",
    Policy::new()
        .rate_limit(RateLimitUse::new(RateLimitSettings::new(5, Duration::from_secs(1))).named("code").distributed())
        .breaker(BreakerUse::named("make").distributed()),
);

/// A server.
#[derive(Debug, Clone)]
pub struct Server;

#[resilient(rate_limit(rate = "100/1s", name = "all", distributed), breaker(failures = 9, distributed))]
#[tool_router]
impl Server {
    /// Inherits both.
    #[tool]
    async fn inherits(&self) -> Result<String, ResilienceError> {
        Ok("well".into())
    }

    /// Has its own limit, and refers to a breaker.
    #[resilient(
        rate_limit(rate = "5/1s", burst = 10, name = "search", key = caller, distributed),
        breaker(distributed, name = "make")
    )]
    #[tool]
    async fn own(&self) -> Result<String, ResilienceError> {
        Ok("well".into())
    }
}

#[resilient(rate_limit(rate = "1000/1s", name = "requests", distributed))]
#[tool_handler]
impl ServerHandler for Server {}

/// A function with a limit for each tenant.
///
/// # Errors
/// Those of the policy.
#[resilient(rate_limit(rate = "5/1s", name = "tenants", key = tenant, distributed))]
pub async fn of_tenant(tenant: u32) -> Result<u32, ResilienceError> {
    Ok(tenant)
}

fn main() {
    let _ = Server::tool_router();
    drop((Server.inherits(), Server.own(), of_tenant(1)));
    assert!(IN_CODE.policy().breaker.is_some_and(|breaker| breaker.distributed));
}
