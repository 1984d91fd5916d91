//! Limits and their keys, in every position.

#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, schemars, tool, tool_router};

/// A question.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Ask {
    /// The tenant.
    pub tenant: String,
    /// The value.
    pub number: u32,
}

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    prefix: String,
}

#[resilient(bulkhead(max = 5, queue = 10, wait = "1s"), rate_limit(rate = "10/1s", key = caller), breaker = "all")]
#[tool_router]
impl Server {
    /// Inherits both.
    #[tool]
    async fn inherits(&self) -> Result<String, ResilienceError> {
        Ok("well".into())
    }

    /// Refuses both.
    #[resilient(bulkhead = none, rate_limit = none)]
    #[tool]
    async fn refuses(&self) -> Result<String, ResilienceError> {
        Ok("well".into())
    }

    /// Has keys that read a pattern, `self`, and nothing.
    #[resilient(
        bulkhead(max = 1, name = "by-tenant", key = (tenant, number % 7, &self.prefix)),
        rate_limit(rate = "5/1m", burst = 2, name = "by-tenant", key = tenant.to_lowercase()),
        breaker(name = "by-number", key = number),
        retry(max = 2, base = "1ms"),
        fallback = value("nothing".into())
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn keys(
        &self,
        Parameters(Ask { tenant, number }): Parameters<Ask>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ResilienceError> {
        Ok(format!("{tenant}{number}{}", context.id))
    }
}

/// Tools with unused parameters, and patterns that keys do not read.
#[derive(Debug, Clone)]
pub struct Unused;

#[resilient]
#[tool_router]
impl Unused {
    /// Runs again.
    #[resilient(retry = 2, read_only)]
    #[tool]
    async fn again(
        &self,
        _context: RequestContext<RoleServer>,
        _asked: Parameters<Ask>,
    ) -> Result<String, ResilienceError> {
        Ok("well".into())
    }

    /// Has a limit with a key, and a log.
    #[resilient(bulkhead(max = 3, key = number), log_args(number))]
    #[tool]
    async fn keyed(
        &self,
        Parameters(Ask { mut tenant, number }): Parameters<Ask>,
        _context: RequestContext<RoleServer>,
    ) -> Result<String, ResilienceError> {
        tenant.push_str(&number.to_string());
        Ok(tenant)
    }

    /// Has a fallback.
    #[resilient(fallback = Self::instead)]
    #[tool]
    async fn substituted(&self, _asked: Parameters<Ask>) -> Result<String, ResilienceError> {
        Ok("well".into())
    }

    #[allow(clippy::unused_async)]
    async fn instead(&self, _: Parameters<Ask>, _: &ResilienceError) -> Result<String, ResilienceError> {
        Ok("instead".into())
    }
}

/// A pattern that borrows, and one that destructures a reference, besides the one that the key reads.
///
/// # Errors
/// Those of the limit.
#[resilient(bulkhead(max = 3, key = seen))]
pub async fn patterns((ref left, seen): (String, u32), (&right, _): (&u32, u32)) -> Result<u32, ResilienceError> {
    Ok(u32::try_from(left.len()).unwrap_or_default() + seen + right)
}

/// Mutable, borrowed and hidden parameters under keys.
///
/// # Errors
/// Those of the limits.
#[resilient(bulkhead(max = 1, key = text.len()), rate_limit(rate = "1/1s", key = "the same for all"))]
pub async fn borrows(
    text: &str,
    mut count: u32,
    #[cfg(any())] gone: u32,
    _hidden: u32,
) -> Result<u32, ResilienceError> {
    count += u32::try_from(text.len()).unwrap_or_default();
    Ok(count)
}

/// Logs counts, a position in a list, and a name that is no secret here.
///
/// # Errors
/// Those of the policy.
#[resilient(log_args(token_count, next_page_token.len(), plain(session)))]
pub async fn shows(token_count: u32, next_page_token: &str, session: u8) -> Result<u32, ResilienceError> {
    Ok(token_count + u32::try_from(next_page_token.len()).unwrap_or_default() + u32::from(session))
}

fn main() {
    let server = Server { prefix: String::new() };
    drop((server.inherits(), server.refuses()));
    let _ = Server::tool_router();
    let _ = Unused::tool_router();
    drop(shows(1, "", 1));
    drop(borrows("", 1, 2));
    drop(patterns((String::new(), 1), (&1, 2)));
}
