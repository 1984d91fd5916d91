//! Deferred writes as tasks of the protocol: the methods of a handler, and how the hook learns that it has them.

mod task;

use rmcp::model::{
    CancelTaskParams, ConstString, CreateTaskResult, GetTaskParams, GetTaskResult, ServerConfig, TASKS_EXTENSION_ID,
    UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

use super::own_writes::{NoWrite, OwnWrites};
use super::wire;
use crate::deferred::{self, Accepted, Receipt};
use crate::panics::catch_panic;
use crate::registry::Registry;

pub(super) use task::{Kept, kept, message};

/// The name of the tool with which a client without tasks asks for the state of a deferred write.
pub(super) const STATUS_TOOL: &str = "deferred_status";

/// A handler of this crate serves the request, so that the client can poll the task. In the extensions of a tool call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThroughHandler {
    /// Whether the server has the tool `deferred_status`.
    pub(crate) has_status_tool: bool,
}

/// Marks a tool call that came through a handler with the methods for tasks, if there can be any.
pub(super) fn mark(context: &mut RequestContext<RoleServer>, has_tool: impl FnOnce(&'static str) -> bool) {
    if deferred::is_used() {
        context.extensions.insert(ThroughHandler { has_status_tool: has_tool(STATUS_TOOL) });
    }
}

/// Marks a tool call that came through a method with the methods for tasks beside it.
#[must_use]
pub fn through_handler(
    mut context: RequestContext<RoleServer>,
    has_tool: impl FnOnce(&'static str) -> bool,
) -> RequestContext<RoleServer> {
    // The handler's own `get_tool`, before the barrier for panics of its request.
    mark(&mut context, |tool| catch_panic(|| has_tool(tool)).unwrap_or_default());
    context
}

/// Returns the result of a call that was accepted, for a client that knows tasks.
pub(crate) fn created(accepted: &Accepted) -> CreateTaskResult {
    CreateTaskResult::new(task::task(&accepted.summary, accepted.now))
}

/// Adds the tasks extension to the description of a server that has a store.
#[must_use]
pub fn advertised(mut config: ServerConfig) -> ServerConfig {
    if has_store() {
        let extensions = config.capabilities.extensions.get_or_insert_default();
        extensions.entry(TASKS_EXTENSION_ID.to_owned()).or_default();
    }
    config
}

/// Answers `tasks/get` for a deferred write. Returns `None` for any other task.
pub async fn get_task(request: &GetTaskParams) -> Option<Result<GetTaskResult, ErrorData>> {
    let writes = of_ours(&request.task_id)?;
    // Boxed, because rmcp moves a future that is as large as that of its largest method with every request.
    let found = Box::pin(writes.get(&request.task_id)).await;
    Some(found.map(|entry| GetTaskResult::new(task::detailed(&entry, writes.now()))).map_err(|error| refused(&error)))
}

/// Answers `tasks/update` for a deferred write, which needs no input: what the client sends is ignored. Returns
/// `None` for any other task.
pub async fn update_task(request: &UpdateTaskParams) -> Option<Result<(), ErrorData>> {
    let writes = of_ours(&request.task_id)?;
    Some(Box::pin(writes.get(&request.task_id)).await.map(drop).map_err(|error| refused(&error)))
}

/// Answers `tasks/cancel` for a deferred write: it ends now, or after the running try unless that succeeds. Returns
/// `None` for any other task.
pub async fn cancel_task(request: &CancelTaskParams) -> Option<Result<(), ErrorData>> {
    let writes = of_ours(&request.task_id)?;
    Some(Box::pin(writes.cancel(&request.task_id)).await.map(drop).map_err(|error| refused(&error)))
}

/// Returns the error for a task that is no deferred write, on a server without other tasks.
#[must_use]
pub fn unknown<M: ConstString>() -> ErrorData {
    if has_store() { refused(&NoWrite::Unknown) } else { ErrorData::method_not_found::<M>() }
}

fn has_store() -> bool {
    Registry::here(|registry| registry.deferral().is_some())
}

/// Returns the writes of the caller, if the task is a deferred write and there is a store.
fn of_ours(task: &str) -> Option<OwnWrites> {
    task.starts_with(Receipt::PREFIX).then(OwnWrites::of_caller).flatten()
}

/// Returns the protocol's error: a task that does not exist is an invalid parameter.
fn refused(error: &NoWrite) -> ErrorData {
    match error {
        NoWrite::NoStore | NoWrite::Unknown => ErrorData::invalid_params(error.to_string(), None),
        NoWrite::Store(_) => wire::error_data(error),
    }
}
