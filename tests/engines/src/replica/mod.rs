//! One replica of a server without a transport: it receives commands as lines of JSON on stdin, and answers each with a
//! line of JSON on stdout, in this order.
//!
//! What replicas share is in the Redis of `RESILIENT_REDIS_URL`.

mod guarded;
mod load;
mod stalls;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use resilient_redis::ResilienceExt as _;
use resilient_runtime::{Registry, Resilience, export};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

use guarded::{Dependency, Function};

/// A line on stdin.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    /// Calls a function at a constant rate, without waiting for the end of a call. The answer is a [`load::Report`].
    Load { function: Function, seconds: f64, per_second: u32 },
    /// Calls a function this often, one call after another. The answer has the number of calls by their end.
    Calls { function: Function, number: u32 },
    /// Changes the dependency of this replica.
    Dependency { state: Dependency },
    /// Reads the state and the transitions of the breaker.
    Breaker,
    /// Reads how often Redis did not decide, by the part that degraded.
    Degraded,
}

pub(crate) fn main() -> ExitCode {
    crate::exit_code(run())
}

/// With one thread, a stall of the process is a stall of each call, so that [`stalls`] sees all of them.
#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Box<dyn Error>> {
    let _logging = resilient_runtime::logging::init();
    let _running = Resilience::from_env().breaker(guarded::BREAKER).redis_from_env().start()?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line)? {
            Command::Load { function, seconds, per_second } => {
                serde_json::to_value(load::run(function, Duration::from_secs_f64(seconds), per_second).await?)?
            }
            Command::Calls { function, number } => {
                let mut ended: BTreeMap<_, u32> = BTreeMap::new();
                for _ in 0..number {
                    *ended.entry(function.call().await).or_default() += 1;
                }
                json!(ended)
            }
            Command::Dependency { state } => {
                state.set();
                json!(null)
            }
            Command::Breaker => breaker(),
            Command::Degraded => json!(degraded()),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

/// The state of the breaker, its transitions and the number of calls that it rejected.
fn breaker() -> Value {
    let Some(make) = Registry::global().breakers().into_iter().find(|breaker| breaker.name == guarded::BREAKER) else {
        return json!(null);
    };
    let transition = |moved: &resilient_runtime::breaker::Transition| {
        let (from, to, reason) = (moved.from.as_str(), moved.to.as_str(), moved.reason.as_str());
        json!({ "from": from, "to": to, "reason": reason, "at_ms": millis(moved.at) })
    };
    let transitions: Vec<_> = make.transitions.iter().map(transition).collect();
    json!({ "state": make.state.as_str(), "rejected": make.rejected, "transitions": transitions })
}

/// How often Redis did not decide, by the part that degraded.
fn degraded() -> BTreeMap<String, u64> {
    const SERIES: &str = "resilient_distributed_degraded_total{part=\"";
    let text = export::prometheus::global_text();
    let series = text.lines().filter_map(|line| line.strip_prefix(SERIES)?.split_once("\"} "));
    series.map(|(part, value)| (part.to_owned(), value.parse().unwrap_or_default())).collect()
}

/// The milliseconds since 1970.
fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
