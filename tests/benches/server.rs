//! A complete call of an rmcp tool in one process, with client and server connected by a pipe in memory: bare, and with
//! all guards, including the hook and `_meta`. `cargo bench -p resilient-bench --bench server` prints calls per second,
//! the median and the 99th percentile of one call at a time, and allocations per call, and writes
//! `target/server.json`.

use std::fs;
use std::sync::LazyLock;
use std::time::Instant;

use resilient_bench::interleaved::{TURN, Way, time};
use resilient_bench::{Error, demand_a_servers_clock, target};
use resilient_runtime::mcp::CALL_META;
use resilient_runtime::resilient;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ErrorData, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Two {
    a: i64,
    b: i64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Sum {
    sum: i64,
}

struct Bare;

#[tool_router]
impl Bare {
    /// Does nothing.
    #[tool]
    async fn nothing(&self) -> String {
        String::new()
    }

    /// Adds two numbers.
    #[tool]
    async fn sum(&self, Parameters(Two { a, b }): Parameters<Two>) -> Json<Sum> {
        Json(Sum { sum: a.wrapping_add(b) })
    }

    /// Adds two numbers, later.
    #[tool]
    async fn later(&self, Parameters(Two { a, b }): Parameters<Two>) -> Json<Sum> {
        tokio::task::yield_now().await;
        Json(Sum { sum: a.wrapping_add(b) })
    }
}

// The router is built only once, like ours, so that only the calls are compared.
#[tool_handler(router = BARE)]
impl ServerHandler for Bare {}

static BARE: LazyLock<ToolRouter<Bare>> = LazyLock::new(Bare::tool_router);

/// Like [`Bare`], but with the same `_meta` in its responses as the guarded server. The cost of more text in the
/// transport, serde and the client is not a cost of the guard.
struct Disclosing;

#[tool_router]
impl Disclosing {
    /// Does nothing.
    #[tool]
    async fn nothing(&self) -> Result<CallToolResult, ErrorData> {
        disclosed(String::new())
    }

    /// Adds two numbers.
    #[tool]
    async fn sum(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<CallToolResult, ErrorData> {
        disclosed(Json(Sum { sum: a.wrapping_add(b) }))
    }

    /// Adds two numbers, later.
    #[tool]
    async fn later(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<CallToolResult, ErrorData> {
        tokio::task::yield_now().await;
        disclosed(Json(Sum { sum: a.wrapping_add(b) }))
    }
}

fn disclosed(answer: impl IntoCallToolResult) -> Result<CallToolResult, ErrorData> {
    let mut result = answer.into_call_tool_result()?;
    let call = json!({ "correlation_id": format!("{:032x}", std::hint::black_box(7_u128)), "attempts": 1 });
    if let CallToolResponse::Complete(result) = &mut result {
        result.meta.get_or_insert_default().0.insert(CALL_META.into(), call);
    }
    match result {
        CallToolResponse::Complete(result) => Ok(result),
        _ => Err(ErrorData::internal_error("no result", None)),
    }
}

#[tool_handler(router = DISCLOSING)]
impl ServerHandler for Disclosing {}

static DISCLOSING: LazyLock<ToolRouter<Disclosing>> = LazyLock::new(Disclosing::tool_router);

struct Guarded;

#[resilient(retry = 3, breaker = "server", timeout = "30s")]
#[tool_router(server_handler)]
impl Guarded {
    /// Does nothing.
    #[tool(annotations(read_only_hint = true))]
    async fn nothing(&self) -> Result<String, Error> {
        Ok(String::new())
    }

    /// Adds two numbers.
    #[tool(annotations(read_only_hint = true))]
    async fn sum(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<Json<Sum>, Error> {
        Ok(Json(Sum { sum: a.wrapping_add(b) }))
    }

    /// Adds two numbers, later.
    #[tool(annotations(read_only_hint = true))]
    async fn later(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<Json<Sum>, Error> {
        tokio::task::yield_now().await;
        Ok(Json(Sum { sum: a.wrapping_add(b) }))
    }
}

type Client = RunningService<RoleClient, ()>;

fn connect<S: ServerHandler>(runtime: &Runtime, server: S) -> Client {
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let running = server.serve(theirs).await.expect("a client");
            running.waiting().await.expect("no panic");
        });
        ().serve(ours).await.expect("a server")
    })
}

async fn call(client: &Client, tool: &'static str, arguments: &Value) {
    let asked = CallToolRequestParams::new(tool).with_arguments(arguments.as_object().cloned().unwrap_or_default());
    let answer = client.call_tool(asked).await.expect("an answer");
    assert_ne!(answer.is_error, Some(true));
}

/// Returns the median and the 99th percentile of one call at a time, in microseconds.
fn percentiles(runtime: &Runtime, client: &Client, tool: &'static str, arguments: &Value) -> (f64, f64) {
    const CALLS: usize = 20_000;
    let mut samples: Vec<f64> = runtime.block_on(async {
        let mut samples = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            call(client, tool, arguments).await;
            samples.push(started.elapsed().as_secs_f64() * 1e6);
        }
        samples
    });
    samples.sort_by(f64::total_cmp);
    (samples[CALLS / 2], samples[CALLS * 99 / 100])
}

fn main() {
    demand_a_servers_clock();
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (bare, disclosing) = (connect(&runtime, Bare), connect(&runtime, Disclosing));
    let guarded = connect(&runtime, Guarded);
    let two = json!({ "a": 1, "b": 2 });
    println!(
        "{:<10}{:<20}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "", "calls/s", "µs/call", "/ bare", "p50 µs", "p99 µs", "allocs"
    );
    let mut rows = Vec::new();
    for (tool, arguments) in [("nothing", json!({})), ("sum", two.clone()), ("later", two)] {
        let ways = [("bare", &bare), ("bare, same `_meta`", &disclosing), ("guarded", &guarded)];
        let mut repeated = ways.map(|(name, client)| {
            let (runtime, arguments) = (&runtime, &arguments);
            Way::new(name, move |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        call(client, tool, arguments).await;
                    }
                });
            })
        });
        let allocations: Vec<f64> = repeated.iter_mut().map(Way::allocations).collect();
        let times = time(&mut repeated, TURN, || {});
        for (index, (name, client)) in ways.into_iter().enumerate() {
            let (p50, p99) = percentiles(&runtime, client, tool, &arguments);
            let (ns, over) = (times[index], times[index] / times[0]);
            println!(
                "{:<10}{name:<20}{:>12.0}{:>10.2}{over:>10.3}{p50:>10.2}{p99:>10.2}{:>10.1}",
                if index == 0 { tool } else { "" },
                1e9 / ns,
                ns / 1e3,
                allocations[index]
            );
            rows.push(json!({
                "tool": tool, "way": name, "calls_a_second": 1e9 / ns, "us": ns / 1e3, "to_bare": over,
                "p50_us": p50, "p99_us": p99, "allocations": allocations[index],
            }));
        }
    }
    let file = target().join("server.json");
    fs::write(&file, format!("{:#}\n", Value::Array(rows))).expect("the results can be written");
    println!("\nwritten to {}", file.display());
}
