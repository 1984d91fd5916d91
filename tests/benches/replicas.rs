//! What sharing with other replicas adds to a call: calls without a limit, with a limit and a breaker of this process, and
//! with those that all replicas share in Redis, which run in turns in one process. `redis-server` has to be installed, or
//! named by `REDIS_SERVER`.
//!
//! `cargo bench -p resilient-bench --bench replicas` prints the median and the 99th percentile of a call and its round
//! trips to Redis, and writes `target/replicas.json`. Redis runs on loopback: between machines, the round trip
//! of the network is added to each call with a shared limit, and to no other call.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use resilient_bench::{Error, demand_a_servers_clock, target};
use resilient_redis::ResilienceExt;
use resilient_runtime::{Resilience, resilient};
use serde_json::{Value, json};
use tokio::runtime::Builder;

/// The number of turns of each way, and of calls in a turn.
const ROUNDS: usize = 400;
const CALLS: usize = 25;

#[resilient(timeout = "30s")]
async fn plain() -> Result<(), Error> {
    Ok(())
}

#[resilient(timeout = "30s", rate_limit(rate = "10000000/1s", name = "local"))]
async fn limited() -> Result<(), Error> {
    Ok(())
}

#[resilient(timeout = "30s", rate_limit(rate = "10000000/1s", name = "shared", distributed))]
async fn limited_together() -> Result<(), Error> {
    Ok(())
}

#[resilient(timeout = "30s", breaker = "local")]
async fn broken() -> Result<(), Error> {
    Ok(())
}

#[resilient(timeout = "30s", breaker(name = "shared", distributed))]
async fn broken_together() -> Result<(), Error> {
    Ok(())
}

/// The end of a call.
type Called = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A way to call, and how long its calls took.
struct Way {
    name: &'static str,
    call: fn() -> Called,
    took: Vec<Duration>,
    /// The round trips to Redis during its turns.
    round_trips: u64,
}

fn ways() -> [Way; 5] {
    let way = |name, call| Way { name, call, took: Vec::with_capacity(ROUNDS * CALLS), round_trips: 0 };
    [
        way("timeout alone", || Box::pin(plain())),
        way("limit of this process", || Box::pin(limited())),
        way("limit of all replicas", || Box::pin(limited_together())),
        way("breaker of this process", || Box::pin(broken())),
        way("breaker that others hear of", || Box::pin(broken_together())),
    ]
}

fn main() -> io::Result<()> {
    demand_a_servers_clock();
    let redis = Redis::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut ways = ways();
    runtime.block_on(async {
        let variables = std::iter::empty();
        let _running = Resilience::from_variables(variables).redis(redis.url()).start().map_err(io::Error::other)?;
        // The first calls connect and load the script.
        turns(&mut ways, &redis, 4).await?;
        for way in &mut ways {
            way.took.clear();
            way.round_trips = 0;
        }
        turns(&mut ways, &redis, ROUNDS).await
    })?;
    let rows: Vec<Value> = ways.iter_mut().map(Way::row).collect();
    for row in &rows {
        let text = |key: &str| row[key].as_f64().unwrap_or_default();
        let name = row["way"].as_str().unwrap_or_default();
        let (median, most, trips) = (text("p50"), text("p99"), text("round_trips"));
        println!("{name:<30} p50 {median:>9.2} µs   p99 {most:>9.2} µs   {trips:>5.3} round trips");
    }
    println!("{} calls each, in turns of {CALLS}", ROUNDS * CALLS);
    let file = target().join("replicas.json");
    fs::write(&file, format!("{:#}\n", Value::Array(rows)))?;
    println!("written to {}", file.display());
    Ok(())
}

/// Lets all ways take turns.
async fn turns(ways: &mut [Way], redis: &Redis, rounds: usize) -> io::Result<()> {
    for _ in 0..rounds {
        for way in &mut *ways {
            let before = redis.round_trips()?;
            for _ in 0..CALLS {
                let started = Instant::now();
                let ended = (way.call)().await;
                way.took.push(started.elapsed());
                ended.map_err(io::Error::other)?;
            }
            way.round_trips += redis.round_trips()? - before;
        }
    }
    Ok(())
}

impl Way {
    fn row(&mut self) -> Value {
        self.took.sort_unstable();
        let at = |percent: usize| self.took[self.took.len() * percent / 100].as_secs_f64() * 1e6;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let round_trips = self.round_trips as f64 / self.took.len() as f64;
        json!({ "way": self.name, "p50": at(50), "p99": at(99), "round_trips": round_trips })
    }
}

/// A Redis on a free port, which is killed on drop.
struct Redis {
    process: Child,
    port: u16,
    /// A connection that reads figures.
    connection: Cell<Option<BufReader<TcpStream>>>,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> io::Result<Self> {
        let program = env::var_os("REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(&program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"]).arg(folder.path());
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let process = started.map_err(|error| {
            let program = Path::new(&program).display();
            io::Error::other(format!("{program}: {error}; install redis-server, or set REDIS_SERVER"))
        })?;
        let redis = Self { process, port, connection: Cell::default(), _folder: folder };
        let begun = Instant::now();
        loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    redis.connection.set(Some(BufReader::new(stream)));
                    return Ok(redis);
                }
                Err(error) if begun.elapsed() > Duration::from_secs(10) => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The number of round trips of calls so far: scripts. What a script runs itself is none, and neither are this
    /// question and the one for the news of all breakers once a second.
    fn round_trips(&self) -> io::Result<u64> {
        let mut connection = self.connection.take().ok_or_else(|| io::Error::other("no connection"))?;
        let text = info(&mut connection)?;
        self.connection.set(Some(connection));
        let calls = |line: &str| {
            let (_, figures) = line.strip_prefix("cmdstat_eval")?.split_once(":calls=")?;
            figures.split(',').next()?.parse::<u64>().ok()
        };
        Ok(text.lines().filter_map(calls).sum())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks how often which command ran.
fn info(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    connection.get_mut().write_all(b"INFO commandstats\r\n")?;
    let mut length = String::new();
    connection.read_line(&mut length)?;
    let length: usize = length.trim_start_matches('$').trim().parse().map_err(io::Error::other)?;
    let mut text = vec![0; length + 2];
    connection.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}
