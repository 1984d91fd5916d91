//! rmcp's `TaskManager` with all fixtures of the conformance suite, beside a deferred write, over HTTP.

use std::error::Error;
use std::time::Duration;

use resilient_runtime::{Resilience, resilient};
use resilient_sqlite::SqliteStore;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities, ContentBlock,
    CreateTaskResult, ElicitRequest, ElicitRequestParams, GetTaskParams, GetTaskResult, Implementation, InputRequest,
    InputRequests, InputRequiredResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    Tool, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{join, select, time::sleep};

use super::{Failure, http, upstream};

#[derive(Clone)]
struct Beside {
    tasks: TaskManager,
}

/// The tools that [`TaskManager`] runs, and the one that answers without a task.
const FIXTURES: [&str; 7] = [
    "greet",
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
];

/// The arguments of all of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Arguments {
    name: String,
    seconds: u64,
    label: String,
    filename: String,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Address {
    order: u32,
    city: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Guest {
    /// The same id books at most once.
    request_id: String,
    name: String,
}

#[resilient(timeout = "5s")]
#[tool_router]
impl Beside {
    /// Sets the address of an order.
    #[resilient(fallback = deferred, deferred(base = "1s"))]
    #[tool(annotations(idempotent_hint = true))]
    async fn set_address(&self, Parameters(address): Parameters<Address>) -> Result<rmcp::Json<Address>, Failure> {
        upstream()?;
        Ok(rmcp::Json(address))
    }

    /// Books a room. Its first try is 15 s later or more, so that a client on a busy machine can cancel it before.
    #[resilient(fallback = deferred, deferred(key = guest.request_id))]
    #[tool]
    async fn book_room(&self, Parameters(guest): Parameters<Guest>) -> Result<String, Failure> {
        upstream()?;
        Ok(format!("booked for {}", guest.name))
    }
}

#[resilient(timeout = "70s")]
impl ServerHandler for Beside {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_tasks().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("tasks-beside", "0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({ "type": "object" }).as_object().cloned().unwrap_or_default();
        let fixtures = FIXTURES.map(|name| Tool::new(name, "A tool of the conformance suite.", schema.clone()));
        let tools = Self::tool_router().list_all().into_iter().chain(fixtures).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !FIXTURES.contains(&&*request.name) {
            return Self::tool_router().call(ToolCallContext::new(self, request, context)).await;
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let mut arguments: Arguments =
            serde_json::from_value(arguments).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        let has_tasks = context.client_capabilities().is_some_and(|capabilities| capabilities.supports_tasks());
        match (&*request.name, request.input_responses) {
            ("greet", _) => return Ok(text(format!("Hello, {}!", arguments.name)).into()),
            ("slow_compute", _) if !has_tasks => {
                sleep(Duration::from_secs(arguments.seconds)).await;
                return Ok(computed(&arguments).into());
            }
            (_, _) if !has_tasks => {
                let required = ClientCapabilities::builder().enable_tasks().build();
                return Err(ErrorData::missing_required_client_capability(required));
            }
            ("test_tool_with_task", None) => {
                let requests = InputRequests::from([("user_name".into(), question("name")?)]);
                return Ok(InputRequiredResult::from_input_requests(requests).into());
            }
            ("test_tool_with_task", Some(responses)) => {
                let name = responses.get("user_name").and_then(|response| response["content"]["name"].as_str());
                arguments.name = name.unwrap_or_default().into();
            }
            _ => {}
        }
        let tool = request.name;
        let task = self.tasks.spawn(TaskOptions::new().with_poll_interval_ms(200), |task| {
            Box::pin(async move { work(&tool, &arguments, &task).await })
        });
        Ok(CreateTaskResult::new(task).into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(&self, request: UpdateTaskParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}

/// Does what a tool does as a task.
async fn work(tool: &str, arguments: &Arguments, task: &TaskContext) -> Result<CallToolResult, TaskExit> {
    match tool {
        "slow_compute" => select! {
            () = task.cancelled() => Err(TaskExit::Cancelled),
            () = sleep(Duration::from_secs(arguments.seconds)) => Ok(computed(arguments)),
        },
        "failing_job" => {
            sleep(Duration::from_secs(1)).await;
            Ok(CallToolResult::error(vec![ContentBlock::text("the job failed")]))
        }
        "protocol_error_job" => Err(ErrorData::internal_error("the job broke", None).into()),
        "confirm_delete" => {
            task.request_input("confirm", question("confirm")?).await?;
            Ok(text(format!("deleted: {}", arguments.filename)))
        }
        "multi_input" => {
            let (first, second) = (question("name")?, question("name")?);
            let answers = join!(task.request_input("first", first), task.request_input("second", second));
            Ok(text(format!("{} {}", answers.0?, answers.1?)))
        }
        _ => Ok(text(format!("Hello, {}!", arguments.name))),
    }
}

fn computed(arguments: &Arguments) -> CallToolResult {
    text(format!("{}: {} s", arguments.label, arguments.seconds))
}

fn text(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// Asks the user for one value.
fn question(property: &str) -> Result<InputRequest, ErrorData> {
    let kind = if property == "confirm" { "boolean" } else { "string" };
    let schema = json!({ "type": "object", "properties": { property: { "type": kind } }, "required": [property] });
    let requested_schema =
        serde_json::from_value(schema).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let message = format!("What is the {property}?");
    let question = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
    Ok(InputRequest::Elicitation(ElicitRequest::new(question)))
}

pub(super) async fn serve(store: SqliteStore) -> Result<(), Box<dyn Error>> {
    let server = Beside { tasks: TaskManager::new() };
    let own = server.clone();
    let _running = Resilience::from_env().tools(Beside::tool_router).deferred(store, move || own.clone()).start()?;
    http::serve(server).await
}
