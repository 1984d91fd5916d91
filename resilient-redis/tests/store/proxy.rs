//! A slow network between a client and a server.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_redis::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::RedisServer;

/// Passes requests and answers on, and lets some of them wait.
pub(crate) struct Proxy {
    port: u16,
    network: Arc<Network>,
    task: AbortHandle,
}

#[derive(Default)]
struct Network {
    /// Whether the first connection holds its requests.
    is_held: watch::Sender<bool>,
    /// Whether it has held some. Then its client receives no more answers.
    was_held: AtomicBool,
    /// The number of answers that the client of the first connection did not receive.
    late: AtomicUsize,
    /// The delays of the next scripts.
    delays: Mutex<VecDeque<Duration>>,
    /// By how many seconds the clock of Redis is ahead.
    ahead: AtomicUsize,
    /// Whether the next answer has the time.
    asked_for_time: AtomicBool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (port, target) = (listener.local_addr().expect("an address").port(), server.port());
        let network = Arc::new(Network::default());
        let shared = Arc::clone(&network);
        let accepting = async move {
            let mut is_first = true;
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", target)).await.expect("a server");
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(requests(Arc::clone(&shared), is_first, from_client, to_server));
                tokio::spawn(answers(Arc::clone(&shared), is_first, from_server, to_client));
                is_first = false;
            }
        };
        Self { port, network, task: tokio::spawn(accepting).abort_handle() }
    }

    pub(crate) fn redis(&self) -> Redis {
        Redis::new(&format!("redis://127.0.0.1:{}", self.port))
    }

    /// Holds the requests of the first connection until they are released.
    pub(crate) fn hold(&self) {
        self.network.was_held.store(true, Ordering::Relaxed);
        self.network.is_held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.network.is_held.send_replace(false);
    }

    /// Returns the number of answers to what was held.
    pub(crate) fn late_answers(&self) -> usize {
        self.network.late.load(Ordering::Relaxed)
    }

    /// Delays the next scripts.
    pub(crate) fn delay_scripts(&self, delays: impl IntoIterator<Item = Duration>) {
        self.network.delays.lock().expect("no panic").extend(delays);
    }

    /// Puts the clock of Redis forward.
    pub(crate) fn put_clock_forward(&self, seconds: usize) {
        self.network.ahead.store(seconds, Ordering::Relaxed);
    }
}

async fn requests(
    network: Arc<Network>,
    is_first: bool,
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
) -> io::Result<()> {
    let (mut held, mut buffer) = (network.is_held.subscribe(), vec![0; 1 << 16]);
    loop {
        let length = client.read(&mut buffer).await?;
        if is_first {
            let _ = held.wait_for(|is_held| !is_held).await;
        }
        if length == 0 {
            return Ok(());
        }
        let request = &buffer[..length];
        if contains(request, b"EVALSHA") {
            let delay = network.delays.lock().expect("no panic").pop_front();
            tokio::time::sleep(delay.unwrap_or_default()).await;
        }
        if contains(request, b"\r\nTIME\r\n") {
            network.asked_for_time.store(true, Ordering::Relaxed);
        }
        server.write_all(request).await?;
    }
}

async fn answers(
    network: Arc<Network>,
    is_first: bool,
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = server.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if is_first && network.was_held.load(Ordering::Relaxed) {
            network.late.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let mut answer = buffer[..length].to_vec();
        // An array whose first text are the seconds.
        if network.asked_for_time.load(Ordering::Relaxed) && answer.starts_with(b"*2\r\n$10\r\n") {
            network.asked_for_time.store(false, Ordering::Relaxed);
            let seconds = std::str::from_utf8(&answer[9..19]).expect("digits").parse::<usize>().expect("a time");
            let ahead = seconds + network.ahead.load(Ordering::Relaxed);
            answer.splice(9..19, ahead.to_string().into_bytes());
        }
        client.write_all(&answer).await?;
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
