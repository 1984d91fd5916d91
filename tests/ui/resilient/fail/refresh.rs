//! What `cache(fresh, stale_while_revalidate)` needs of the receiver, the arguments and the answer.

use std::marker::PhantomData;

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};

struct NoClone;

#[resilient]
#[tool_router]
impl NoClone {
    // rule 67, a receiver without `Clone`
    /// Lists.
    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m"))]
    #[tool]
    async fn list(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[derive(Clone)]
struct Borrows<'a>(PhantomData<&'a str>);

impl<'a> Borrows<'a> {
    // rule 67, a receiver that borrows
    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m", key = 1))]
    async fn list(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[derive(Clone)]
struct Server;

#[derive(serde::Deserialize, schemars::JsonSchema, Hash)]
struct Search {
    text: String,
}

#[resilient]
#[tool_router]
impl Server {
    // rule 67, an extractor of the request
    /// Lists.
    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m"))]
    #[tool]
    async fn list(&self, context: RequestContext<RoleServer>) -> Result<String, ResilienceError> {
        Ok(context.id.to_string())
    }

    // rule 38, an argument that the refresh needs as well
    /// Searches.
    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m"))]
    #[tool]
    async fn search(&self, Parameters(search): Parameters<Search>) -> Result<String, ResilienceError> {
        Ok(search.text)
    }
}

struct Answer;

// rule 42, an answer that is kept
#[resilient(cache(fresh = "30s"))]
async fn answer_not_clone(number: u32) -> Result<Answer, ResilienceError> {
    let _ = number;
    Ok(Answer)
}

// rule 42, an argument that identifies the answer
#[resilient(cache(fresh = "30s"))]
async fn not_hash(number: f64) -> Result<u32, ResilienceError> {
    let _ = number;
    Ok(1)
}

fn main() {}
