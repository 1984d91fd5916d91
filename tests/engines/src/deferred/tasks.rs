//! The fixtures of the conformance suite that fit deferred writes, over HTTP.
//!
//! | scenario | does it fit? |
//! |---|---|
//! | `tasks-lifecycle` | yes |
//! | `tasks-capability-negotiation` | yes |
//! | `tasks-wire-fields` | yes |
//! | `tasks-request-state-removal` | yes |
//! | `tasks-request-headers` | yes |
//! | `tasks-dispatch-and-envelope` | yes: its `confirm_delete` may end without a question |
//! | `tasks-mrtr-input` | no: its tasks ask the user, and a delivery has no caller to ask |
//! | `tasks-mrtr-composition` | no: its task uses the answers of an earlier round; an entry stores only arguments |
//! | `tasks-required-task-error` | no: a client without tasks is rejected; a deferred write gives it a receipt |
//! | `tasks-status-notifications` | it has no check: the suite skips it for every server |

use std::{error::Error, time::Duration};

use resilient_runtime::{Resilience, ResilienceError, resilient};
use resilient_sqlite::SqliteStore;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::{Failure, http, upstream};

#[derive(Clone, Debug)]
struct Tasks;

#[derive(Debug, Deserialize, JsonSchema)]
struct Greet {
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct SlowCompute {
    seconds: u64,
    label: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct ConfirmDelete {
    filename: String,
}

#[resilient(timeout = "70s")]
#[tool_router]
impl Tasks {
    /// Answers without a task.
    #[tool(annotations(read_only_hint = true))]
    async fn greet(&self, Parameters(Greet { name }): Parameters<Greet>) -> Result<String, ResilienceError> {
        Ok(format!("Hello, {name}!"))
    }

    /// Computes for some seconds; for 0 s it needs no upstream.
    #[resilient(fallback = deferred, deferred(base = "2s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn slow_compute(&self, Parameters(job): Parameters<SlowCompute>) -> Result<String, Failure> {
        // The suite cancels the jobs of a minute before their first try. A busy machine may take seconds for that.
        if job.seconds >= 60 {
            upstream().map_err(|_| Failure::Busy(Duration::from_secs(60)))?;
        }
        if job.seconds > 0 {
            upstream()?;
            sleep(Duration::from_secs(job.seconds)).await;
        }
        Ok(format!("{}: {} s", job.label, job.seconds))
    }

    /// Ends as a result with `isError`.
    #[resilient(fallback = deferred, deferred(base = "1s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn failing_job(&self) -> Result<String, Failure> {
        upstream().and(Err(Failure::Refused))
    }

    /// Ends as a JSON-RPC error.
    #[resilient(fallback = deferred, deferred(base = "1s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn protocol_error_job(&self) -> Result<String, Failure> {
        upstream().and(Err(Failure::Missing))
    }

    /// Deletes a file without a question.
    #[resilient(fallback = deferred, deferred(base = "1s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn confirm_delete(&self, Parameters(file): Parameters<ConfirmDelete>) -> Result<String, Failure> {
        upstream()?;
        Ok(format!("deleted: {}", file.filename))
    }
}

#[resilient]
#[tool_handler(name = "tasks")]
impl ServerHandler for Tasks {}

pub(super) async fn serve(store: SqliteStore) -> Result<(), Box<dyn Error>> {
    let _running = Resilience::from_env().tools(Tasks::tool_router).deferred(store, || Tasks).start()?;
    http::serve(Tasks).await
}
