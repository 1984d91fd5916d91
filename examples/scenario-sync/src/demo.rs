//! A simulation of the service: three scenarios, versions, idempotency keys, and an outage on request.
//!
//! The first change whose synchronisation has an id such as `outage-20s-1` takes the service down for 20 s, at once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, patch},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::types::{Field, Fields, Scenario, Scenarios};

/// The only token that the service accepts.
pub const DEMO_TOKEN: &str = "demo-token-90a1-must-never-be-seen";

/// The shortest time between two runs of a scenario, in minutes.
const SHORTEST_INTERVAL: u32 = 5;

/// The simulated service. A clone is the same service.
#[derive(Clone)]
pub struct Service(Arc<Mutex<Records>>);

struct Records {
    scenarios: BTreeMap<u64, Record>,
    /// The responses to changes that succeeded, by their idempotency key.
    done: HashMap<String, Scenario>,
    /// Keys that have caused an outage.
    outages: HashSet<String>,
    down: Down,
}

/// When the service is down.
enum Down {
    Never,
    Until(Instant),
    /// For changes of this scenario.
    For(u64),
}

struct Record {
    scenario: Scenario,
    /// The version in which each field was changed last.
    changed: BTreeMap<Field, u64>,
}

impl Record {
    fn set(&mut self, fields: &Fields) {
        self.scenario.version += 1;
        for field in fields.names() {
            self.changed.insert(field, self.scenario.version);
        }
        let Fields { name, enabled, interval_minutes } = fields.clone();
        let scenario = &mut self.scenario;
        scenario.name = name.unwrap_or_else(|| scenario.name.clone());
        scenario.enabled = enabled.unwrap_or(scenario.enabled);
        scenario.interval_minutes = interval_minutes.unwrap_or(scenario.interval_minutes);
    }
}

impl Service {
    /// Creates a service with three scenarios. The name of the second was changed in version 2, its interval in
    /// version 3.
    #[must_use]
    pub fn new() -> Self {
        let record = |id, name: &str, interval_minutes| {
            let scenario = Scenario { id, version: 1, name: name.to_owned(), enabled: true, interval_minutes };
            (id, Record { scenario, changed: BTreeMap::new() })
        };
        let scenarios = BTreeMap::from([
            record(1, "Import orders", 15),
            record(2, "Invoices", 60),
            record(3, "Clean up the archive", 1_440),
        ]);
        let records = Records { scenarios, done: HashMap::new(), outages: HashSet::new(), down: Down::Never };
        let service = Self(Arc::new(Mutex::new(records)));
        service.edit(2, &Fields { name: Some("Send invoices".to_owned()), ..Fields::default() });
        service.edit(2, &Fields { interval_minutes: Some(30), ..Fields::default() });
        service
    }

    /// The routes of the service.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/scenarios", get(list))
            .route("/scenarios/{id}", patch(change))
            .layer(from_fn_with_state(self.clone(), misbehave))
            .with_state(self.clone())
    }

    /// Takes the service down: it responds to every request with 503.
    pub fn go_down(&self, time: Duration) {
        self.records().down = Down::Until(Instant::now() + time);
    }

    /// Takes the part of the service down that changes this scenario.
    pub fn go_down_for(&self, id: u64) {
        self.records().down = Down::For(id);
    }

    /// Ends an outage.
    pub fn come_back(&self) {
        self.records().down = Down::Never;
    }

    /// Changes a scenario as another client of the service would.
    pub fn edit(&self, id: u64, fields: &Fields) {
        if let Some(record) = self.records().scenarios.get_mut(&id) {
            record.set(fields);
        }
    }

    /// The scenario with this id.
    #[must_use]
    pub fn scenario(&self, id: u64) -> Option<Scenario> {
        self.records().scenarios.get(&id).map(|record| record.scenario.clone())
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// Checks the token, and begins and keeps up outages.
async fn misbehave(State(service): State<Service>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent.strip_prefix("Bearer ") != Some(DEMO_TOKEN) {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    let is_down = {
        let mut records = service.records();
        if let Some((key, time)) = outage(key(request.headers()))
            && records.outages.insert(key.to_owned())
        {
            records.down = Down::Until(Instant::now() + time);
        }
        match records.down {
            Down::Never => false,
            Down::Until(end) => Instant::now() < end,
            Down::For(id) => request.uri().path().ends_with(&format!("/{id}")),
        }
    };
    if is_down {
        return (StatusCode::SERVICE_UNAVAILABLE, "node 7 must-never-be-seen").into_response();
    }
    next.run(request).await
}

/// Reads the synchronisation and the time of an outage from a key such as `outage-20s-1.3`.
fn outage(key: &str) -> Option<(&str, Duration)> {
    let (request, _) = key.rsplit_once('.')?;
    let (seconds, _) = request.strip_prefix("outage-")?.split_once("s-")?;
    Some((request, Duration::from_secs(seconds.parse().ok()?)))
}

fn key(headers: &HeaderMap) -> &str {
    headers.get("Idempotency-Key").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn list(State(service): State<Service>) -> Json<Scenarios> {
    Json(Scenarios { scenarios: service.records().scenarios.values().map(|record| record.scenario.clone()).collect() })
}

#[derive(Deserialize)]
struct Body {
    version: u64,
    set: Fields,
}

async fn change(
    State(service): State<Service>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(Body { version, set }): Json<Body>,
) -> Response {
    let mut records = service.records();
    let key = key(&headers);
    if let Some(scenario) = records.done.get(key) {
        return Json(scenario).into_response();
    }
    let Some(record) = records.scenarios.get_mut(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if set.interval_minutes.is_some_and(|minutes| minutes < SHORTEST_INTERVAL) {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    if record.scenario.version != version {
        let changed: Vec<_> = record.changed.iter().filter(|(_, at)| **at > version).map(|(field, _)| field).collect();
        let body = json!({ "scenario": record.scenario, "changed": changed });
        return (StatusCode::CONFLICT, Json(body)).into_response();
    }
    record.set(&set);
    let scenario = record.scenario.clone();
    if !key.is_empty() {
        records.done.insert(key.to_owned(), scenario.clone());
    }
    Json(scenario).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_requests_an_outage() {
        assert_eq!(outage("outage-20s-1.3"), Some(("outage-20s-1", Duration::from_secs(20))));
        for key in ["", "a.1", "outage-20s.1", "outage-soon-1.1", "outage-20s-1"] {
            assert_eq!(outage(key), None, "{key}");
        }
    }
}
