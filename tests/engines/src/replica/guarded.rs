//! The guarded functions, and the dependency of one of them.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

use resilient_runtime::{McpError, ResilienceError, resilient};
use serde::Deserialize;

use super::millis;

/// The breaker of [`make`].
pub(super) const BREAKER: &str = "make";

/// A flapping dependency is down for this time in each of these periods.
const DOWN_MS: u64 = 200;
const PERIOD_MS: u64 = 800;

static DEPENDENCY: AtomicU8 = AtomicU8::new(Dependency::Up as u8);

/// How the dependency of [`make`] answers this replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dependency {
    Up,
    Down,
    /// It is down for a part of each second.
    Flapping,
}

impl Dependency {
    pub(super) fn set(self) {
        DEPENDENCY.store(self as u8, Ordering::Relaxed);
    }

    fn is_up() -> bool {
        match DEPENDENCY.load(Ordering::Relaxed) {
            up if up == Self::Up as u8 => true,
            down if down == Self::Down as u8 => false,
            _ => millis(SystemTime::now()) % PERIOD_MS >= DOWN_MS,
        }
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("the dependency is down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// A limit that all replicas reach.
#[resilient(rate_limit(rate = "100/1s", burst = 10, name = "search", distributed))]
async fn search() -> Result<(), Failure> {
    Ok(())
}

/// A limit that no call reaches.
#[resilient(rate_limit(rate = "1000000/1s", name = "unreached", distributed))]
async fn unreached() -> Result<(), Failure> {
    Ok(())
}

#[resilient(breaker(name = "make", failures = 5, open = "10s", distributed))]
async fn make() -> Result<(), Failure> {
    if Dependency::is_up() { Ok(()) } else { Err(Failure::Down) }
}

/// One of the functions.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    Search,
    Unreached,
    Make,
}

impl Function {
    /// Calls it, and returns how the call ended.
    pub(super) async fn call(self) -> &'static str {
        let ended = match self {
            Self::Search => search().await,
            Self::Unreached => unreached().await,
            Self::Make => make().await,
        };
        match ended {
            Ok(()) => ADMITTED,
            Err(Failure::Down) => "down",
            Err(Failure::Resilience(ResilienceError::Overloaded { .. })) => "rate_limited",
            Err(Failure::Resilience(ResilienceError::CircuitOpen { .. })) => "circuit_open",
            Err(Failure::Resilience(_)) => "other",
        }
    }
}

/// How a call ended that was admitted and whose dependency was up.
pub(super) const ADMITTED: &str = "ok";
