//! `stale_while_revalidate` in the `impl` of a trait, which can have no function that begins the refresh.

use resilient_runtime::{ResilienceError, resilient};

#[allow(async_fn_in_trait)]
trait Shop {
    async fn stock(&self) -> Result<u32, ResilienceError>;
}

#[derive(Clone)]
struct Server;

impl Shop for Server {
    // rule 67, at the word
    #[resilient(cache(fresh = "30s", stale_while_revalidate = "5m", key = 1))]
    async fn stock(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }
}

fn main() {
    let _ = Server;
}
