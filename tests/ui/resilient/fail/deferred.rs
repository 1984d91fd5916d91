//! `fallback = deferred`, and the key `deferred`.

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::tool::{Extension, RequestId};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{PromptMessage, RequestMetaObject};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer, prompt, prompt_router, tool, tool_router};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Order {
    article: String,
    request_id: Option<String>,
}

// rule 10
#[resilient(deferred(tries = 3))]
#[tool_router]
impl OfBlock {
    /// Writes.
    #[resilient(idempotent)]
    #[tool]
    async fn write(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct OfBlock;

// rule 72, on a function that is no tool
#[resilient(fallback = deferred, idempotent)]
async fn free() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Prompts;

#[prompt_router]
impl Prompts {
    // rule 72, on a prompt
    /// Asks.
    #[resilient(fallback = deferred)]
    #[prompt]
    async fn ask(&self) -> Result<Vec<PromptMessage>, ErrorData> {
        Ok(Vec::new())
    }
}

struct Reads;

#[tool_router]
impl Reads {
    // rule 72, on a tool that reads
    /// Reads.
    #[resilient(fallback = deferred)]
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 72, beside an old answer
    /// Reads.
    #[resilient(fallback = [cached, deferred])]
    #[tool]
    async fn read_again(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 72, before another fallback
    /// Writes.
    #[resilient(fallback = [deferred, value(String::new())])]
    #[tool(annotations(idempotent_hint = true))]
    async fn first(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 72, twice
    /// Writes.
    #[resilient(fallback = [deferred, deferred])]
    #[tool(annotations(idempotent_hint = true))]
    async fn twice(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Asks;

type Session = Extension<String>;

#[resilient]
#[tool_router]
impl Asks {
    // rule 72, the request and the client: 2 mistakes
    /// Writes.
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = true))]
    async fn request(
        &self,
        context: RequestContext<RoleServer>,
        peer: Peer<RoleServer>,
    ) -> Result<String, ResilienceError> {
        Ok(format!("{} {:?}", context.id, peer))
    }

    // rule 72, what a layer put into the request, under another name
    /// Writes.
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = true))]
    async fn session(&self, Extension(session): Session) -> Result<String, ResilienceError> {
        Ok(session)
    }

    // rule 11
    /// Writes.
    #[resilient(deferred(tries = 3))]
    #[tool(annotations(idempotent_hint = true))]
    async fn no_error(&self) -> String {
        String::new()
    }

    // rule 72, the id of the request, and a token: 2 mistakes
    /// Writes.
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = true))]
    async fn id(&self, id: RequestId, token: tokio_util::sync::CancellationToken) -> Result<String, ResilienceError> {
        Ok(format!("{:?} {token:?}", id.0))
    }

    // rule 72, the `_meta` of the request
    /// Writes.
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = true))]
    async fn meta(&self, meta: RequestMetaObject) -> Result<String, ResilienceError> {
        Ok(format!("{meta:?}"))
    }
}

struct Parts;

#[tool_router]
impl Parts {
    // rule 73, nothing is deferred
    /// Writes.
    #[resilient(deferred(tries = 3))]
    #[tool(annotations(idempotent_hint = true))]
    async fn nothing(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 73, a cap that no delay reaches
    /// Writes.
    #[resilient(fallback = deferred, deferred(tries = 4, cap = "30m"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn cap(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 73, tries after the end
    /// Writes.
    #[resilient(fallback = deferred, deferred(base = "1m", ttl = "1h"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn ttl(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 19, a first delay above the cap
    /// Writes.
    #[resilient(fallback = deferred, deferred(base = "2m", cap = "1m"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn base(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 19, a cap below the default
    /// Writes.
    #[resilient(fallback = deferred, deferred(cap = "10s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn default_base(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 19, values out of range: 3 mistakes
    /// Writes.
    #[resilient(fallback = deferred, deferred(tries = 0, base = "48h", ttl = "1000h"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn ranges(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, a word that is none
    /// Writes.
    #[resilient(fallback = deferred, deferred(on_exhausted = dead_leter))]
    #[tool(annotations(idempotent_hint = true))]
    async fn word(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, not in brackets
    /// Writes.
    #[resilient(fallback = deferred, deferred = 3)]
    #[tool(annotations(idempotent_hint = true))]
    async fn alone(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, without the name of the part
    /// Writes.
    #[resilient(fallback = deferred, deferred(3))]
    #[tool(annotations(idempotent_hint = true))]
    async fn short(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Keys;

#[tool_router]
impl Keys {
    // rule 74
    /// Writes.
    #[resilient(fallback = deferred)]
    #[tool]
    async fn unknown(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 74, `retry_unsafe` is about retries
    /// Writes.
    #[resilient(retry = 1, fallback = deferred, retry_unsafe = "it is rare")]
    #[tool]
    async fn unsafely(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 74, an annotation denies it
    /// Writes.
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = false))]
    async fn denied(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 74, one key for all
    /// Writes.
    #[resilient(fallback = deferred, deferred(key = "orders"))]
    #[tool]
    async fn same(&self, Parameters(order): Parameters<Order>) -> Result<String, ResilienceError> {
        Ok(order.article)
    }

    // rule 43, what has no text
    /// Writes.
    #[resilient(fallback = deferred, deferred(key = order))]
    #[tool]
    async fn whole(&self, Parameters(order): Parameters<Order>) -> Result<String, ResilienceError> {
        Ok(order.article)
    }

    // rule 43, `mut`
    /// Writes.
    #[resilient(fallback = deferred, deferred(key = order.request_id))]
    #[tool]
    async fn changed(&self, Parameters(mut order): Parameters<Order>) -> Result<String, ResilienceError> {
        order.article.push('!');
        Ok(order.article)
    }

    // rule 64
    /// Writes.
    #[resilient(fallback = "deferred")]
    #[tool(annotations(idempotent_hint = true))]
    async fn quoted(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {}
