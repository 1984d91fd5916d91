//! An HTTP server on loopback that answers every request with 200 and records it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::child::PATIENCE;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the body contains these bytes.
    #[must_use]
    pub fn holds(&self, what: impl AsRef<[u8]>) -> bool {
        let what = what.as_ref();
        self.body.windows(what.len()).any(|window| window == what)
    }
}

/// The server. It stops with the runtime.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    received: watch::Receiver<Vec<Received>>,
}

impl Receiver {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (keep, received) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keep = keep.clone();
                tokio::spawn(async move {
                    let _ = serve(stream, &keep).await;
                });
            }
        });
        Ok(Self { address, received })
    }

    /// Its address, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// Waits for a matching request.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn wait_for(&self, fits: impl Fn(&Received) -> bool) -> io::Result<Received> {
        let mut received = self.received.clone();
        let found = received.wait_for(|all| all.iter().any(&fits));
        let all = match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(all)) => all.clone(),
            _ => return Err(io::Error::other("no such request came")),
        };
        all.into_iter().find(fits).ok_or_else(|| io::Error::other("the request is gone"))
    }
}

/// Answers all requests of one connection.
async fn serve(stream: TcpStream, keep: &watch::Sender<Vec<Received>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.and_then(|(_, length)| length.parse().ok()).unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        keep.send_modify(|all| all.push(Received { path, headers, body }));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}
