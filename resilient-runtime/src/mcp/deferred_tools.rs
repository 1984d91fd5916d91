//! Ready-made tools for the callers of deferred writes, for clients without the tasks extension.

use std::sync::{Arc, OnceLock};

use rmcp::Json;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::IntoCallToolResult as _;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operator::schemas::{self, Schemas};
use super::own_writes::{NoWrite, OwnWrites};
use super::tasks::{self, Kept, STATUS_TOOL};
use super::{Handled, instrument, wire};
use crate::clock::saturating_millis;
use crate::deferred::{Cancellation, Entry, State, Timestamp};

/// The tool that cancels a deferred write.
const CANCEL_TOOL: &str = "deferred_cancel";

/// Returns a router with the tools `deferred_status` and `deferred_cancel`, for the callers of tools with
/// `fallback = deferred`.
///
/// A client that knows the tasks extension polls and cancels a deferred write as a task, if the server's handler has
/// `#[resilient]`. Any other client has its receipt as a text, which names `deferred_status` only if the server has that
/// tool. Add the router to those of your server in the expression after `router =` of its `#[tool_handler]`.
///
/// | tool | arguments | response |
/// |---|---|---|
/// | `deferred_status` | `receipt` | whether the write is done, its tries, the next one, and its result or last error |
/// | `deferred_cancel` | `receipt` | whether it is cancelled: at once, or after the running try unless that succeeds |
///
/// A caller sees and cancels only its own writes: those with the same [`Principal`](crate::identity::Principal), or over
/// stdio with the same user of the operating system. The receipt of another caller is answered like one that does not
/// exist. Both tools pass through the hook like other tools, and no switch or level refuses them.
///
/// ```
/// use resilient_runtime::{mcp, resilient};
/// use rmcp::{ServerHandler, tool, tool_handler, tool_router};
///
/// struct Shop;
///
/// #[resilient]
/// #[tool_router]
/// impl Shop {
///     /// Lists the products.
///     #[tool(annotations(read_only_hint = true))]
///     async fn list(&self) -> String {
///         "tea, milk".into()
///     }
/// }
///
/// #[resilient]
/// #[tool_handler(name = "shop", router = Self::tool_router() + mcp::deferred_tools())]
/// impl ServerHandler for Shop {}
/// # assert!(Shop.get_tool("deferred_status").is_some());
/// ```
#[must_use]
pub fn deferred_tools<S: Send + Sync + 'static>() -> ToolRouter<S> {
    static SCHEMAS: OnceLock<[Schemas; 2]> = OnceLock::new();
    let [of_status, of_cancel] =
        SCHEMAS.get_or_init(|| [schemas::of::<OfReceipt, DeferredStatus>(), schemas::of::<OfReceipt, CancelReport>()]);
    let mut router = ToolRouter::new();
    router.add_route(ToolRoute::new(
        tool(
            STATUS_TOOL,
            "Status of a deferred call",
            "Shows whether a call that this server accepted for later is done, and its result.",
            |hints| hints.read_only(true),
            of_status,
        ),
        |Parameters(OfReceipt { receipt }): Parameters<OfReceipt>| async move { answered(status(&receipt).await) },
    ));
    router.add_route(ToolRoute::new(
        tool(
            CANCEL_TOOL,
            "Cancel a deferred call",
            "Cancels a call that this server accepted for later and has not done yet.",
            |hints| hints.read_only(false).destructive(false),
            of_cancel,
        ),
        |Parameters(OfReceipt { receipt }): Parameters<OfReceipt>| async move { answered(cancel(&receipt).await) },
    ));
    instrument(router)
}

fn tool(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: impl FnOnce(ToolAnnotations) -> ToolAnnotations,
    schemas: &Schemas,
) -> Tool {
    let hints = effect(ToolAnnotations::with_title(title)).idempotent(true).open_world(false);
    Tool::new(name, description, Arc::clone(&schemas.input))
        .with_title(title)
        .with_annotations(hints)
        .with_raw_output_schema(Arc::clone(&schemas.output))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
struct OfReceipt {
    /// The receipt of the call: `rsl-` and 32 hexadecimal digits.
    receipt: String,
}

/// What a caller may know of its deferred write.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct DeferredStatus {
    receipt: String,
    /// The tool that was called.
    tool: String,
    /// `waiting`, `running`, `done`, `dead` or `discarded` if it was given up, or `cancelled`.
    state: &'static str,
    /// Whether the call is done.
    done: bool,
    /// The state in words.
    message: String,
    /// The number of tries that began.
    tries_used: u32,
    /// The number of tries that are left.
    tries_left: u32,
    /// The time until the next try, while the call waits.
    next_attempt_ms: Option<u64>,
    /// The time until the call is given up, while it waits or runs.
    expires_ms: Option<u64>,
    /// The result of the call, as the tool returned it; of the last try, if the call was given up.
    result: Option<JsonObject>,
    /// The JSON-RPC error of the last try.
    error: Option<JsonObject>,
}

impl DeferredStatus {
    fn of(entry: &Entry, now: Timestamp) -> Self {
        let summary = &entry.summary;
        let (result, error) = match tasks::kept(entry).filter(|_| !summary.state.is_live()) {
            Some(Kept::Result(result)) => (Some(result), None),
            Some(Kept::Error(error)) => (None, Some(error)),
            None => (None, None),
        };
        Self {
            receipt: summary.receipt.to_string(),
            tool: summary.tool.clone(),
            state: summary.state.as_str(),
            done: summary.state == State::Done,
            message: tasks::message(summary),
            tries_used: summary.tries_used,
            tries_left: summary.tries_left(),
            next_attempt_ms: summary.next_try().map(|next| saturating_millis(next.since(now))),
            expires_ms: summary.state.is_live().then(|| saturating_millis(summary.expires.since(now))),
            result,
            error,
        }
    }
}

/// How a deferred write was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct CancelReport {
    receipt: String,
    /// The tool that was called.
    tool: String,
    /// `cancelled`; `running` if a try is running, after which the call is cancelled unless it succeeds; or how the call
    /// had ended.
    state: &'static str,
    /// Whether the call is cancelled.
    cancelled: bool,
    /// The state in words.
    message: String,
}

async fn status(receipt: &str) -> Result<DeferredStatus, NoWrite> {
    let writes = OwnWrites::of_caller().ok_or(NoWrite::NoStore)?;
    let entry = writes.get(receipt).await?;
    Ok(DeferredStatus::of(&entry, writes.now()))
}

async fn cancel(receipt: &str) -> Result<CancelReport, NoWrite> {
    let writes = OwnWrites::of_caller().ok_or(NoWrite::NoStore)?;
    let (cancellation, entry) = writes.cancel(receipt).await?;
    let summary = &entry.summary;
    let message = match cancellation {
        Cancellation::Ended(State::Cancelled) => "it was cancelled before".to_owned(),
        Cancellation::Ended(_) => format!("not cancelled, because it had ended: {}", tasks::message(summary)),
        Cancellation::Cancelled | Cancellation::AfterTry => tasks::message(summary),
    };
    Ok(CancelReport {
        receipt: summary.receipt.to_string(),
        tool: summary.tool.clone(),
        state: summary.state.as_str(),
        cancelled: summary.state == State::Cancelled,
        message,
    })
}

fn answered<T: Serialize + JsonSchema + 'static>(answered: Result<T, NoWrite>) -> Handled {
    match answered {
        Ok(answer) => Json(answer).into_call_tool_result(),
        Err(error) => wire::tool_error(&error),
    }
}
