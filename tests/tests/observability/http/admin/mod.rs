//! The routes for operators: who may use them, what they change, and that the token is in no response and no log.

mod access;
mod bodies;
mod changes;
mod reloads;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::request::Builder;
use http::{HeaderMap, Method, Request, StatusCode};
use resilient_runtime::Registry;
use resilient_runtime::export::prometheus;
use resilient_runtime::health::Health;
use resilient_runtime::http::Admin;
use resilient_tests::logs::{Events, Listening, listen};
use serde_json::Value;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

const TOKEN: &str = "only-operators-know-it";
const WRONG: &str = "only-operators-knew-it";
const FORM: &str = "application/x-www-form-urlencoded";

/// A router for operators, with its registry and the log of this thread.
struct Operators {
    router: Router,
    registry: Arc<Registry>,
    events: Events,
    _log: Listening,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
    }
}

impl Operators {
    fn new() -> Self {
        Self::with(|admin| admin.token(TOKEN).expect("a token"))
    }

    fn with(set: impl FnOnce(Admin) -> Admin) -> Self {
        Self::of(&Arc::new(Registry::new()), set)
    }

    /// The routes for this registry.
    fn of(registry: &Arc<Registry>, set: impl FnOnce(Admin) -> Admin) -> Self {
        let router = set(Admin::new(Arc::new(Health::of(registry)))).router();
        let events = Events::default();
        let log = listen(tracing_subscriber::registry().with(events.clone()));
        Self { router, registry: Arc::clone(registry), events, _log: log }
    }

    /// Sends a request. Asserts that neither the response nor the log contains the token, and that no header is missing.
    async fn send(&self, request: Request<Body>) -> Answer {
        let path = request.uri().path().to_owned();
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a body");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        let shown = format!("{:?} {} {:?}", answer.headers, answer.text, self.events.seen());
        assert!(!shown.contains(TOKEN), "{path}: {shown}");
        if answer.status != StatusCode::NOT_FOUND || !answer.text.is_empty() {
            for (name, value) in [
                (
                    "content-security-policy",
                    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
                ),
                ("referrer-policy", "same-origin"),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(answer.header(name), [value], "{path}: {name}");
            }
        }
        answer
    }

    /// Sends a change in JSON with the token as bearer.
    async fn change(&self, path: &str, body: &str) -> Answer {
        self.send(
            bearer(to(Method::POST, path), TOKEN)
                .header("content-type", "application/json")
                .body(body.to_owned().into())
                .expect("a request"),
        )
        .await
    }

    /// The reasons of the refusals in the log.
    fn refused(&self) -> Vec<String> {
        let lines = self.events.seen();
        let refused = lines.iter().filter_map(|line| line.strip_prefix("WARN event=\"admin.refused\" reason=\""));
        refused.map(|reason| reason.trim_end().trim_end_matches('"').to_owned()).collect()
    }

    /// The changes in the log.
    fn changed(&self) -> Vec<String> {
        let lines = self.events.seen();
        let changed = lines.iter().filter_map(|line| line.strip_prefix("WARN event=\"admin.changed\" "));
        changed.map(|change| change.trim_end().to_owned()).collect()
    }

    /// The count of a reason in the metrics.
    fn counted(&self, reason: &str) -> u64 {
        let text = prometheus::text(&self.registry);
        let series = format!("resilient_admin_refused_total{{reason=\"{reason}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&series));
        count.unwrap_or_else(|| panic!("no {series} in {text}")).parse().expect("a number")
    }
}

/// Begins a request to this machine.
fn to(method: Method, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header("host", "localhost:8001")
}

fn bearer(request: Builder, token: &str) -> Builder {
    request.header("authorization", format!("Bearer {token}"))
}

fn basic(request: Builder, password: &str) -> Builder {
    request.header("authorization", format!("Basic {}", base64(&format!("ann:{password}"))))
}

fn empty(request: Builder) -> Request<Body> {
    request.body(Body::empty()).expect("a request")
}

fn form(request: Builder, body: &str) -> Request<Body> {
    request.header("content-type", FORM).body(body.to_owned().into()).expect("a request")
}

/// Encodes a text for HTTP Basic.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().chain([&0, &0]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for n in 0..4 {
            let digit = ALPHABET[bits >> (18 - 6 * n) & 63];
            encoded.push(if n <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}
