//! `POST /webhooks/make`: a scenario reports how its execution ended.
//!
//! The sender repeats an event until the response is 2xx or 4xx, so the status says whether a repetition may help: 429
//! and 5xx if so, with `Retry-After`. The events of an id that was taken are not taken again.

mod refusal;
mod secret;
mod seen;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use resilient_runtime::{
    Guard, Policy,
    policy::{BreakerUse, RateLimitSettings, RateLimitUse},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

pub(super) use self::secret::Secret;
use self::{
    refusal::Refusal,
    seen::{Seen, Sight},
};
use crate::{api::MakeApi, types::RunKey};

/// The maximum size of an event in bytes.
const LARGEST: usize = 16 << 10;

/// The time within which an event must have arrived.
const LONGEST: Duration = Duration::from_secs(5);

/// What an event leads to. It has the breaker of the tools, because it has their upstream, and no retries: the sender
/// repeats the event, and holds no connection meanwhile.
pub(super) static WORK: Guard = Guard::new(
    "make_webhook",
    Policy::new()
        .timeout(Duration::from_secs(4))
        .rate_limit(RateLimitUse::new(RateLimitSettings::new(10, Duration::from_secs(1)).burst(20)))
        .breaker(BreakerUse::named("make")),
);

/// An event. Unknown fields are ignored, because a scenario may send more than this server needs.
#[derive(Deserialize)]
struct Event {
    /// The id of the event, the same for each repetition.
    id: RunKey,
    /// The scenario whose execution ended.
    scenario_id: u64,
    /// How it ended.
    status: Ended,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Success,
    Warning,
    Error,
}

struct Receiver {
    api: MakeApi,
    secret: Secret,
    seen: Seen,
}

/// Creates the route for senders that know the secret.
pub(super) fn router(api: MakeApi, secret: Secret) -> Router {
    let receiver = Receiver { api, secret, seen: Seen::default() };
    Router::new()
        .route("/webhooks/make", post(receive))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Arc::new(receiver))
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    match receiver.take(request).await {
        Ok(is_repeated) => Json(json!({ "taken": true, "repeated": is_repeated })).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

impl Receiver {
    /// Takes an event. Returns whether it was taken before.
    async fn take(&self, request: Request) -> Result<bool, Refusal> {
        // Before the body is read, so that strangers cannot send one.
        if !self.secret.is_in(request.headers()) {
            return Err(Refusal::secret());
        }
        let event = read(request).await?;
        let taking = match self.seen.look(event.id.as_str()) {
            Sight::New(taking) => taking,
            Sight::BeingTaken => return Err(Refusal::being_taken()),
            Sight::Taken => return Ok(true),
        };
        // Dropped before its end, for example because the sender has disconnected or the work failed, the id counts as
        // not taken, so that a repetition does the work.
        let scenario = WORK.call(|| self.api.scenario(event.scenario_id)).await.map_err(|error| Refusal::of(&error))?;
        taking.done();
        tracing::info!(
            event = "webhook.taken",
            scenario = scenario.id,
            ended = ?event.status,
            is_active = scenario.is_active,
            is_invalid = scenario.is_invalid,
            dlq_count = scenario.dlq_count,
        );
        Ok(false)
    }
}

/// Reads an event, of which neither size nor duration is unbounded.
async fn read(request: Request) -> Result<Event, Refusal> {
    if !is_json(request.headers()) {
        return Err(Refusal::body(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected `Content-Type: application/json`"));
    }
    let body = match timeout(LONGEST, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(Refusal::body(StatusCode::PAYLOAD_TOO_LARGE, "an event has at most 16 KiB"));
        }
        Ok(Err(_)) => return Err(Refusal::body(StatusCode::BAD_REQUEST, "the event could not be read")),
        Err(_) => return Err(Refusal::body(StatusCode::REQUEST_TIMEOUT, "the event did not arrive within 5 s")),
    };
    // The error of the parser is not repeated, because it may contain what the event contains.
    serde_json::from_slice(&body).map_err(|_| {
        let expected = "expected an object with `id` (1 to 64 letters, digits, `-` or `_`), `scenario_id` and `status` (`success`, \
                        `warning` or `error`)";
        Refusal::body(StatusCode::BAD_REQUEST, expected)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sent.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
