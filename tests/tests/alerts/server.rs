//! A receiver of alerts on loopback, which does what the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    Accept,
    Hang,
    Answer(u16),
    Redirect(String),
}

/// A request that arrived, with any answer.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

#[derive(Debug)]
struct Shared {
    mode: Mode,
    arrived: Vec<Arrived>,
    accepted: Vec<Arrived>,
}

/// The receiver. It is down until it is started, and after it was stopped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a receiver.
    pub(crate) async fn start(mode: Mode) -> Self {
        let mut server = Self::down(mode).await;
        server.resume().await;
        server
    }

    /// Reserves a port and leaves it closed.
    pub(crate) async fn down(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared { mode, arrived: Vec::new(), accepted: Vec::new() }));
        Self { address, shared, task: None }
    }

    /// Listens from now on.
    pub(crate) async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port");
        let routes = Router::new().fallback(receive).with_state(Arc::clone(&self.shared));
        self.task = Some(tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("the server runs");
        }));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.lock().mode = mode;
    }

    /// All requests.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.lock().arrived.clone()
    }

    /// The requests that were answered with 200.
    pub(crate) fn accepted(&self) -> Vec<Arrived> {
        self.lock().accepted.clone()
    }

    /// The names of the alerts in accepted requests with this status in a webhook, in their order.
    pub(crate) fn notified(&self, status: &str) -> Vec<String> {
        let of_status = |arrived: &Arrived| (arrived.body["status"] == status).then(|| arrived.body.clone());
        let name = |body: Value| body["groupLabels"]["alertname"].as_str().expect("a name").to_owned();
        self.accepted().iter().filter_map(of_status).map(name).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn receive(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let arrived = Arrived {
        path: uri.path().to_owned(),
        authorization: authorization.map(str::to_owned),
        body: serde_json::from_slice(&body).expect("JSON"),
    };
    let mode = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.arrived.push(arrived.clone());
        if let Mode::Accept = shared.mode {
            shared.accepted.push(arrived);
        }
        shared.mode.clone()
    };
    match mode {
        Mode::Accept => StatusCode::OK.into_response(),
        Mode::Hang => std::future::pending().await,
        Mode::Answer(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Mode::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
    }
}
