//! The task that connects to Redis, and replaces a connection that is lost.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use crate::clock::Clock;
use crate::stream;

/// The maximum duration of an attempt to connect, including the login.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);

/// The time between checks of a connection.
const CHECK: Duration = Duration::from_secs(1);

/// The first and the longest delay between attempts to connect.
const DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// What is known about the connection.
#[derive(Clone)]
pub(crate) enum State {
    /// There is no task.
    Idle,
    /// The task connects, and the attempts before this one did not fail.
    Connecting,
    /// Requests can be sent.
    Ready(Connection),
    /// The last attempt has failed, and more follow.
    Failed(Arc<str>),
}

/// An established connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) requests: MultiplexedConnection,
    /// Set if the user may read it, and not older than the last check of the connection.
    pub(crate) clock: Clock,
    /// Requests that the connection is replaced.
    pub(crate) replace: Arc<Notify>,
}

/// Reads and writes the stream of a connection. If it ends or is dropped, the connection is closed.
type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps a connection for as long as it is polled.
pub(crate) async fn supervise(shared: &Shared) {
    let mut delay = DELAYS.0;
    let mut is_away = false;
    loop {
        let why = match timeout(CONNECT, connect(shared)).await {
            Ok(Ok((connection, driver))) => {
                if is_away {
                    tracing::info!(event = "redis.available", connection = shared.name, "Redis answers again");
                }
                is_away = false;
                let since = Instant::now();
                shared.state.send_replace(State::Ready(connection.clone()));
                let why = keep(connection, driver, shared.response).await;
                if since.elapsed() >= CHECK {
                    delay = DELAYS.0;
                    shared.state.send_replace(State::Connecting);
                    continue;
                }
                why.to_owned()
            }
            Ok(Err(error)) => login_failure(&error),
            Err(_) => "no answer within 1s".to_owned(),
        };
        if !is_away {
            tracing::warn!(
                event = "redis.unavailable",
                connection = shared.name,
                error = why,
                "Redis cannot be reached"
            );
        }
        is_away = true;
        shared.state.send_replace(State::Failed(why.into()));
        sleep(delay).await;
        delay = (delay * 2).min(DELAYS.1);
    }
}

/// Connects, logs in and waits for an answer: a server whose process is stopped still accepts connections.
async fn connect(shared: &Shared) -> RedisResult<(Connection, Driver)> {
    let stream = stream::open(&shared.address.endpoint).await?;
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(Some(shared.response));
    let login = &shared.address.login;
    let (requests, driver) = MultiplexedConnection::new_with_config(login, stream, config).await?;
    let mut driver: Driver = Box::pin(driver);
    let connection = Connection { requests, clock: Clock::default(), replace: Arc::default() };
    let mut answer = pin!(check(&connection));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // What the server has written before it closed the connection says why.
        () = &mut driver => answer.await,
    };
    match answer {
        Err(error) if error.kind() != ErrorKind::Server(ServerErrorKind::NoPerm) => Err(error),
        _ => Ok((connection.clone(), driver)),
    }
}

/// Polls a connection and checks it, until it has to be replaced. Returns why.
async fn keep(connection: Connection, mut driver: Driver, response: Duration) -> &'static str {
    let checks = async {
        loop {
            if timeout(CHECK, connection.replace.notified()).await.is_ok() {
                return "the server is read-only";
            }
            match timeout(response, check(&connection)).await {
                Ok(Ok(())) => {}
                // Any answer proves that the connection works.
                Ok(Err(error)) if error.code().is_some() => {}
                Ok(Err(_)) | Err(_) => return "the connection does not answer",
            }
        }
    };
    tokio::select! {
        () = &mut driver => "the server has closed the connection",
        why = checks => why,
    }
}

/// Reads the clock and sends a `PING`, which a server that is still loading its data refuses.
async fn check(connection: &Connection) -> RedisResult<()> {
    let mut requests = connection.requests.clone();
    connection.clock.read(&mut requests).await?;
    ::redis::cmd("PING").exec_async(&mut requests).await
}

/// Returns the text of an error before the login has succeeded. Answers of the server are not shown, because a server
/// that does not know `AUTH` repeats its arguments.
fn login_failure(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("it answers {code}"),
        None if error.is_io_error() => error.to_string(),
        None => error.category().to_owned(),
    }
}
