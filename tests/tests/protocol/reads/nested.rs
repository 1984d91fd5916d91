//! Reads that the body of another tool, or their own, calls with other arguments than those of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{CallContext, Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, meta, text};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const TAKES: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
struct Page {
    page: u32,
}

#[derive(Debug, Clone, Default)]
struct Book {
    registry: Arc<Registry>,
    runs: Arc<AtomicU32>,
}

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Book {
    /// Is kept by the arguments of its request.
    #[resilient(cache(fresh = "10s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn book_page(&self, Parameters(Page { page }): Parameters<Page>) -> Result<String, Failure> {
        self.page(page).await
    }

    /// Is kept by its own arguments.
    #[resilient(cache(fresh = "10s", key = page.page))]
    #[tool(annotations(read_only_hint = true))]
    async fn book_keyed(&self, Parameters(page): Parameters<Page>) -> Result<String, Failure> {
        self.page(page.page).await
    }

    /// Is kept too, and calls the others.
    #[resilient(cache(fresh = "5s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn book_spread(&self, Parameters(Page { page }): Parameters<Page>) -> Result<String, Failure> {
        let mut pages = Vec::new();
        for page in [page, page + 1] {
            pages.push(self.book_page(Parameters(Page { page })).await?);
            pages.push(self.book_keyed(Parameters(Page { page })).await?);
        }
        Ok(pages.join(", "))
    }

    /// Calls a read, and warns of something else meanwhile.
    #[tool(annotations(read_only_hint = true))]
    async fn book_noted(&self, Parameters(page): Parameters<Page>) -> Result<String, Failure> {
        let warns = async {
            sleep(TAKES / 2).await;
            CallContext::current().expect("a context").warn("of the caller");
        };
        tokio::join!(self.book_keyed(Parameters(page)), warns).0
    }

    /// Calls itself for the pages before.
    #[resilient(cache(fresh = "10s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn book_until(&self, Parameters(Page { page }): Parameters<Page>) -> Result<String, Failure> {
        let before = if page > 1 {
            Box::pin(self.book_until(Parameters(Page { page: page - 1 }))).await?
        } else {
            String::new()
        };
        Ok(before + &self.page(page).await?)
    }
}

impl Book {
    async fn page(&self, page: u32) -> Result<String, Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        sleep(TAKES).await;
        Ok(format!("<{page}>"))
    }
}

impl ServerHandler for Book {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.registry.clone().scope(Self::tools().call(ToolCallContext::new(self, request, context))).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_another_tool_calls_is_not_answered_by_the_arguments_of_the_request() {
    let book = Book::default();
    let client = connect(book.clone()).await;
    for expected in ["<1>, <1>, <2>, <2>", "<2>, <2>, <3>, <3>"] {
        let page = if expected.starts_with("<1>") { 1 } else { 2 };
        let spread = call(&client, "book_spread", &json!({ "page": page })).await;
        assert_eq!(text(&spread), expected);
        let of_call = meta(&spread, CALL);
        assert_eq!(
            (&of_call["source"], &of_call["attempts"]),
            (&Value::Null, &json!(1)),
            "the hits within are not its"
        );
    }
    let alone = call(&client, "book_page", &json!({ "page": 2 })).await;
    assert_eq!(text(&alone), "<2>");
    let runs = book.runs.load(Ordering::Relaxed);
    assert_eq!(text(&call(&client, "book_keyed", &json!({ "page": 3 })).await), "<3>");
    assert_eq!(book.runs.load(Ordering::Relaxed), runs, "with a key it is kept by the calls of another tool too");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_calls_itself_does_not_wait_for_itself() {
    let book = Book::default();
    let client = connect(book.clone()).await;
    let started = Instant::now();
    let until = call(&client, "book_until", &json!({ "page": 3 })).await;
    assert_eq!((text(&until).as_str(), started.elapsed()), ("<1><2><3>", 3 * TAKES));
    assert_eq!(text(&call(&client, "book_until", &json!({ "page": 3 })).await), "<1><2><3>");
    assert_eq!(started.elapsed(), 3 * TAKES);
}

#[tokio::test(start_paused = true)]
async fn a_read_keeps_no_warnings_of_the_tool_that_calls_it() {
    let client = connect(Book::default()).await;
    let noted = call(&client, "book_noted", &json!({ "page": 1 })).await;
    assert_eq!((text(&noted).as_str(), &meta(&noted, CALL)["warnings"]), ("<1>", &json!(["of the caller"])));
    let kept = meta(&call(&client, "book_keyed", &json!({ "page": 1 })).await, CALL);
    assert_eq!((&kept["source"], &kept["warnings"]), (&json!("cache"), &Value::Null));
}
