//! A process that logs with `init()`. The first argument selects the case. It ends by printing a word to stdout.

#![expect(clippy::unused_async, reason = "a fallback has to be an async function")]

use std::fmt;
use std::panic::catch_unwind;
use std::time::Duration;

use resilient_runtime::{CallContext, McpError, ResilienceError, resilient};

/// A type whose `Debug` or `Display` panics.
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a field, password=hunter2")
    }
}

/// A value that panics when it is dropped, including during another panic.
struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("in a drop, password=hunter2")
    }
}

#[derive(Debug, Clone, thiserror::Error, McpError)]
enum Error {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down {
        #[mcp(retry_after)]
        after: Option<Duration>,
    },
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[resilient(retry(max = 1, base = "1ms"), fallback = [fails, panics, value(says_zero())], read_only)]
async fn goes_wrong() -> Result<u32, Error> {
    says("in the body");
    Err(Error::Down { after: None })
}

async fn fails(error: &Error) -> Result<u32, Error> {
    Err(error.clone())
}

async fn panics(_: &Error) -> Result<u32, Error> {
    panic!("in a fallback")
}

fn says_zero() -> u32 {
    says("in the value");
    0
}

#[resilient(retry = 1, timeout = "1s", read_only)]
async fn is_asked_to_wait() -> Result<u32, Error> {
    says("in the body");
    Err(Error::Down { after: Some(Duration::from_secs(60)) })
}

#[resilient(bulkhead(max = 1, name = "full"))]
async fn holds() -> Result<u32, Error> {
    says("in the body");
    tokio::task::yield_now().await;
    Ok(0)
}

#[resilient(bulkhead(max = 1, name = "full"))]
async fn is_shut_out() -> Result<u32, Error> {
    Ok(0)
}

/// Logs a line of the user, without an ID under its own name.
fn says(message: &str) {
    let call = CallContext::current().expect("a call");
    tracing::error!(event = "own", expected = %call.correlation_id(), "{message}");
}

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_default();
    match asked.as_str() {
        // As a test does, or an earlier part of the program.
        "scoped" => tracing::subscriber::with_default(tracing_subscriber::registry(), || tracing::info!("not seen")),
        "taken" => tracing::subscriber::set_global_default(tracing_subscriber::registry()).expect("the first"),
        _ => {}
    }
    let logging = resilient_runtime::logging::init();
    let again = resilient_runtime::logging::init();
    drop(again);
    match asked.as_str() {
        "line" => tracing::info!(event = "test", password = "hunter2", note = "Bearer abcdefghijklmnop"),
        "scoped" => tracing::info!(event = "test"),
        "taken" => drop(catch_unwind(|| panic!("in another's log"))),
        "names" => {
            let _span = tracing::info_span!("call", correlation_id = "real").entered();
            tracing::info!(event = "test", level = "fake", target = "fake", span = "fake", spans = "fake", n = 7);
        }
        "calls" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            runtime.block_on(async {
                assert_eq!(goes_wrong().await.ok(), Some(0));
                assert!(is_asked_to_wait().await.is_err());
                let (held, shut_out) = tokio::join!(holds(), is_shut_out());
                assert!(held.is_ok() && shut_out.is_err());
            });
        }
        "panics" => {
            let panicking =
                |n: u32| move || (0..50).for_each(|m| drop(catch_unwind(|| panic!("number {}", n * 50 + m))));
            let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(panicking(n))).collect();
            for thread in threads {
                thread.join().expect("caught");
            }
        }
        "flood" => flood(),
        "flood-and-panic" => {
            flood();
            drop(catch_unwind(|| panic!("while nobody reads")));
        }
        "flood-of-long" => {
            let text = "a text that is long ".repeat(1_500);
            (0..3_000).for_each(|n| tracing::info!(n, text));
            // Before the end, which waits for the lines.
            println_memory();
        }
        "longest" => tracing::info!(event = "test", text = "words ".repeat(1_000_000), password = "hunter2"),
        "bomb" => {
            drop(catch_unwind(|| tracing::info!(bomb = %Bomb, "never seen")));
            tracing::info!(event = "after");
        }
        "dropped" => {
            drop(logging);
            tracing::info!(event = "after");
            return survived();
        }
        "main" => panic!("in main, password=hunter2"),
        "abort" => {
            drop(catch_unwind(|| panic!("before the end, password=hunter2")));
            std::process::abort();
        }
        "drop" => {
            let _again = PanicsAgain;
            panic!("the first, password=hunter2");
        }
        other => panic!("{other} is none of them"),
    }
    drop(logging);
    survived();
}

fn flood() {
    (0..50_000).for_each(|n| tracing::info!(n, text = "a text of some length, as they are"));
}

#[expect(clippy::print_stdout, reason = "this is no server")]
fn println_memory() {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).expect("it is there"));
}

#[expect(clippy::print_stdout, reason = "this is no server")]
fn survived() {
    println!("survived");
}
