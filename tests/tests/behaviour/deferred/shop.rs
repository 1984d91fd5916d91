//! A shop whose service can be down, and a store that can fail.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::deferred::{
    Cancellation, Claim, ClaimToken, Claims, Counts, DeferredStore, Entry, Failure as Failed, Filter, Found, NewEntry,
    Put, Receipt, Retried, Scope, StoreError, StoreErrorKind, StoreFuture, Summary, Swept, Timestamp, Viewer,
};
use resilient_runtime::testing::Lab;
use resilient_runtime::testing::deferred::{MemoryStore, defer_to};
use resilient_runtime::{McpError, ResilienceError, ToolError, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, connect};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use tokio_util::sync::CancellationToken;

/// What the service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Service {
    #[default]
    Up,
    Down,
    Hangs,
    Missing,
    Panics,
}

/// The shop. Its clones share the service.
#[derive(Debug, Clone, Default)]
pub(super) struct Shop {
    service: Arc<Mutex<Service>>,
    ran: Arc<AtomicU32>,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Order {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    article: u32,
}

#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
struct Placed {
    id: u32,
}

/// An error that shows nothing of the framework's.
#[derive(Debug, thiserror::Error, McpError)]
#[error("lost")]
#[mcp(kind = internal)]
struct Lossy;

impl From<ResilienceError> for Lossy {
    fn from(_: ResilienceError) -> Self {
        Self
    }
}

/// An error that cannot be made.
#[derive(Debug, thiserror::Error, McpError)]
#[error("down")]
#[mcp(kind = unavailable)]
struct Panicky;

impl From<ResilienceError> for Panicky {
    fn from(error: ResilienceError) -> Self {
        panic!("no {}", error.code())
    }
}

/// An error that requests a delay.
#[derive(Debug, thiserror::Error, McpError)]
enum Limited {
    #[error("limited")]
    #[mcp(kind = rate_limited)]
    Until {
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[resilient(timeout = "2s")]
#[tool_router(server_handler)]
impl Shop {
    /// Orders an article.
    #[resilient(breaker(name = "deferring_shop", failures = 3), fallback = deferred, deferred(key = req.key))]
    #[tool]
    async fn order(&self, Parameters(req): Parameters<Order>) -> Result<String, Failure> {
        self.serve().await.map(|id| format!("order {id} of {}", req.article))
    }

    /// Sets the number of an article.
    #[resilient(fallback = deferred, idempotent)]
    #[tool]
    async fn set(&self, Parameters(_req): Parameters<Order>) -> Result<String, Failure> {
        self.serve().await.map(|_| "set".into())
    }

    /// Orders an article, with a result for programs.
    #[resilient(fallback = deferred, deferred(key = req.key))]
    #[tool]
    async fn order_typed(&self, Parameters(req): Parameters<Order>) -> Result<Json<Placed>, Failure> {
        let _ = req.article;
        self.serve().await.map(|id| Json(Placed { id }))
    }

    /// Orders, with another error.
    #[resilient(fallback = deferred, idempotent)]
    #[tool]
    async fn order_lossy(&self) -> Result<String, Lossy> {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Err(Lossy)
    }

    /// Orders, with an error that panics.
    #[resilient(fallback = deferred, idempotent)]
    #[tool]
    async fn order_panicky(&self) -> Result<String, Panicky> {
        self.serve().await.map(|_| "done".into()).map_err(|_| Panicky)
    }

    /// Orders soon or never.
    #[resilient(fallback = deferred, deferred(tries = 3, ttl = "20m"), idempotent)]
    #[tool]
    async fn order_soon(&self, Parameters(req): Parameters<Order>) -> Result<String, Limited> {
        Err(Limited::Until { wait: Some(Duration::from_secs(req.article.into())) })
    }

    /// Orders once at a time.
    #[resilient(fallback = deferred, idempotent, bulkhead = 1)]
    #[tool]
    async fn order_alone(&self, Parameters(_req): Parameters<Order>) -> Result<String, Failure> {
        self.serve().await.map(|_| "done".into())
    }
}

impl Shop {
    pub(super) fn turn(&self, service: Service) {
        *self.service.lock().expect("no panic") = service;
    }

    /// Returns how often a body has run.
    pub(super) fn ran(&self) -> u32 {
        self.ran.load(Ordering::Relaxed)
    }

    /// Calls a tool's function without a route.
    pub(super) async fn alone(&self) -> Result<String, Failure> {
        self.set(Parameters(Order { key: None, article: 1 })).await
    }

    async fn serve(&self) -> Result<u32, Failure> {
        let number = self.ran.fetch_add(1, Ordering::Relaxed) + 1;
        let service = *self.service.lock().expect("no panic");
        match service {
            Service::Up => Ok(number),
            Service::Down => Err(Failure::Down),
            Service::Hangs => std::future::pending().await,
            Service::Missing => Err(Failure::Missing),
            Service::Panics => panic!("in the body"),
        }
    }
}

/// A shop in a lab, with its store, and a client of it.
pub(super) struct Fixture {
    pub(super) shop: Shop,
    pub(super) store: Faulty,
    pub(super) client: Client,
}

/// Serves a shop that is down, to a client with a lasting principal.
pub(super) async fn down(lab: &Lab) -> Fixture {
    let (shop, store) = (Shop::default(), Faulty::default());
    defer_to(lab.registry(), Arc::new(store.clone()), "shop");
    lab.set_principal(Some("user 4711"));
    shop.turn(Service::Down);
    let client = connect(shop.clone()).await;
    Fixture { shop, store, client }
}

/// What a store does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Fails(StoreErrorKind),
    /// It is slower by this time.
    Takes(Duration),
    Hangs,
    Panics,
}

/// A store in memory some of whose methods can fail.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    pub(super) inner: MemoryStore,
    pub(super) put: Arc<Mutex<Option<Fault>>>,
    pub(super) find: Arc<Mutex<Option<Fault>>>,
    pub(super) share: Arc<Mutex<Option<Fault>>>,
    pub(super) withdraw: Arc<Mutex<Option<Fault>>>,
    pub(super) get: Arc<Mutex<Option<Fault>>>,
    /// The fault of `get` after the next cancellation.
    pub(super) get_after_cancel: Arc<Mutex<Option<Fault>>>,
    /// The request that its client cancels just when the next call is stored.
    pub(super) leaving: Arc<Mutex<Option<CancellationToken>>>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

async fn apply(fault: Option<Fault>) -> Result<(), StoreError> {
    match fault {
        None => Ok(()),
        Some(Fault::Fails(kind)) => Err(StoreError::new(kind, "injected")),
        Some(Fault::Takes(time)) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Some(Fault::Panics) => panic!("a store that panics"),
        Some(Fault::Hangs) => std::future::pending().await,
    }
}

impl Faulty {
    pub(super) async fn counts(&self) -> Counts {
        self.inner.counts(None).await.expect("a store in memory")
    }

    /// Returns the only entry.
    pub(super) async fn entry(&self) -> Entry {
        let all = self.inner.list(&Filter::default()).await.expect("a store in memory");
        let [only] = &*all else { panic!("{all:?}") };
        self.inner.get(only.receipt, &Viewer::Operator).await.expect("a store in memory").expect("an entry")
    }
}

impl DeferredStore for Faulty {
    fn put(&self, entry: NewEntry) -> StoreFuture<'_, Put> {
        let fault = *self.put.lock().expect("no panic");
        Box::pin(async move {
            apply(fault).await?;
            let put = self.inner.put(entry).await;
            if let Some(request) = self.leaving.lock().expect("no panic").take() {
                request.cancel();
            }
            put
        })
    }

    fn find<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        let fault = *self.find.lock().expect("no panic");
        Box::pin(async move {
            apply(fault).await?;
            self.inner.find(scope, arguments, now).await
        })
    }

    fn share<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        let fault = *self.share.lock().expect("no panic");
        Box::pin(async move {
            apply(fault).await?;
            self.inner.share(scope, arguments, now).await
        })
    }

    fn withdraw(&self, receipt: Receipt) -> StoreFuture<'_, bool> {
        let fault = *self.withdraw.lock().expect("no panic");
        Box::pin(async move {
            apply(fault).await?;
            self.inner.withdraw(receipt).await
        })
    }

    fn get<'a>(&'a self, receipt: Receipt, viewer: &'a Viewer) -> StoreFuture<'a, Option<Entry>> {
        let fault = *self.get.lock().expect("no panic");
        Box::pin(async move {
            apply(fault).await?;
            self.inner.get(receipt, viewer).await
        })
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, Claims> {
        self.inner.claim(claim)
    }

    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>> {
        self.inner.renew(token, lease, now)
    }

    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.inner.complete(token, result, now)
    }

    fn fail(&self, token: ClaimToken, failure: Failed, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.inner.fail(token, failure, now)
    }

    fn postpone(&self, token: ClaimToken, until: Timestamp, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.inner.postpone(token, until, now)
    }

    fn cancel<'a>(
        &'a self,
        receipt: Receipt,
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Cancellation>> {
        Box::pin(async move {
            let cancelled = self.inner.cancel(receipt, viewer, now).await;
            *self.get.lock().expect("no panic") = self.get_after_cancel.lock().expect("no panic").take();
            cancelled
        })
    }

    fn retry(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, Retried> {
        self.inner.retry(receipt, now)
    }

    fn discard(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, bool> {
        self.inner.discard(receipt, now)
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Summary>> {
        self.inner.list(filter)
    }

    fn counts<'a>(&'a self, server: Option<&'a str>) -> StoreFuture<'a, Counts> {
        self.inner.counts(server)
    }

    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64> {
        self.inner.recover(server, now)
    }

    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept> {
        self.inner.sweep(server, now)
    }

    fn check(&self) -> StoreFuture<'_, ()> {
        self.inner.check()
    }
}
