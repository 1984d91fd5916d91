//! A server with a status page, and what a browser does with it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use resilient_policy::{BreakerUse, ErrorKind, Policy, Severity};
use tower::ServiceExt as _;

use crate::ResilienceError;
use crate::gate::{Gate, Gated};
use crate::guard::Guard;
use crate::health::Health;
use crate::http::Admin;
use crate::identity::CorrelationId;
use crate::outcomes::Outcome;
use crate::registry::Registry;
use crate::statistics::{ErrorType, RecentError};

pub(super) const TOKEN: &str = "0123456789abcdef";

pub(super) struct Server {
    pub(super) registry: Arc<Registry>,
    router: Router,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    /// A server with a token, so that it has forms.
    pub(super) fn new() -> Self {
        Self::with(|admin| admin.token(TOKEN).unwrap())
    }

    pub(super) fn with(configure: impl FnOnce(Admin) -> Admin) -> Self {
        let registry = Arc::new(Registry::new());
        let router = configure(Admin::new(Arc::new(Health::of(&registry)))).router();
        Self { registry, router }
    }

    /// Adds a tool that can be turned off.
    #[expect(clippy::unused_self, reason = "the tools of all servers of a process are known together")]
    pub(super) fn knows(&self, tool: &str) {
        Gate::knows(&Gated { names: [tool, tool], features: &[], writes: false, reads: true, is_critical: false });
    }

    /// Opens the breaker `shop`.
    pub(super) async fn break_shop(&self) {
        static GUARD: Guard = Guard::new("page_test_shop", Policy::new().breaker(BreakerUse::named("shop")));
        let answer = Arc::clone(&self.registry).scope(GUARD.call(async || Ok::<_, ResilienceError>(7))).await;
        assert_eq!(answer, Ok(7));
        self.registry.breaker("shop").unwrap().open();
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(super) async fn get(&self, path: &str, accept: &str) -> Answer {
        let request = Request::get(path).header("host", "localhost").header("accept", accept);
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn page(&self, path: &str) -> Answer {
        let answer = self.get(path, "text/html").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer
    }

    /// Sends a form as a browser does.
    pub(super) async fn post(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path).header("host", "localhost").header("origin", "http://localhost");
        let request = request.header("accept", "text/html,*/*;q=0.8");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.to_owned().into()).unwrap()).await
    }
}

/// Counts errors of a tool, each after 12 ms.
pub(super) fn fail(registry: &Registry, tool: &str, times: usize) {
    let tool = registry.statistics(tool);
    for _ in 0..times {
        tool.call_started();
        tool.failed("MAKE_DOWN", ErrorKind::Unavailable, Severity::High);
        tool.call_ended(Outcome::Error, None, Some(ErrorType::ToolError), Some(Duration::from_millis(12)));
    }
}

/// An error with this text, which had `length` characters.
pub(super) fn error(tool: &str, text: &str, length: usize) -> RecentError {
    RecentError {
        at: SystemTime::now(),
        correlation_id: CorrelationId::random(),
        tool: tool.into(),
        code: "MAKE_DOWN".into(),
        kind: ErrorKind::Unavailable,
        text: text.into(),
        length,
        attempts: 3,
        principal: None,
    }
}
