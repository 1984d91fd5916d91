use std::marker::PhantomData;

use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

struct NotSend(PhantomData<*const ()>);

fn assert_send(_: impl Send) {}

async fn wait() {}

#[resilient]
async fn held() -> Result<u32, ResilienceError> {
    let held = NotSend(PhantomData);
    wait().await;
    drop(held);
    Ok(1)
}

#[resilient(retry = 1, read_only, fallback = value(1))]
async fn held_again() -> Result<u32, ResilienceError> {
    let held = NotSend(PhantomData);
    wait().await;
    drop(held);
    Ok(1)
}

// rule 13
fn sends() {
    assert_send(held());
}

// rule 13, where an attempt may be repeated
fn sends_again() {
    assert_send(held_again());
}

struct Server;

#[tool_router]
impl Server {
    // rule 13, of a tool
    /// Reads.
    #[resilient]
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        let held = NotSend(PhantomData);
        wait().await;
        drop(held);
        Ok(String::new())
    }
}

fn main() {
    sends();
    sends_again();
    let _ = Server::tool_router();
}
