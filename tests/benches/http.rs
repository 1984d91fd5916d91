//! A call of a tool over a kept connection of streamable HTTP, on loopback: bare, bare with the same `_meta`, and
//! guarded. `cargo bench -p resilient-bench --bench http` prints requests per second, the median and the 99th
//! percentile, with one call at a time and with 50, and writes `target/http.json`.
//!
//! The servers (rmcp behind axum, with a runtime of tokio for each) and the client (blocking, one thread for each
//! connection) are different threads of one process, so they share its processors: with 50 calls at a time, the client
//! is part of what limits the requests per second. The servers take turns.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::{fs, io, thread};

use axum::Router;
use axum::serve::ListenerExt;
use resilient_bench::client::{AT_A_TIME, Calls, Client};
use resilient_bench::{Error, demand_a_servers_clock, target};
use resilient_runtime::mcp::CALL_META;
use resilient_runtime::resilient;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// The number of turns of each server, and of calls in a turn.
const TURNS: usize = 100;
const CALLS: u64 = 100;
const MANY_CALLS: u64 = 500;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

struct Bare;

#[tool_router]
impl Bare {
    /// Returns the text.
    #[tool]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        text
    }
}

#[tool_handler(router = BARE)]
impl ServerHandler for Bare {}

static BARE: LazyLock<ToolRouter<Bare>> = LazyLock::new(Bare::tool_router);

/// Like [`Bare`], but with the same `_meta` in its responses as the guarded server.
struct Disclosing;

#[tool_router]
impl Disclosing {
    /// Returns the text.
    #[tool]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> Result<CallToolResult, ErrorData> {
        let call = json!({ "correlation_id": format!("{:032x}", std::hint::black_box(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128)), "attempts": 1 });
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.meta.get_or_insert_default().0.insert(CALL_META.into(), call);
        Ok(result)
    }
}

#[tool_handler(router = DISCLOSING)]
impl ServerHandler for Disclosing {}

static DISCLOSING: LazyLock<ToolRouter<Disclosing>> = LazyLock::new(Disclosing::tool_router);

struct Guarded;

#[resilient(retry = 3, breaker = "server", timeout = "30s")]
#[tool_router(server_handler)]
impl Guarded {
    /// Returns the text.
    #[tool(annotations(read_only_hint = true))]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> Result<String, Error> {
        Ok(text)
    }
}

/// A server, its client, and the calls of one and of many at a time.
struct Way {
    name: &'static str,
    client: Client,
    one: Calls,
    many: Calls,
}

impl Way {
    fn new<S: ServerHandler>(name: &'static str, server: fn() -> S) -> io::Result<Self> {
        let mut client = Client::over_http(serve(server)?, "/mcp", "echo")?;
        client.list_tools()?;
        Ok(Self { name, client, one: Calls::default(), many: Calls::default() })
    }

    fn turn(&mut self) -> io::Result<()> {
        let one = self.client.one_at_a_time(CALLS)?;
        self.one.extend(one);
        let many = self.client.many_at_a_time(MANY_CALLS)?;
        self.many.extend(many);
        Ok(())
    }
}

/// Serves in separate threads until the process ends.
fn serve<S: ServerHandler>(server: fn() -> S) -> io::Result<SocketAddr> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        runtime.block_on(async {
            // Without this, each response waits for the client's delayed acknowledgement, 40 ms.
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            let sessions = Arc::new(LocalSessionManager::default());
            let config = StreamableHttpServerConfig::default();
            let service = StreamableHttpService::new(move || Ok(server()), sessions, config);
            axum::serve(listener, Router::new().route_service("/mcp", service)).await
        })
    });
    Ok(address)
}

fn main() -> io::Result<()> {
    demand_a_servers_clock();
    let mut ways =
        [Way::new("bare", || Bare)?, Way::new("bare, same `_meta`", || Disclosing)?, Way::new("guarded", || Guarded)?];
    // The first turns are not measured.
    for turn in 0..TURNS + 5 {
        if turn == 5 {
            for way in &mut ways {
                (way.one, way.many) = Default::default();
            }
        }
        // The order rotates, so that no server always follows the same other one.
        for place in 0..3 {
            ways[(place + turn) % 3].turn()?;
        }
    }
    println!(
        "{:<14}{:<20}{:>12}{:>10}{:>10}{:>10}{:>12}",
        "at a time", "", "requests/s", "/ bare", "p50 µs", "p99 µs", "p50 / bare"
    );
    let mut rows = Vec::new();
    for (at_a_time, of) in [(1, (|way| &mut way.one) as fn(&mut Way) -> &mut Calls), (AT_A_TIME, |way| &mut way.many)] {
        let mut first: Option<[f64; 3]> = None;
        for way in &mut ways {
            let figures = figures(of(way));
            let [rate, p50, p99] = figures;
            let bare = *first.get_or_insert(figures);
            let name = way.name;
            println!(
                "{at_a_time:<14}{name:<20}{rate:>12.0}{:>10.3}{p50:>10.1}{p99:>10.1}{:>12.3}",
                bare[0] / rate,
                p50 / bare[1]
            );
            rows.push(json!({
                "at_a_time": at_a_time, "way": name, "requests_a_second": rate, "p50_us": p50, "p99_us": p99,
                "time_to_bare": bare[0] / rate, "p50_to_bare": p50 / bare[1],
            }));
        }
    }
    let file = target().join("http.json");
    fs::write(&file, format!("{:#}\n", Value::Array(rows)))?;
    println!("\n{TURNS} turns of {CALLS} and {MANY_CALLS} calls each; written to {}", file.display());
    Ok(())
}

/// Returns the requests per second, and the median and the 99th percentile in microseconds.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn figures(calls: &mut Calls) -> [f64; 3] {
    calls.latencies.sort_unstable();
    let at = |percent: usize| calls.latencies[calls.latencies.len() * percent / 100].as_secs_f64() * 1e6;
    [calls.latencies.len() as f64 / calls.took.as_secs_f64(), at(50), at(99)]
}
