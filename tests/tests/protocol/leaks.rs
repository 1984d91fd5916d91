//! No byte that leaves the server contains a private part of an error.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use resilient_runtime::{McpError, ResilienceError, resilient};
use resilient_tests::child::Tee;
use resilient_tests::faults::panics;
use resilient_tests::in_process::serve;
use rmcp::model::CallToolRequestParams;
use rmcp::{ServiceExt, tool, tool_router};

#[derive(Debug, thiserror::Error)]
#[error("inner {0}")]
struct Inner(String, #[source] Option<Box<Inner>>);

#[derive(Debug, thiserror::Error, McpError)]
enum Error {
    #[error("private {0}")]
    #[mcp(kind = unavailable)]
    Display(String),
    #[error("private by choice {0}")]
    #[mcp(kind = not_found, private)]
    Chosen(String),
    #[error("a source below")]
    #[mcp(kind = conflict, public)]
    Source(#[source] Inner),
    #[error("a secret field")]
    #[mcp(kind = invalid_input, public)]
    Secret {
        #[mcp(secret)]
        held: String,
        #[mcp(detail)]
        id: u32,
    },
    #[error("status {status}: {body}")]
    #[mcp(message = "status {status}")]
    Status {
        #[mcp(status, detail)]
        status: u16,
        body: String,
    },
    #[error("{}", panics(.0))]
    #[mcp(kind = failed_precondition, public)]
    Panics(String),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Default)]
struct Server {
    text: Arc<Mutex<String>>,
}

impl Server {
    fn text(&self) -> String {
        self.text.lock().expect("no panic while it is held").clone()
    }
}

const TOOLS: [&str; 12] = [
    "display",
    "chosen",
    "source",
    "secret",
    "status",
    "display_panics",
    "body_panics",
    "panics_later",
    "task_panics",
    "drop_panics",
    "fallback_fails",
    "sync_panics",
];

#[resilient(timeout = "50ms")]
#[tool_router(server_handler)]
impl Server {
    /// A private Display.
    #[tool]
    async fn display(&self) -> Result<String, Error> {
        Err(Error::Display(self.text()))
    }

    /// A Display that was made private.
    #[tool]
    async fn chosen(&self) -> Result<String, Error> {
        Err(Error::Chosen(self.text()))
    }

    /// A chain of sources.
    #[tool]
    async fn source(&self) -> Result<String, Error> {
        Err(Error::Source(Inner(self.text(), Some(Box::new(Inner(self.text(), None))))))
    }

    /// A secret field.
    #[tool]
    async fn secret(&self) -> Result<String, Error> {
        Err(Error::Secret { held: self.text(), id: 7 })
    }

    /// The body of an upstream's response.
    #[tool]
    async fn status(&self) -> Result<String, Error> {
        Err(Error::Status { status: 422, body: self.text() })
    }

    /// An error whose `Display` panics.
    #[tool]
    async fn display_panics(&self) -> Result<String, Error> {
        Err(Error::Panics(self.text()))
    }

    /// A panic.
    #[tool]
    async fn body_panics(&self) -> Result<String, Error> {
        panic!("{}", self.text())
    }

    /// A panic after a wait.
    #[tool]
    async fn panics_later(&self) -> Result<String, Error> {
        tokio::task::yield_now().await;
        std::panic::panic_any(self.text())
    }

    /// A panic in a task, whose text `JoinError` repeats.
    #[tool]
    async fn task_panics(&self) -> Result<String, Error> {
        let text = self.text();
        let joined = tokio::spawn(async move { panic!("{text}") }).await;
        Err(Error::Display(joined.map_or_else(|error| error.to_string(), |()| String::new())))
    }

    /// A panic in a drop at the timeout.
    #[tool]
    async fn drop_panics(&self) -> Result<String, Error> {
        struct Bomb(String);
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("{}", self.0);
            }
        }
        let _bomb = Bomb(self.text());
        std::future::pending().await
    }

    /// A fallback that fails as well.
    #[resilient(fallback = fails_too)]
    #[tool]
    async fn fallback_fails(&self) -> Result<String, Error> {
        Err(Error::Display(self.text()))
    }

    /// A panic without async.
    #[tool]
    fn sync_panics(&self) -> String {
        panic!("{}", self.text())
    }
}

async fn fails_too(error: &Error) -> Result<String, Error> {
    tokio::task::yield_now().await;
    Err(Error::Display(error.to_string()))
}

/// Returns everything that a server writes to a client that calls all its tools.
fn everything(text: &str) -> String {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::default();
        text.clone_into(&mut server.text.lock().expect("no panic while it is held"));
        let (read, write) = tokio::io::split(serve(server));
        let (read, seen) = Tee::new(read);
        let client = ().serve((read, write)).await.expect("a server");
        for tool in TOOLS {
            let answer = client.call_tool(CallToolRequestParams::new(tool)).await;
            assert_eq!(answer.unwrap_or_else(|error| panic!("{tool}: {error}")).is_error, Some(true), "{tool}");
        }
        let bytes = seen.lock().expect("no panic while it is held").clone();
        String::from_utf8(bytes).expect("JSON")
    })
}

#[test]
fn what_is_said_is_there_so_that_its_absence_means_something() {
    let written = everything("zq0qz");
    for public in ["a secret field", "status 422", "\"id\":7", "a source below", "correlation_id"] {
        assert!(written.contains(public), "{public}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_private_text_is_in_any_byte_that_leaves_the_server(random in "[A-Za-z0-9]{12,24}") {
        let text = format!("zq{random}qz");
        let written = everything(&text);
        prop_assert!(!written.contains(&text), "{}", written);
        prop_assert!(!written.contains(&random), "{}", written);
    }
}
