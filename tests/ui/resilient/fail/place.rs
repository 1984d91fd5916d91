use resilient_runtime::{resilient, ResilienceError};
use rmcp::{tool, tool_router};

// rule 6
#[resilient]
fn not_async() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 6
#[resilient]
const fn constant() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 6
#[resilient]
extern "C" fn foreign() -> u32 {
    1
}

// rule 7
struct Below;

#[tool_router]
impl Below {
    /// Reads.
    #[tool]
    #[resilient]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 7, below `#[async_trait]`, which makes this of a method
struct OfATrait;

impl OfATrait {
    #[resilient]
    fn read<'life0, 'async_trait>(
        &'life0 self,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<u32, ResilienceError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { Ok(1) })
    }
}

// rule 7, in a block
struct BelowInBlock;

#[resilient]
#[tool_router]
impl BelowInBlock {
    /// Reads.
    #[tool]
    #[resilient(timeout = "1s")]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 8
#[resilient]
#[resilient(timeout = "1s")]
async fn two_attributes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 9
struct NoRouter;

#[resilient]
impl NoRouter {
    fn method(&self) {}
}

// rule 9, below
struct BelowRouter;

#[tool_router]
#[resilient]
impl BelowRouter {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 9, a trait's block
struct Implements;

#[resilient]
impl Default for Implements {
    fn default() -> Self {
        Self
    }
}

// rule 9
#[resilient]
struct Structure;

// rule 9
#[resilient]
mod module {}

// rule 9
#[resilient]
trait Trait {}

// rule 10: 6 mistakes
struct OneToolOnly;

#[resilient(name = "x", fallback = cached, cache(max = 1), idempotent, read_only, retry_unsafe = "y", timeout = "1s")]
#[tool_router]
impl OneToolOnly {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {
    let _ = (not_async(), constant(), foreign(), two_attributes());
    NoRouter.method();
    let _ = Structure;
}
