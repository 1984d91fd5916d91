//! Deferred writes as tasks: what the clients of a server see of them, and that nothing changes without a store.

mod store;
mod tools;

use resilient_runtime::{CallContext, ResilienceError, mcp, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{authenticate, serve};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities, ClientConfig,
    ErrorCode, GetTaskParams, GetTaskResult, InputResponses, ServerCapabilities, ServerConfig, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleClient, RunningService};
use rmcp::task_manager::{TaskManager, TaskOptions};
use rmcp::{
    ErrorData as McpError, RoleServer, ServerHandler, ServiceError, ServiceExt, tool, tool_handler, tool_router,
};

type Requested = RequestContext<RoleServer>;

/// A server with its own tasks beside those of deferred writes. It has no method for `tasks/update`.
#[derive(Clone, Default)]
struct Shop {
    tasks: TaskManager,
}

#[resilient]
#[tool_router]
impl Shop {
    /// Begins a task of the server.
    #[tool(annotations(read_only_hint = true))]
    async fn count(&self) -> Result<String, ResilienceError> {
        let task =
            self.tasks.spawn(TaskOptions::default(), |_| Box::pin(async { Ok(CallToolResult::success(Vec::new())) }));
        Ok(task.task_id)
    }

    /// Books a room. Its upstream is down until the delivery.
    #[resilient(fallback = deferred)]
    #[tool(annotations(read_only_hint = false, idempotent_hint = true))]
    async fn book(&self) -> Result<String, Failure> {
        let delivery = CallContext::current().and_then(|context| context.delivery());
        delivery.map(|_| "room 7".to_owned()).ok_or(Failure::Down)
    }
}

impl Shop {
    fn tools() -> ToolRouter<Self> {
        Self::tool_router() + mcp::deferred_tools()
    }
}

#[resilient]
#[tool_handler(name = "shop", router = Self::tools())]
impl ServerHandler for Shop {
    async fn get_task(&self, request: GetTaskParams, _: Requested) -> Result<GetTaskResult, McpError> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Requested) -> Result<(), McpError> {
        self.tasks.cancel_task(&request.task_id)
    }
}

/// Authenticates each request by the member `user` of its `_meta`.
#[derive(Clone, Default)]
struct Authenticated(Shop);

impl ServerHandler for Authenticated {
    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: Requested,
    ) -> Result<CallToolResponse, McpError> {
        authenticate(&mut context);
        self.0.call_tool(request, context).await
    }

    async fn get_task(&self, request: GetTaskParams, mut context: Requested) -> Result<GetTaskResult, McpError> {
        authenticate(&mut context);
        self.0.get_task(request, context).await
    }

    async fn update_task(&self, request: UpdateTaskParams, mut context: Requested) -> Result<(), McpError> {
        authenticate(&mut context);
        self.0.update_task(request, context).await
    }

    async fn cancel_task(&self, request: CancelTaskParams, mut context: Requested) -> Result<(), McpError> {
        authenticate(&mut context);
        self.0.cancel_task(request, context).await
    }
}

/// A client that knows tasks.
type Client = RunningService<RoleClient, ClientConfig>;

async fn connect<S: ServerHandler>(server: S) -> Client {
    let mut config = ClientConfig::default();
    config.capabilities = ClientCapabilities::builder().enable_tasks().build();
    config.serve(serve(server)).await.expect("a server")
}

/// The code of the error with which a request is answered.
fn refused<T: std::fmt::Debug>(answered: Result<T, ServiceError>) -> ErrorCode {
    match answered {
        Err(ServiceError::McpError(error)) => error.code,
        other => panic!("{other:?}"),
    }
}

/// A handler with the methods that rmcp generates.
#[derive(Debug, Clone)]
struct Plain;

#[tool_router]
impl Plain {
    /// Returns the number of tasks.
    #[tool]
    #[allow(clippy::unused_self, reason = "it has no state")]
    fn tasks(&self) -> String {
        "0".into()
    }
}

#[tool_handler(name = "shop")]
impl ServerHandler for Plain {}

/// The same without rmcp's macros.
#[derive(Debug, Clone)]
struct Bare;

impl ServerHandler for Bare {}

#[derive(Debug, Clone)]
struct Guarded;

#[resilient]
impl ServerHandler for Guarded {}

/// Passes all tasks on to its own methods.
#[derive(Debug, Clone)]
struct OwnTasks;

#[resilient]
impl ServerHandler for OwnTasks {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tasks().build())
    }

    async fn get_task(&self, request: GetTaskParams, _: Requested) -> Result<GetTaskResult, McpError> {
        Err(McpError::invalid_request(request.task_id, None))
    }
}

macro_rules! own_tasks {
    () => {
        fn get_info(&self) -> ServerConfig {
            ServerConfig::new(ServerCapabilities::builder().enable_tasks().build())
        }

        async fn get_task(&self, request: GetTaskParams, _: Requested) -> Result<GetTaskResult, McpError> {
            Err(McpError::invalid_request(request.task_id, None))
        }
    };
}

/// Has methods that the attribute cannot see.
#[derive(Debug, Clone)]
struct Unseen;

#[resilient]
impl ServerHandler for Unseen {
    own_tasks!();
}

/// In a separate process, because others set a store for the whole process.
#[tokio::test]
async fn without_a_store_a_handler_is_as_before() {
    if ran_in_a_child() {
        return;
    }
    assert_eq!(Guarded.get_info(), Bare.get_info());
    assert_eq!(Shop::default().get_info(), Plain.get_info());
    for id in ["rsl-00000000000000000000000000000007", "other"] {
        let client = connect(Shop::default()).await;
        assert_eq!(refused(client.get_task(GetTaskParams::new(id)).await), ErrorCode::METHOD_NOT_FOUND);
        let client = connect(Unseen).await;
        assert_eq!(refused(client.get_task(GetTaskParams::new(id)).await), ErrorCode::INVALID_REQUEST);
        let client = connect(OwnTasks).await;
        assert_eq!(refused(client.get_task(GetTaskParams::new(id)).await), ErrorCode::INVALID_REQUEST);
        let update = UpdateTaskParams::new(id, InputResponses::default());
        assert_eq!(refused(client.update_task(update).await), ErrorCode::METHOD_NOT_FOUND);
        assert_eq!(refused(client.cancel_task(CancelTaskParams::new(id)).await), ErrorCode::METHOD_NOT_FOUND);
    }
}
