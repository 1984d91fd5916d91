//! Sessions of streamable HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue};
use rmcp::transport::streamable_http_server::session::store::{SessionState, SessionStore, SessionStoreError};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::Redis;
use crate::link::describe;

/// How long a session is kept, unless another time is set. Not long, because each that a client begins takes memory.
const TTL: Duration = Duration::from_secs(60 * 60);

/// The shortest and the longest time that a session is kept. Redis refuses others.
const TTL_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(366 * 24 * 60 * 60));

/// The time limit of a command. An `initialize` request, and a request whose session this replica does not have, wait
/// for this long at most.
const DEADLINE: Duration = Duration::from_millis(500);

/// The length of the longest id that is looked up, in bytes. Those of rmcp have 36.
const LONGEST_ID: usize = 256;

/// The size of the largest session that is kept, in bytes. Usual ones have a few hundred.
const LARGEST: usize = 16 << 10;

/// Keeps the sessions of streamable HTTP, so that they continue on another replica.
///
/// Set it as `session_store` of rmcp's `StreamableHttpServerConfig`. Only clients with a protocol version before
/// 2026-07-28 have sessions; later versions have none and need no store.
///
/// # What is kept
///
/// The parameters of the client's `initialize` request, for [`ttl`](Self::ttl) after the session began or was last
/// restored. A replica that receives a request of a session that it does not have restores the session from them: it
/// sends the `initialize` request to a new server value. It does so once; afterwards it has the session and does not
/// ask Redis again. What the session had beyond that is lost: subscriptions, the log level, the responses of calls that
/// were running, and messages that a client has not received, also those after its `Last-Event-ID`. State in the server
/// value is lost too. Sessions whose parameters are larger than 16 KiB are not kept; the first of them is logged as
/// `distributed.session_too_large` with its `size` in bytes.
///
/// rmcp forgets a session after five minutes without requests. With a store it is restored at the next request, which
/// extends its time. Requests of a session that the replica has do not extend it: a session that is used for longer
/// than its time, without a pause of five minutes, is unknown to other replicas and ends with its own.
///
/// A request of the server, such as an elicitation, is answered by a request of the client, which has to reach the same
/// replica. If your server sends such requests, or messages that belong to no call, let the load balancer send the
/// requests of a session to one replica for as long as it runs.
///
/// # If Redis does not answer
///
/// A command has 500 ms. A session that cannot be stored works on its own replica alone. A session that cannot be
/// loaded is unknown: the client receives 404, and begins a new session. Requests of sessions that the replica has do
/// not need Redis. A session that ends with `DELETE` while Redis is away can be restored until its time is over.
///
/// The log has the event `distributed.degraded` with `part="sessions"` once for each outage and `operation`, and
/// `distributed.recovered` after it. The operations `store`, `load` and `delete` fail separately: a Redis whose memory
/// is full loads sessions, and stores none.
///
/// # Security
///
/// The id of a session is enough to continue it, here as on a single replica: rmcp does not bind a session to a user,
/// and restoring one does not check who asks. So authenticate every request. A restored session has no rights: each
/// call has the headers and extensions of the request that contains it, such as the
/// [`Principal`](resilient_runtime::identity::Principal), and not those of the request that began the session. Another
/// user with the id could read the messages that the server sends in this session, answer its requests, and cancel
/// calls.
///
/// Redis contains the hash of an id and not the id itself, so reading its keys does not give access to sessions. An id
/// that a client invents is looked up and not found.
///
/// # Memory
///
/// Each session that a client begins takes memory of Redis until its time is over, usually less than 1 KiB, also if the
/// client never returns. With `maxmemory-policy noeviction`, a client that begins many of them fills a Redis, and then
/// no deferred write is accepted. So set `volatile-lru`: then Redis removes sessions that were not used for long, and
/// keeps what does not expire, such as deferred writes. If clients are not trusted, limit their requests in front of
/// the server.
///
/// ```
/// use std::sync::Arc;
///
/// use resilient_redis::Redis;
/// use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
///
/// let redis = Redis::new("redis://127.0.0.1:6379");
/// let mut config = StreamableHttpServerConfig::default();
/// config.session_store = Some(Arc::new(redis.sessions()));
/// ```
#[derive(Clone, Debug)]
pub struct RedisSessions {
    redis: Redis,
    ttl: Duration,
    reported: Arc<Reported>,
}

/// What is in the log already.
#[derive(Debug, Default)]
struct Reported {
    store: Outage,
    load: Outage,
    delete: Outage,
    has_too_large: AtomicBool,
}

/// Whether the last command of an operation failed, which is logged once.
#[derive(Debug, Default)]
struct Outage(AtomicBool);

impl Outage {
    fn fails(&self, operation: &'static str, error: &str) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "distributed.degraded",
                part = "sessions",
                operation,
                error,
                "sessions end with their replica until Redis works again"
            );
        }
    }

    fn works(&self, operation: &'static str) {
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::info!(event = "distributed.recovered", part = "sessions", operation, "Redis works again");
        }
    }
}

impl Redis {
    /// Returns a store for the sessions of streamable HTTP. Nothing is connected before the first session.
    #[must_use]
    pub fn sessions(&self) -> RedisSessions {
        RedisSessions { redis: self.clone(), ttl: TTL, reported: Arc::default() }
    }
}

impl RedisSessions {
    /// Sets how long a session is kept after it began or was last restored, in whole seconds: at least 1 s, at most 366
    /// days. Default 1 h. A longer use on one replica does not extend it; the session then ends with this replica.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: ttl.clamp(TTL_RANGE.0, TTL_RANGE.1), ..self }
    }

    /// Returns the key of a session, or `None` if no session has this id. Hashed, because clients choose what they send
    /// as id, and because an id is a secret.
    fn key(&self, id: &str) -> Option<String> {
        use std::fmt::Write as _;

        if id.is_empty() || id.len() > LONGEST_ID {
            return None;
        }
        let mut key = self.redis.key("session:");
        for byte in Sha256::digest(id) {
            let _ = write!(key, "{byte:02x}");
        }
        Some(key)
    }

    /// Sends the command of an operation. Returns `None` if it fails or takes too long.
    async fn send<T: FromRedisValue>(&self, operation: &'static str, outage: &Outage, command: &Cmd) -> Option<T> {
        let answer = async { command.query_async(&mut self.redis.data()?).await };
        match timeout(DEADLINE, answer).await {
            Ok(Ok(answer)) => {
                outage.works(operation);
                return Some(answer);
            }
            Ok(Err(error)) => outage.fails(operation, &describe(&error)),
            Err(_) => outage.fails(operation, &format!("no answer within {} ms", DEADLINE.as_millis())),
        }
        None
    }
}

#[async_trait::async_trait]
impl SessionStore for RedisSessions {
    /// Returns the session, unless it is unknown or Redis does not answer. Never an error, because the client of an
    /// error would not begin a new session.
    async fn load(&self, session_id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let Some(key) = self.key(session_id) else { return Ok(None) };
        let mut command = ::redis::cmd("GETEX");
        command.arg(key).arg("EX").arg(self.ttl.as_secs());
        let stored: Option<Option<Vec<u8>>> = self.send("load", &self.reported.load, &command).await;
        // What another version has written differently is unknown as well.
        Ok(stored.flatten().and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Stores the session if Redis answers. Never an error, because rmcp would write the id to the log.
    async fn store(&self, session_id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        let Some(key) = self.key(session_id) else { return Ok(()) };
        let Ok(json) = serde_json::to_vec(state) else { return Ok(()) };
        if json.len() > LARGEST {
            if !self.reported.has_too_large.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    event = "distributed.session_too_large",
                    size = json.len(),
                    "a session whose `initialize` request is larger than 16 KiB ends with its replica"
                );
            }
            return Ok(());
        }
        let mut command = ::redis::cmd("SET");
        command.arg(key).arg(json).arg("EX").arg(self.ttl.as_secs());
        self.send::<()>("store", &self.reported.store, &command).await;
        Ok(())
    }

    /// Deletes the session if Redis answers. Never an error, for the same reason.
    async fn delete(&self, session_id: &str) -> Result<(), SessionStoreError> {
        let Some(key) = self.key(session_id) else { return Ok(()) };
        let mut command = ::redis::cmd("DEL");
        command.arg(key);
        self.send::<()>("delete", &self.reported.delete, &command).await;
        Ok(())
    }
}
