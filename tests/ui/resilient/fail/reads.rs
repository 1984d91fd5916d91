//! The key `cache` with `fresh` and `stale_while_revalidate`, and the key `invalidates`.

use resilient_runtime::{ResilienceError, resilient};
use rmcp::model::PromptMessage;
use rmcp::{ErrorData, prompt, prompt_router, tool, tool_router};

// rule 26, the former name of a part
#[resilient(fallback = cached, cache(max_age = "1h"))]
async fn renamed() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 26, nothing reads it
#[resilient(cache(max_bytes = "1MiB"))]
async fn nothing_reads_it() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 26, ages of zero: 2 mistakes
#[resilient(cache(fresh = "0s", stale_while_revalidate = "0s"))]
async fn no_age() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 26, no bytes
#[resilient(cache(fresh = "30s", max_bytes = "0B"))]
async fn no_bytes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, too few bytes
#[resilient(cache(fresh = "30s", max_bytes = "1023B"))]
async fn few_bytes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a size without a unit
#[resilient(cache(fresh = "30s", max_bytes = 65536))]
async fn no_unit() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a size in quotes without a unit
#[resilient(cache(fresh = "30s", max_bytes = "64"))]
async fn no_unit_in_quotes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a unit that means several
#[resilient(cache(fresh = "30s", max_bytes = "64M"))]
async fn half_a_unit() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 62, a size
#[resilient(cache(fresh = "30s", max_bytes = 64MiB))]
async fn suffix() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 62, no size
#[resilient(cache(fresh = "30s", max_bytes = 64apples))]
async fn apples() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a word in place of a size
#[resilient(cache(fresh = "30s", max_bytes = true))]
async fn word() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, nothing is stale before it was fresh
#[resilient(fallback = cached, cache(stale_while_revalidate = "5m"))]
async fn never_fresh() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, in the wrong order
#[resilient(cache(fresh = "5m", stale_while_revalidate = "30s"))]
async fn fresh_is_longer() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, an error that ends first
#[resilient(fallback = cached, cache(fresh = "5m", stale_if_error = "30s"))]
async fn error_is_shorter() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, the default, but written
#[resilient(fallback = cached, cache(fresh = "1m", stale_while_revalidate = "2h", stale_if_error = "1h"))]
async fn default_is_shorter() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, no fallback serves it
#[resilient(cache(fresh = "30s", stale_if_error = "1h"))]
async fn no_fallback() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 67, beside `retry_unsafe`
#[resilient(retry = 1, retry_unsafe = "the shop knows the number", cache(fresh = "30s"))]
async fn writes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, no list of names
#[resilient(invalidates(list))]
async fn brackets() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 68, on a function that reads
#[resilient(read_only, invalidates = "list")]
async fn reads() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Server;

#[resilient]
#[tool_router]
impl Server {
    /// Lists.
    #[resilient(cache(fresh = "30s"))]
    #[tool(name = "list_all")]
    async fn list(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Searches.
    #[resilient(fallback = cached)]
    #[tool]
    async fn search(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 67, by its annotations
    /// Deletes.
    #[resilient(cache(fresh = "30s"))]
    #[tool(annotations(destructive_hint = true))]
    async fn delete(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 68, not the name in rmcp's router
    /// Adds.
    #[resilient(invalidates = "list")]
    #[tool]
    async fn add(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 68, a tool that serves no fresh answer, and a name that none has: 2 mistakes
    /// Puts.
    #[resilient(invalidates = ["list_all", "search", "unknown"])]
    #[tool]
    async fn put(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 68, a name that is written twice
    /// Moves.
    #[resilient(invalidates = ["list_all", "list_all"])]
    #[tool]
    async fn twice(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 68, on a tool that reads
    /// Reads.
    #[resilient(invalidates = "list_all")]
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 11
    /// Says nothing of errors.
    #[resilient(invalidates = "list_all")]
    #[tool]
    async fn no_error(&self) -> String {
        String::new()
    }
}

struct Block;

// rule 10
#[resilient(invalidates = "list")]
#[tool_router]
impl Block {
    /// Lists.
    #[tool]
    async fn list(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Writes;

#[resilient]
#[tool_router]
impl Writes {
    // rule 68, in a block without such a tool
    /// Adds.
    #[resilient(invalidates = "list")]
    #[tool]
    async fn add(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Prompts;

#[prompt_router]
impl Prompts {
    // rule 67, on a prompt
    /// Greets.
    #[resilient(cache(fresh = "30s"))]
    #[prompt]
    async fn greet(&self) -> Result<Vec<PromptMessage>, ErrorData> {
        Ok(Vec::new())
    }
}

fn main() {
    let _ = (Server::tool_router(), Block::tool_router(), Writes::tool_router(), Prompts::prompt_router());
}
