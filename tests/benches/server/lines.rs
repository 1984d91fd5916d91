//! The lines of a client, without a client.

use std::time::Instant;

use rmcp::{ServerHandler, ServiceExt};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::runtime::{Builder, Runtime};

const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"#,
    r#""clientInfo":{"name":"bench","version":"1"}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    "\n",
);

/// A server, and the other end of its transport. Both run in one thread.
pub(crate) struct Lines {
    runtime: Runtime,
    write: WriteHalf<DuplexStream>,
    read: BufReader<ReadHalf<DuplexStream>>,
    answer: String,
}

impl Lines {
    /// Starts the server.
    pub(crate) fn to(server: impl ServerHandler) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        runtime.spawn(async move {
            let running = server.serve(theirs).await.expect("a client");
            running.waiting().await.expect("no panic");
        });
        let (read, write) = tokio::io::split(ours);
        let mut lines = Self { runtime, write, read: BufReader::new(read), answer: String::new() };
        lines.call(INITIALIZE, 1);
        lines
    }

    /// Writes a line and reads the answer, a number of times.
    pub(crate) fn call(&mut self, line: &str, times: u64) {
        let Self { runtime, write, read, answer } = self;
        runtime.block_on(async {
            for _ in 0..times {
                once(write, read, answer, line).await;
            }
        });
        assert!(answer.contains(r#""result""#) && !answer.contains(r#""isError":true"#), "{answer}");
    }

    /// Returns the duration of each of several calls, one after the other, in microseconds.
    pub(crate) fn samples(&mut self, line: &str, calls: usize) -> Vec<f64> {
        let Self { runtime, write, read, answer } = self;
        runtime.block_on(async {
            let mut samples = Vec::with_capacity(calls);
            for _ in 0..calls {
                let started = Instant::now();
                once(write, read, answer, line).await;
                samples.push(started.elapsed().as_secs_f64() * 1e6);
            }
            samples
        })
    }
}

async fn once(
    write: &mut WriteHalf<DuplexStream>,
    read: &mut BufReader<ReadHalf<DuplexStream>>,
    answer: &mut String,
    line: &str,
) {
    write.write_all(line.as_bytes()).await.expect("a server");
    answer.clear();
    read.read_line(answer).await.expect("an answer");
}
