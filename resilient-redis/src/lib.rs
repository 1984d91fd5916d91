//! What the replicas of an MCP server share, in Redis 7 or Valkey, for [`resilient_runtime`].
//!
//! ```no_run
//! use resilient_redis::ResilienceExt;
//! use resilient_runtime::{Resilience, ResilienceError, resilient};
//!
//! /// Finds documents. All replicas together call the search engine 100 times per second at most.
//! #[resilient(
//!     rate_limit(rate = "100/1s", name = "search", distributed),
//!     breaker(name = "search", distributed),
//!     idempotent
//! )]
//! async fn find(words: String) -> Result<String, ResilienceError> {
//!     Ok(format!("nothing about {words}"))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! Resilience::from_env().redis_from_env().start()?;
//! # Ok(())
//! # }
//! ```
//!
//! [`guide::replicas`] has the rest: what is shared, what is not and why, what happens without Redis.
//!
//! Set `RESILIENT_REDIS_URL`, or pass a URL or a [`Redis`] to [`ResilienceExt::redis`]. Servers with different tools that
//! use one Redis need different prefixes: `RESILIENT_REDIS_PREFIX` or [`Redis::prefix`]. Redis Cluster is not supported. A
//! failover is, if the URL leads to the new primary: a connection to a server that has become read-only is replaced.
//!
//! # What is shared
//!
//! | what | key | value | expires |
//! |---|---|---|---|
//! | a rate limit | `PREFIX:limit:NAME:SETTINGS` | when the burst is complete again, in µs since 1970 | then |
//! | .. of one caller or one `key = ..` | the same, and `:` and a hash | the same | then |
//! | the news of a breaker | `PREFIX:breaker:NAME` | the replica and the number of the opening | when the breaker probes |
//!
//! A permit is taken by one script, in one round trip, with the clock of Redis: the clocks of the replicas do not matter,
//! and any number of replicas together is given exactly the rate and the burst. Replicas with different settings of a
//! limit, such as during a deployment, have separate states, so that up to both rates apply until it is over. `max_keys`
//! has no effect on Redis, where keys expire.
//!
//! Values of `key = ..` and names of callers are hashed with a secret that is derived from the password in the URL and the
//! prefix. Without a password, those who can read the keys can find out values that are easy to guess.
//!
//! All replicas need the same password; their users may have different names. Replicas with different passwords, such as
//! while you change it, do not share the limits of callers and of `key = ..`: each password has its own state, which begins
//! with a complete burst, so that a value is allowed the rate once for each password. Limits without keys, breakers,
//! deferred writes and sessions do not depend on the password.
//!
//! # When Redis is away
//!
//! Nothing fails. A call waits for Redis for 50 ms at most, and then the local limit decides; breakers act by their own
//! evidence alone. The connection is checked each second, and restored at most 1.5 s after Redis answers again. The events
//! `redis.unavailable` (warn, with the field `error`) and `redis.available` (info) say when that was, for each of the two
//! connections: their field `connection` is `limits` for that of limits and breakers, which connects when the server
//! starts, or `data` for that of deferred writes and sessions, which connects at its first use. [`Redis::health_check`] is
//! a check for health reports.
//!
//! The news of a breaker expires at the end of the open period, by the clock of Redis, even if the command reaches Redis
//! late because it hung. That clock is read when the connection is checked.
//!
//! If Redis has lost its data, limits begin with a complete burst.
//!
//! # Settings of Redis
//!
//! Limits and breakers need no persistence. With `appendfsync always`, which deferred writes need against a loss of power,
//! each permit waits for the disk: use two servers then.
//!
//! `maxmemory-policy` should be `volatile-lru`, or `noeviction` if clients cannot fill the memory. With `noeviction`, a
//! full Redis accepts no deferred write and no session, and limits are decided locally. `volatile-lru` removes keys that
//! expire and that were not used for long, which are sessions: each that a client begins stays for an hour. It keeps
//! deferred writes, which do not expire. `volatile-ttl` removes limits first, because these expire soon, and a limit that
//! was removed begins with a complete burst. The `allkeys` policies remove deferred writes.
//!
//! # Access
//!
//! A user needs these rights for limits and breakers, here with the prefix `resilient`:
//!
//! ```text
//! ACL SETUSER app on >PASSWORD resetchannels -@all ~resilient:*
//!     +evalsha +script|load +time +get +set +mget +ping
//! ```
//!
//! Deferred writes need these as well. The last two are for the check of the settings of Redis:
//!
//! ```text
//! ACL SETUSER app +exists +del +hget +hmget +hset +hsetnx +hdel +hincrby +zadd +zrem +zrange +zcard
//!     +sadd +smembers +lpush +llen +rpop +expire +hstrlen +info +config|get
//! ```
//!
//! Sessions need these beside those for limits and breakers:
//!
//! ```text
//! ACL SETUSER app +getex +del
//! ```
//!
//! A database other than 0 needs `+select`.
//!
//! # Deferred writes
//!
//! With the feature `deferred`, `Redis::deferred_store` returns a store of deferred writes for replicas on several machines.
//! Its keys begin with `PREFIX:deferred:`. See `RedisDeferredStore` for the settings of Redis that it needs.
//!
//! # TLS
//!
//! URLs that begin with `rediss://` need the feature `tls`. Certificates are verified by the platform; on Linux, the
//! variable `SSL_CERT_FILE` names a file with other authorities. The provider of cryptography is the one that the process
//! has installed in rustls, or else ring, which is not installed for others.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod clock;
#[cfg(feature = "deferred")]
mod deferred;
pub mod guide;
mod limit;
mod link;
mod news;
mod redis;
#[cfg(feature = "sessions")]
mod sessions;
mod shared;
mod start;
mod stream;

#[cfg(feature = "deferred")]
pub use deferred::RedisDeferredStore;
pub use redis::Redis;
#[cfg(feature = "sessions")]
pub use sessions::RedisSessions;
pub use start::ResilienceExt;
