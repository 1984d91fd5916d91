//! A connection that all callers share, and that is restored by itself.

mod supervisor;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use supervisor::{CONNECT, Connection, State, supervise};

use crate::address::Address;

/// The maximum number of requests that wait for an answer.
const IN_FLIGHT: usize = 1_024;

/// A connection to a Redis. A clone shares it; it closes when the last clone is dropped.
///
/// [`start`](Self::start), or else the first request, starts a task in the present tokio runtime that connects, checks the
/// connection each second and replaces it. So a connection does not depend on callers, which may give up after some
/// milliseconds. If the runtime ends, the next request starts the task in its runtime.
#[derive(Clone)]
pub(crate) struct Link(Arc<Owner>);

/// Ends the task on drop.
struct Owner {
    shared: Arc<Shared>,
    task: Mutex<Option<AbortHandle>>,
}

/// What requests and the task share.
pub(crate) struct Shared {
    /// What uses the connection, for the log.
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    /// The maximum duration of a request.
    pub(crate) response: Duration,
    pub(crate) state: watch::Sender<State>,
    in_flight: Semaphore,
}

/// Makes the next request start the task again, however the task has ended.
struct Reset(Arc<Shared>);

impl Drop for Reset {
    fn drop(&mut self) {
        self.0.state.send_replace(State::Idle);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.0.shared.address).finish_non_exhaustive()
    }
}

impl Link {
    /// Creates a link that does not connect yet. A request takes at most `response`, after up to 1 s for the connection.
    pub(crate) fn new(name: &'static str, address: Address, response: Duration) -> Self {
        let state = watch::Sender::new(State::Idle);
        let shared = Shared { name, address, response, state, in_flight: Semaphore::new(IN_FLIGHT) };
        Self(Arc::new(Owner { shared: Arc::new(shared), task: Mutex::default() }))
    }

    /// Starts the task, unless it runs.
    ///
    /// # Errors
    /// Outside of a tokio runtime.
    pub(crate) fn start(&self) -> RedisResult<()> {
        let Ok(runtime) = Handle::try_current() else {
            return Err((ErrorKind::Client, "Redis cannot be used outside of a tokio runtime").into());
        };
        let shared = &self.0.shared;
        // Held until the handle is stored: a task may end at once, and then another thread starts the next one. If the
        // runtime is closing, `spawn` drops the future here, which takes the lock of the state and not this one.
        let mut task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |state: &mut State| {
            let is_idle = matches!(state, State::Idle);
            if is_idle {
                *state = State::Connecting;
            }
            is_idle
        };
        if shared.state.send_if_modified(is_idle) {
            let reset = Reset(Arc::clone(shared));
            *task = Some(runtime.spawn(async move { supervise(&reset.0).await }).abort_handle());
        }
        Ok(())
    }

    /// Returns the present connection. Waits for it only while it is not known whether Redis can be reached.
    async fn connection(&self) -> RedisResult<Connection> {
        let mut states = self.0.shared.state.subscribe();
        let mut is_started = false;
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Ready(connection) => return Ok(connection),
                State::Failed(why) => return Err(unreachable(&why)),
                State::Idle if is_started => return Err(unreachable("the tokio runtime ends")),
                State::Idle => {
                    self.start()?;
                    is_started = true;
                }
                State::Connecting => match timeout(CONNECT * 2, states.changed()).await {
                    Ok(Ok(())) => is_started = true,
                    // The task is in a runtime that does not run.
                    Ok(Err(_)) | Err(_) => return Err(unreachable("the connection takes too long")),
                },
            }
        }
    }

    /// Returns the present time since 1970 by the clock of Redis, without a request.
    pub(crate) async fn time(&self) -> RedisResult<Duration> {
        let time = self.connection().await?.clock.now();
        time.ok_or_else(|| (ErrorKind::Client, "the user of Redis may not run `TIME`").into())
    }

    /// Admits a request, or fails at once if too many wait for their answers.
    async fn admit(&self) -> RedisResult<(SemaphorePermit<'_>, Connection)> {
        let Ok(permit) = self.0.shared.in_flight.try_acquire() else {
            return Err((ErrorKind::Client, "too many requests wait for Redis").into());
        };
        Ok((permit, self.connection().await?))
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let (_permit, mut connection) = self.admit().await?;
            let result = connection.requests.send_packed_command(cmd).await;
            if is_read_only(result.as_ref()) {
                connection.replace.notify_one();
            }
            result
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let (_permit, mut connection) = self.admit().await?;
            let result = connection.requests.send_packed_commands(pipeline, offset, count).await;
            let is_read_only = match &result {
                Ok(values) => values.iter().any(|value| is_read_only(Ok(value))),
                Err(error) => is_read_only(Err(error)),
            };
            if is_read_only {
                connection.replace.notify_one();
            }
            result
        })
    }

    fn get_db(&self) -> i64 {
        self.0.shared.address.login.db()
    }
}

/// Returns whether the server has become a copy that only reads, so that its name may belong to another server now.
fn is_read_only(result: Result<&Value, &RedisError>) -> bool {
    let kind = match result {
        Ok(Value::ServerError(error)) => error.kind(),
        Ok(_) => None,
        Err(error) => match error.kind() {
            ErrorKind::Server(kind) => Some(kind),
            _ => None,
        },
    };
    kind == Some(ServerErrorKind::ReadOnly)
}

/// What an error says if there is no connection.
const UNREACHABLE: &str = "Redis cannot be reached";

fn unreachable(why: &str) -> RedisError {
    (ErrorKind::Io, UNREACHABLE, why.to_owned()).into()
}

/// Returns whether a request failed because there was no connection, so that it was not sent.
#[cfg(feature = "deferred")]
pub(crate) fn is_unsent(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Client || error.to_string().starts_with(UNREACHABLE)
}

/// Returns the text of an error for logs, without secrets.
pub(crate) fn describe(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("Redis answers {code}: {detail}"),
        (Some(code), None) => format!("Redis answers {code}"),
        (None, Some(why)) if error.is_io_error() => format!("Redis cannot be reached: {why}"),
        (None, _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::net::TcpListener;
    use tokio::runtime::Runtime;
    use tokio::task::yield_now;
    use tokio::time::Instant;

    use super::*;

    fn to(port: u16) -> Link {
        let address = Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
        Link::new("limits", address, Duration::from_millis(500))
    }

    async fn ping(link: &Link) -> RedisResult<()> {
        ::redis::cmd("PING").exec_async(&mut link.clone()).await
    }

    #[test]
    fn a_request_outside_of_a_runtime_is_an_error() {
        let link = to(1);
        let request = pin!(ping(&link));
        let Poll::Ready(result) = request.poll(&mut Context::from_waker(Waker::noop())) else { panic!("it waits") };
        let error = result.unwrap_err();
        assert!(describe(&error).contains("outside of a tokio runtime"), "{error}");
    }

    #[test]
    fn a_runtime_that_has_ended_does_not_block_the_next_one() {
        let ended = Runtime::new().unwrap();
        let handle = ended.handle().clone();
        drop(ended);
        let next = Runtime::new().unwrap();
        let silent = next.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let link = to(silent.local_addr().unwrap().port());
        {
            let _entered = handle.enter();
            link.start().unwrap();
        }
        next.block_on(async {
            link.start().unwrap();
            timeout(Duration::from_secs(5), silent.accept()).await.expect("a connection").unwrap();
        });
    }

    #[tokio::test]
    async fn a_connection_that_is_refused_fails_at_once_with_the_reason() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = to(free.local_addr().unwrap().port());
        drop(free);
        for _ in 0..3 {
            let before = Instant::now();
            let error = ping(&link).await.unwrap_err();
            assert!(before.elapsed() < Duration::from_millis(400), "{:?}", before.elapsed());
            assert!(describe(&error).starts_with("Redis cannot be reached: "), "{error}");
        }
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_does_not_end_the_attempt_to_connect() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = to(silent.local_addr().unwrap().port());
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(50), ping(&link)).await.is_err());
        }
        let _first = silent.accept().await.unwrap();
        let second = timeout(Duration::from_millis(100), silent.accept()).await;
        assert!(second.is_err(), "a second connection");
    }

    #[tokio::test]
    async fn requests_beyond_the_limit_fail_at_once() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = to(silent.local_addr().unwrap().port());
        for _ in 0..IN_FLIGHT {
            let link = link.clone();
            tokio::spawn(async move { ping(&link).await });
        }
        while link.0.shared.in_flight.available_permits() > 0 {
            yield_now().await;
        }
        let error = timeout(Duration::from_millis(50), ping(&link)).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("too many"), "{error}");
    }

    #[tokio::test]
    async fn the_connection_closes_with_the_last_clone() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = to(silent.local_addr().unwrap().port());
        let clone = link.clone();
        let _ = timeout(Duration::from_millis(50), ping(&link)).await;
        let (stream, _) = silent.accept().await.unwrap();
        drop((link, clone));
        let mut buffer = [0; 64];
        let closed = async {
            loop {
                stream.readable().await.unwrap();
                if matches!(stream.try_read(&mut buffer), Ok(0)) {
                    return;
                }
            }
        };
        timeout(Duration::from_millis(500), closed).await.expect("the end of the stream");
    }
}
