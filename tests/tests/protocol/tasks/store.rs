//! With a store, the deferred writes of a caller are tasks, beside those of the server.

use std::time::{Duration, SystemTime};

use resilient_runtime::Resilience;
use resilient_runtime::deferred::{
    Claim, ClaimToken, ClaimedTool, DeferredSettings, DeferredStore as _, Failure, NewEntry, NextTry, Put, Receipt,
    Scope, Timestamp,
};
use resilient_runtime::startup::Handle;
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_tests::wire::text;
use rmcp::model::{RequestMetaObject, TaskPayload, TaskStatus};
use serde_json::{Value, json};

use super::*;

/// A server whose store the test fills: no tool of it defers its writes.
pub(super) struct Filled {
    pub(super) client: Client,
    store: MemoryStore,
    _running: Handle,
}

pub(super) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    Timestamp::default().after(since_1970)
}

impl Filled {
    pub(super) async fn new() -> Self {
        let (store, server) = (MemoryStore::default(), Authenticated::default());
        let of_worker = server.clone();
        let start = Resilience::from_env().tools(Shop::tools).deferred(store.clone(), move || of_worker.clone());
        Self { _running: start.start().expect("a valid set-up"), client: connect(server).await, store }
    }

    /// Stores a write of this user, which is due after this delay. Returns its receipt.
    pub(super) async fn defer(&self, user: &str, key: &str, delay: Duration) -> String {
        let (receipt, now) = (Receipt::random().expect("random bits"), now());
        let write = NewEntry {
            receipt,
            scope: Scope {
                server: "shop".into(),
                tool: "order".into(),
                principal: format!("p:{user}"),
                key: key.into(),
            },
            arguments: "{}".into(),
            correlation_id: "0af7651916cd43dd8448eb211c80319c".into(),
            policy: DeferredSettings::new(),
            due: now.after(delay),
            now,
        };
        assert!(matches!(self.store.put(write).await.expect("stored"), Put::Accepted(_)));
        receipt.to_string()
    }

    /// Claims the only due write for a try.
    pub(super) async fn claim(&self) -> ClaimToken {
        let tools = vec![ClaimedTool { name: "order".into(), lease: Duration::from_secs(20) }];
        let claim = Claim { server: "shop".into(), tools, limit: 1, now: now() };
        self.store.claim(&claim).await.expect("claimed").entries[0].token()
    }

    pub(super) async fn complete(&self, token: ClaimToken, result: &Value) {
        let completed = self.store.complete(token, Some(result.to_string()), now()).await;
        assert!(completed.expect("completed").is_some());
    }

    async fn fail(&self, token: ClaimToken, result: &Value, next: NextTry) {
        let failure = Failure { code: "DOWN".into(), result: Some(result.to_string()), next };
        assert!(self.store.fail(token, failure, now()).await.expect("failed").is_some());
    }

    async fn get(&self, user: &str, id: &str) -> Result<GetTaskResult, ServiceError> {
        let mut request = GetTaskParams::new(id);
        request.meta = Some(of(user));
        self.client.get_task(request).await
    }

    async fn cancel(&self, user: &str, id: &str) -> Result<(), ServiceError> {
        let mut request = CancelTaskParams::new(id);
        request.meta = Some(of(user));
        self.client.cancel_task(request).await
    }

    async fn update(&self, user: &str, id: &str) -> Result<(), ServiceError> {
        let mut request = UpdateTaskParams::new(id, InputResponses::default());
        request.meta = Some(of(user));
        self.client.update_task(request).await
    }

    async fn status(&self, user: &str, id: &str) -> TaskStatus {
        self.get(user, id).await.expect("a task").task.status()
    }
}

/// The `_meta` of a request of this user.
pub(super) fn of(user: &str) -> RequestMetaObject {
    let mut meta = RequestMetaObject::new();
    meta.0.0.insert("user".into(), json!(user));
    meta
}

const LATER: Duration = Duration::from_secs(30);

/// These tests run in separate processes, because a store is set once for a whole process.
#[tokio::test]
async fn a_caller_polls_its_write_and_no_other_caller_can() {
    if ran_in_a_child() {
        return;
    }
    let shop = Filled::new().await;
    assert!(shop.client.peer_info().expect("a server").capabilities.supports_tasks());
    let receipt = shop.defer("ann", "1", LATER).await;
    let task = shop.get("ann", &receipt).await.expect("a task").task.task;
    assert_eq!((task.task_id, task.status), (receipt.clone(), TaskStatus::Working));
    assert_eq!(task.ttl_ms, Some(24 * 60 * 60 * 1000));
    let poll = task.poll_interval_ms.expect("an interval");
    // The clock of the server may differ from that of the test by the rounding to milliseconds.
    assert!((1_000..=30_100).contains(&poll), "{poll}");
    shop.update("ann", &receipt).await.expect("acknowledged");
    for (user, id) in [("bob", receipt.clone()), ("ann", "rsl-7".into()), ("ann", Receipt::from_bits(7).to_string())] {
        assert_eq!(refused(shop.get(user, &id).await), ErrorCode::INVALID_PARAMS, "{user} {id}");
        assert_eq!(refused(shop.update(user, &id).await), ErrorCode::INVALID_PARAMS, "{user} {id}");
        assert_eq!(refused(shop.cancel(user, &id).await), ErrorCode::INVALID_PARAMS, "{user} {id}");
    }
    // A caller that is not authenticated.
    assert_eq!(refused(shop.client.get_task(GetTaskParams::new(receipt.clone())).await), ErrorCode::INVALID_PARAMS);
    assert_eq!(shop.status("ann", &receipt).await, TaskStatus::Working);
    // A client that has not declared the extension gets the error of the protocol.
    let without = ().serve(serve(Authenticated::default())).await.expect("a server");
    assert_eq!(refused(without.get_task(GetTaskParams::new(receipt.clone())).await).0, -32021);
}

#[tokio::test]
async fn a_task_ends_as_its_delivery_does() {
    if ran_in_a_child() {
        return;
    }
    let shop = Filled::new().await;
    let good = json!({ "content": [], "structuredContent": { "id": 7 } });
    let bad = json!({ "content": [], "isError": true });
    let error = json!({ "code": -33001, "message": "no such order" });
    let receipt = shop.defer("ann", "done", Duration::ZERO).await;
    let token = shop.claim().await;
    assert_eq!(shop.status("ann", &receipt).await, TaskStatus::Working);
    shop.complete(token, &good).await;
    let ended = shop.get("ann", &receipt).await.expect("a task").task.payload;
    assert_eq!(ended, TaskPayload::Completed { result: good.as_object().expect("an object").clone() });
    for (key, result) in [("dead", &bad), ("of the protocol", &error)] {
        let receipt = shop.defer("ann", key, Duration::ZERO).await;
        let token = shop.claim().await;
        shop.fail(token, result, NextTry::Never).await;
        let object = result.as_object().expect("an object").clone();
        let expected = match key {
            "dead" => TaskPayload::Completed { result: object },
            _ => TaskPayload::Failed { error: object },
        };
        assert_eq!(shop.get("ann", &receipt).await.expect("a task").task.payload, expected);
    }
}

#[tokio::test]
async fn a_cancelled_write_ends_at_once_or_after_its_try_unless_that_succeeds() {
    if ran_in_a_child() {
        return;
    }
    let shop = Filled::new().await;
    let (good, bad) = (json!({ "content": [] }), json!({ "content": [], "isError": true }));
    let waiting = shop.defer("ann", "waiting", LATER).await;
    shop.cancel("ann", &waiting).await.expect("acknowledged");
    assert_eq!(shop.status("ann", &waiting).await, TaskStatus::Cancelled);
    for succeeds in [false, true] {
        let running = shop.defer("ann", &succeeds.to_string(), Duration::ZERO).await;
        let token = shop.claim().await;
        shop.cancel("ann", &running).await.expect("acknowledged");
        assert_eq!(shop.status("ann", &running).await, TaskStatus::Working);
        if succeeds {
            shop.complete(token, &good).await;
        } else {
            shop.fail(token, &bad, NextTry::At(now().after(LATER))).await;
        }
        let expected = if succeeds { TaskStatus::Completed } else { TaskStatus::Cancelled };
        assert_eq!(shop.status("ann", &running).await, expected);
        // A second time, it changes nothing.
        shop.cancel("ann", &running).await.expect("acknowledged");
        assert_eq!(shop.status("ann", &running).await, expected);
    }
}

#[tokio::test]
async fn the_task_manager_of_rmcp_stands_beside_deferred_writes() {
    if ran_in_a_child() {
        return;
    }
    let shop = Filled::new().await;
    let deferred = shop.defer("ann", "1", LATER).await;
    let mut count = CallToolRequestParams::new("count");
    count.meta = Some(of("ann"));
    let answer = shop.client.call_tool(count).await.expect("an answer");
    let own = answer.content[0].as_text().expect("a text").text.clone();
    assert!(matches!(shop.status("ann", &own).await, TaskStatus::Working | TaskStatus::Completed));
    shop.cancel("ann", &own).await.expect("acknowledged");
    assert_eq!(shop.status("ann", &deferred).await, TaskStatus::Working);
    assert_eq!(refused(shop.get("ann", "nope").await), ErrorCode::INVALID_PARAMS);
    assert_eq!(refused(shop.update("ann", &own).await), ErrorCode::METHOD_NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_deferred_call_is_a_task_that_a_client_polls_to_its_end() {
    if ran_in_a_child() {
        return;
    }
    let shop = Filled::new().await;
    let mut book = CallToolRequestParams::new("book");
    book.meta = Some(of("ann"));
    let CallToolResponse::Task(created) = shop.client.call_tool_once(book.clone()).await.expect("an answer") else {
        panic!("not a task");
    };
    let (id, status) = (created.task.task_id, created.task.status);
    assert!(id.starts_with(Receipt::PREFIX) && status == TaskStatus::Working, "{id} {status:?}");
    let task = loop {
        let task = shop.get("ann", &id).await.expect("a task").task;
        let Some(wait) = task.task.poll_interval_ms.filter(|_| task.status() == TaskStatus::Working) else {
            break task;
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    };
    let TaskPayload::Completed { result } = task.payload else { panic!("{task:?}") };
    assert_eq!(result["content"][0]["text"], "room 7", "{result:?}");
    // A client that knows no tasks gets a text, which names the tool that it can call.
    let client = ().serve(serve(Authenticated::default())).await.expect("a server");
    book.meta = Some(of("bob"));
    let text = text(&client.call_tool(book).await.expect("an answer"));
    assert!(text.starts_with("ACCEPTED_FOR_LATER rsl-") && text.contains("`deferred_status`"), "{text}");
}
