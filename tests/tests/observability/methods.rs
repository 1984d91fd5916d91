//! A handler that defines every method, and the durations of its operations.

#![expect(deprecated, reason = "clients of older versions of the protocol still send these requests")]

use resilient_runtime::export::prometheus;
use resilient_runtime::resilient;
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::connect;
use rmcp::model::{
    ArgumentInfo, CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam, ClientRequest,
    CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult, DiscoverResult,
    GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams, GetSkillResult, GetTaskParams, GetTaskResult,
    InitializeRequestParams, InitializeResult, InputResponses, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListSkillsResult, ListToolsResult, LoggingLevel, NumberOrString, PaginatedRequestParams,
    ProgressNotificationParam, ProgressToken, ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult,
    ReadResourceRequestParams, ReadResourceResponse, Reference, SetLevelRequestParams, SubscribeRequestParams,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

/// The requests, except for the subscription, which lasts, and what rmcp itself answers.
pub(super) const REQUESTS: &[&str] = &[
    "ping",
    "initialize",
    "server/discover",
    "completion/complete",
    "logging/setLevel",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "tools/list",
    "tools/call",
    "custom",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "skills/list",
    "skills/get",
    "resources/directory/read",
];

pub(super) const NOTIFICATIONS: &[&str] = &[
    "notifications/cancelled",
    "notifications/progress",
    "notifications/initialized",
    "notifications/roots/list_changed",
    "notifications/custom",
];

type Asked = RequestContext<RoleServer>;
type Noted = NotificationContext<RoleServer>;
type Done<T> = Result<T, ErrorData>;

fn none<T>() -> Done<T> {
    Err(ErrorData::resource_not_found("none", None))
}

#[derive(Debug, Clone, Default)]
struct Every;

#[resilient]
impl ServerHandler for Every {
    async fn ping(&self, _: Asked) -> Done<()> {
        none()
    }

    async fn initialize(&self, request: InitializeRequestParams, _: Asked) -> Done<InitializeResult> {
        self.negotiate_initialize(&request)
    }

    async fn discover(&self, _: Asked) -> Done<DiscoverResult> {
        none()
    }

    async fn complete(&self, _: CompleteRequestParams, _: Asked) -> Done<CompleteResult> {
        none()
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Asked) -> Done<()> {
        none()
    }

    async fn get_prompt(&self, _: GetPromptRequestParams, _: Asked) -> Done<GetPromptResponse> {
        none()
    }

    async fn list_prompts(&self, _: Option<PaginatedRequestParams>, _: Asked) -> Done<ListPromptsResult> {
        none()
    }

    async fn list_resources(&self, _: Option<PaginatedRequestParams>, _: Asked) -> Done<ListResourcesResult> {
        none()
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Asked,
    ) -> Done<ListResourceTemplatesResult> {
        none()
    }

    async fn read_resource(&self, _: ReadResourceRequestParams, _: Asked) -> Done<ReadResourceResponse> {
        none()
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Asked) -> Done<()> {
        none()
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Asked) -> Done<()> {
        none()
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: Asked) -> Done<ListToolsResult> {
        none()
    }

    async fn call_tool(&self, _: CallToolRequestParams, _: Asked) -> Done<CallToolResponse> {
        none()
    }

    async fn on_custom_request(&self, _: CustomRequest, _: Asked) -> Done<CustomResult> {
        none()
    }

    async fn get_task(&self, _: GetTaskParams, _: Asked) -> Done<GetTaskResult> {
        none()
    }

    async fn update_task(&self, _: UpdateTaskParams, _: Asked) -> Done<()> {
        none()
    }

    async fn cancel_task(&self, _: CancelTaskParams, _: Asked) -> Done<()> {
        none()
    }

    async fn list_skills(&self, _: Option<PaginatedRequestParams>, _: Asked) -> Done<ListSkillsResult> {
        none()
    }

    async fn get_skill(&self, _: GetSkillRequestParams, _: Asked) -> Done<GetSkillResult> {
        none()
    }

    async fn read_resource_directory(
        &self,
        _: ReadResourceDirectoryRequestParams,
        _: Asked,
    ) -> Done<ReadResourceDirectoryResult> {
        none()
    }

    async fn on_cancelled(&self, _: CancelledNotificationParam, _: Noted) {}

    async fn on_progress(&self, _: ProgressNotificationParam, _: Noted) {}

    async fn on_initialized(&self, _: Noted) {}

    async fn on_roots_list_changed(&self, _: Noted) {}

    async fn on_custom_notification(&self, _: CustomNotification, _: Noted) {}
}

/// Passes a custom request or notification on to the method that its name begins with `do/`. A client cannot send all of
/// them in one version of the protocol.
#[derive(Debug, Clone, Default)]
struct Around(Every);

impl ServerHandler for Around {
    async fn on_custom_request(&self, request: CustomRequest, context: Asked) -> Done<CustomResult> {
        let (every, uri) = (&self.0, "a:b");
        match request.method.trim_start_matches("do/") {
            "ping" => every.ping(context).await,
            "initialize" => every.initialize(InitializeRequestParams::default(), context).await.map(drop),
            "server/discover" => every.discover(context).await.map(drop),
            "completion/complete" => {
                let request = CompleteRequestParams::new(Reference::for_prompt("any"), ArgumentInfo::new("any", ""));
                every.complete(request, context).await.map(drop)
            }
            "logging/setLevel" => every.set_level(SetLevelRequestParams::new(LoggingLevel::Info), context).await,
            "prompts/get" => every.get_prompt(GetPromptRequestParams::new("any"), context).await.map(drop),
            "prompts/list" => every.list_prompts(None, context).await.map(drop),
            "resources/list" => every.list_resources(None, context).await.map(drop),
            "resources/templates/list" => every.list_resource_templates(None, context).await.map(drop),
            "resources/read" => every.read_resource(ReadResourceRequestParams::new(uri), context).await.map(drop),
            "resources/subscribe" => every.subscribe(SubscribeRequestParams::new(uri), context).await,
            "resources/unsubscribe" => every.unsubscribe(UnsubscribeRequestParams::new(uri), context).await,
            "tools/list" => every.list_tools(None, context).await.map(drop),
            "tools/call" => every.call_tool(CallToolRequestParams::new("any"), context).await.map(drop),
            "tasks/get" => every.get_task(GetTaskParams::new("any"), context).await.map(drop),
            "tasks/update" => every.update_task(UpdateTaskParams::new("any", InputResponses::default()), context).await,
            "tasks/cancel" => every.cancel_task(CancelTaskParams::new("any"), context).await,
            "skills/list" => every.list_skills(None, context).await.map(drop),
            "skills/get" => every.get_skill(GetSkillRequestParams::new(uri), context).await.map(drop),
            "resources/directory/read" => {
                let request = ReadResourceDirectoryRequestParams::new(uri);
                every.read_resource_directory(request, context).await.map(drop)
            }
            _ => every.on_custom_request(request, context).await.map(drop),
        }?;
        none()
    }

    async fn on_custom_notification(&self, notification: CustomNotification, context: Noted) {
        let token = ProgressToken(NumberOrString::Number(7));
        match notification.method.trim_start_matches("do/") {
            "notifications/cancelled" => {
                self.0.on_cancelled(CancelledNotificationParam::new(None, None), context).await;
            }
            "notifications/progress" => self.0.on_progress(ProgressNotificationParam::new(token, 1.0), context).await,
            "notifications/initialized" => self.0.on_initialized(context).await,
            "notifications/roots/list_changed" => self.0.on_roots_list_changed(context).await,
            _ => self.0.on_custom_notification(notification, context).await,
        }
    }
}

/// Sends each request and each notification once.
pub(super) async fn send_each() {
    let client = connect(Around::default()).await;
    for method in REQUESTS {
        let request = CustomRequest::new(format!("do/{method}"), None);
        client.send_request(ClientRequest::CustomRequest(request)).await.expect_err("nothing is found");
    }
    for method in NOTIFICATIONS {
        let notification = CustomNotification::new(format!("do/{method}"), None);
        client.send_notification(notification.into()).await.expect("sent");
    }
    // Paused time advances only when all tasks wait.
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
}

/// In a separate process, because the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn prometheus_has_the_duration_of_every_method() {
    if ran_in_a_child() {
        return;
    }
    send_each().await;
    let text = prometheus::global_text();
    for method in REQUESTS.iter().chain(NOTIFICATIONS) {
        let labels = format!("{{mcp_method_name=\"{method}\",gen_ai_tool_name=\"\",error_type=\"\"}}");
        let line = format!("mcp_server_operation_duration_seconds_count{labels} 1");
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    assert!(!text.contains("do/"), "the client chose the name: {text}");
}
