//! Alerts that the process evaluates and sends itself: an outage in paused time, sinks that fail, and settings.

mod outage;
mod server;
mod settings;
mod sinks;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::alerts::{Alert, AlertState, Alerts};
use resilient_runtime::startup::Handle;
use resilient_runtime::{Registry, Resilience, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::loopback;
use tokio::time::sleep;

/// The time between two evaluations.
const STEP: Duration = Duration::from_secs(15);

#[resilient(name = "list", timeout = "10s")]
async fn list(is_down: bool) -> Result<u32, Failure> {
    if is_down { Err(Failure::Down) } else { Ok(1) }
}

#[resilient(name = "pay", timeout = "10s", breaker(name = "bank", open = "30s"))]
async fn pay(is_down: bool) -> Result<u32, Failure> {
    if is_down { Err(Failure::Down) } else { Ok(1) }
}

/// A server with two functions, whose alerts are evaluated.
struct Shop {
    registry: Arc<Registry>,
    settings: Handle,
}

impl Shop {
    /// Starts it. From now on, the test runs a second behind the evaluations.
    async fn start(alerts: Alerts) -> Self {
        let registry = Arc::new(Registry::new());
        let alerts = alerts.client(loopback::client());
        let settings = Resilience::from_variables([]).alerts(alerts).start_with(&registry).expect("valid settings");
        sleep(Duration::from_secs(1)).await;
        Self { registry, settings }
    }

    /// Makes 15 calls, and waits until a second after the next evaluation.
    async fn step(&self, is_down: bool) {
        self.registry
            .clone()
            .scope(async {
                for _ in 0..10 {
                    let _ = list(is_down).await;
                }
                for _ in 0..5 {
                    let _ = pay(is_down).await;
                }
            })
            .await;
        sleep(STEP).await;
    }

    /// Makes calls until something fires.
    async fn fire(&self) {
        for _ in 0..20 {
            self.step(true).await;
            if !self.firing().is_empty() {
                return;
            }
        }
        panic!("nothing fires: {:?}", self.registry.alerts());
    }

    /// Makes calls that succeed, until nothing is pending or fires.
    async fn recover(&self) {
        for _ in 0..300 {
            self.step(false).await;
            if self.registry.alerts().is_empty() {
                return;
            }
        }
        panic!("these do not end: {:?}", self.registry.alerts());
    }

    fn firing(&self) -> Vec<Alert> {
        self.registry.alerts().into_iter().filter(|alert| alert.state == AlertState::Firing).collect()
    }

    /// Reads a series of lost changes.
    fn lost(&self, sink: &str) -> u64 {
        let text = resilient_runtime::export::prometheus::text(&self.registry);
        let name = format!("resilient_alerts_lost_total{{sink=\"{sink}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)).expect("the series");
        value.parse().expect("a number")
    }
}
