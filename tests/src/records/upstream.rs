//! An upstream that recognises the key of a request that it has already fulfilled.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{KEY, Record};
use crate::child::PATIENCE;
use crate::loopback;

/// How the upstream treats requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each request takes effect, once for each key.
    Up,
    /// No request takes effect, and the answer says so.
    Down,
    /// No request takes effect, and none is answered.
    Hangs,
    /// Each request takes effect, and none is answered.
    HangsAfterEffect,
}

/// What the upstream has seen of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The record that was written.
    pub record: Record,
    /// How often the record was written.
    pub effects: u32,
    /// The number of further requests, which only got the answer.
    pub repeated: u32,
}

#[derive(Debug)]
struct Book {
    mode: Mode,
    by_key: BTreeMap<String, Seen>,
    /// Requests with the key of another record.
    conflicts: Vec<Record>,
}

/// The upstream, in the process of the test.
#[derive(Debug)]
pub struct Upstream {
    book: Arc<Mutex<Book>>,
    requests: watch::Receiver<u64>,
    serving: loopback::Upstream,
}

#[derive(Debug, Clone)]
struct Shared {
    book: Arc<Mutex<Book>>,
    requests: watch::Sender<u64>,
}

impl Upstream {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(mode: Mode) -> io::Result<Self> {
        let book = Arc::new(Mutex::new(Book { mode, by_key: BTreeMap::new(), conflicts: Vec::new() }));
        let (sender, requests) = watch::channel(0);
        let shared = Shared { book: Arc::clone(&book), requests: sender };
        let routes = Router::new().route("/", post(answer)).with_state(shared);
        Ok(Self { book, requests, serving: loopback::Upstream::start(routes).await? })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/", self.serving.origin())
    }

    /// Sets how it treats requests from now on.
    pub fn set(&self, mode: Mode) {
        lock(&self.book).mode = mode;
    }

    /// Sets how it treats requests from now on, and waits for the next one.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn set_until_request(&self, mode: Mode) -> io::Result<()> {
        let mut requests = self.requests.clone();
        let before = {
            let mut book = lock(&self.book);
            book.mode = mode;
            *requests.borrow()
        };
        let next = requests.wait_for(|now| *now > before);
        match timeout(PATIENCE, next).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(io::Error::other(format!("no request after {before}"))),
        }
    }

    /// What it has seen, by key.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<String, Seen> {
        lock(&self.book).by_key.clone()
    }

    /// The requests with a key of another record.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Record> {
        lock(&self.book).conflicts.clone()
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, Json(record): Json<Record>) -> StatusCode {
    let key = headers.get(KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
    let (mode, status) = {
        let mut book = lock(&shared.book);
        let mode = book.mode;
        let status = match mode {
            Mode::Up | Mode::HangsAfterEffect => book.fulfil(key, record),
            Mode::Down | Mode::Hangs => StatusCode::SERVICE_UNAVAILABLE,
        };
        shared.requests.send_modify(|requests| *requests += 1);
        (mode, status)
    };
    if matches!(mode, Mode::Hangs | Mode::HangsAfterEffect) {
        pending::<()>().await;
    }
    status
}

impl Book {
    fn fulfil(&mut self, key: &str, record: Record) -> StatusCode {
        match self.by_key.get_mut(key) {
            Some(seen) if seen.record == record => seen.repeated += 1,
            Some(_) => {
                self.conflicts.push(record);
                return StatusCode::CONFLICT;
            }
            None => drop(self.by_key.insert(key.to_owned(), Seen { record, effects: 1, repeated: 0 })),
        }
        StatusCode::OK
    }
}
