//! A Redis, its connections and the names of its keys.

use std::env;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::redis::{ErrorKind, RedisError};
use resilient_runtime::health::{CheckResult, HealthCheck};
use sha2::{Digest, Sha256};

use crate::address::Address;
use crate::link::{Link, describe};

/// The beginning of all keys, unless another one is set.
const PREFIX: &str = "resilient";

/// The variable with the URL.
const URL: &str = "RESILIENT_REDIS_URL";

/// The variable with the prefix.
const PREFIX_VARIABLE: &str = "RESILIENT_REDIS_PREFIX";

/// A Redis that all replicas of a server share. A clone shares its connections.
///
/// The constructors do not connect and work outside of a tokio runtime. There are two connections, one for limits and
/// breakers and one for values that may be large. The first connects when the server starts, the other at its first use.
/// They are restored by themselves, up to 1.5 s after Redis answers again. They belong to the tokio runtime in which they
/// first connect; if that one ends, to the runtime of the next use. Do not use a `Redis` in two runtimes at the same time: one of them has to run for the other.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    /// The address, or what is wrong with the URL.
    address: Result<Address, String>,
    prefix: String,
    /// The connection of limits and breakers, whose callers wait for milliseconds.
    quick: OnceLock<Link>,
    /// The connection of deferred writes and sessions, whose values may be large.
    #[cfg(any(feature = "deferred", feature = "sessions"))]
    data: OnceLock<Link>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
        f.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    /// Refers to the Redis at this URL:
    ///
    /// - `redis://host:6379/0`, or `redis://user:password@host` with a login;
    /// - `rediss://..`: the same with TLS, which needs the feature `tls`;
    /// - `unix:///path?user=..&pass=..&db=0`: a Unix socket.
    ///
    /// Percent-encode special characters in the user and the password. `valkey` and `valkeys` are other names of the
    /// first two schemes.
    ///
    /// If the URL is invalid, [`Resilience::start`](resilient_runtime::Resilience::start) reports that, and every use
    /// fails. No message contains the password.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::build(Address::parse(url).map_err(|why| format!("the URL of Redis: {why}")), PREFIX)
    }

    /// Refers to the Redis that the variable `RESILIENT_REDIS_URL` names, with the prefix in `RESILIENT_REDIS_PREFIX`.
    /// Returns `None` if the variable is unset or empty.
    ///
    /// Use it if one Redis serves more than limits and breakers; otherwise
    /// [`ResilienceExt::redis_from_env`](crate::ResilienceExt::redis_from_env) suffices.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        // A value that is no text is reported by `Resilience::from_env`.
        let variable = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::from_variables(variable(URL)?.as_str(), variable(PREFIX_VARIABLE).as_deref())
    }

    /// Refers to the Redis that the values of the variables name.
    pub(crate) fn from_variables(url: &str, prefix: Option<&str>) -> Option<Self> {
        if url.is_empty() {
            return None;
        }
        let address = Address::parse(url).map_err(|why| format!("{URL}: {why}"));
        Some(Self::build(address, prefix.filter(|prefix| !prefix.is_empty()).unwrap_or(PREFIX)))
    }

    /// Sets the beginning of all keys. Servers with different tools that use one Redis need different ones. Default
    /// `resilient`.
    ///
    /// The result has separate connections, so set the prefix before the first use.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self::build(self.0.address.clone(), prefix)
    }

    fn build(address: Result<Address, String>, prefix: &str) -> Self {
        Self(Arc::new(Inner {
            address,
            prefix: prefix.to_owned(),
            quick: OnceLock::new(),
            #[cfg(any(feature = "deferred", feature = "sessions"))]
            data: OnceLock::new(),
        }))
    }

    /// Returns a health check named `redis` that sends a `PING`. It is not critical, because a server works without its
    /// Redis: limits are local then.
    ///
    /// ```
    /// use resilient_redis::Redis;
    /// use resilient_runtime::health::Health;
    ///
    /// let redis = Redis::new("redis://127.0.0.1:6379");
    /// let health = Health::new().check(redis.health_check());
    /// # drop(health);
    /// ```
    #[must_use]
    pub fn health_check(&self) -> HealthCheck {
        let redis = self.clone();
        HealthCheck::new("redis", move || {
            let redis = redis.clone();
            async move {
                let answer = match redis.quick() {
                    Ok(mut link) => ::redis::cmd("PING").exec_async(&mut link).await,
                    Err(error) => Err(error),
                };
                answer.map_or_else(|error| CheckResult::fail(describe(&error)), |()| CheckResult::pass("answers"))
            }
        })
    }

    /// Returns what is wrong with the URL.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.0.address.as_ref().err().map(String::as_str)
    }

    /// Returns a key below the prefix.
    pub(crate) fn key(&self, rest: impl fmt::Display) -> String {
        format!("{}:{rest}", self.0.prefix)
    }

    /// Returns the connection of limits and breakers. A request takes at most 500 ms.
    pub(crate) fn quick(&self) -> Result<Link, RedisError> {
        self.link("limits", &self.0.quick, Duration::from_millis(500))
    }

    /// Returns the connection of deferred writes and sessions. A request takes at most 4 s.
    #[cfg(any(feature = "deferred", feature = "sessions"))]
    pub(crate) fn data(&self) -> Result<Link, RedisError> {
        self.link("data", &self.0.data, Duration::from_secs(4))
    }

    fn link(&self, name: &'static str, slot: &OnceLock<Link>, response: Duration) -> Result<Link, RedisError> {
        match &self.0.address {
            Ok(address) => Ok(slot.get_or_init(|| Link::new(name, address.clone(), response)).clone()),
            Err(why) => Err((ErrorKind::InvalidClientConfig, "Redis cannot be used", why.clone()).into()),
        }
    }

    /// Returns a secret that all replicas derive from the password and the prefix.
    pub(crate) fn secret(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        if let Ok(address) = &self.0.address {
            hash.update(address.login.password().unwrap_or_default());
        }
        hash.update([0]);
        hash.update(&self.0.prefix);
        let mut secret = [0; 16];
        for (to, from) in secret.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        secret
    }
}

impl From<&str> for Redis {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Redis {
    fn from(url: String) -> Self {
        Self::new(&url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_redis_contains_the_password() {
        let redis = Redis::new("redis://app:hunter2@host");
        assert!(!format!("{redis:?}").contains("hunter2"));
        assert!(!format!("{:?}", redis.quick().unwrap()).contains("hunter2"));
        let wrong = Redis::new("redis://app:hunter2@host/hunter2");
        assert!(!wrong.problem().unwrap().contains("hunter2"));
        assert!(!wrong.quick().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn the_secret_depends_on_the_password_and_the_prefix() {
        let secret = |url: &str, prefix: &str| Redis::new(url).prefix(prefix).secret();
        assert_eq!(secret("redis://a:one@host", "x"), secret("redis://b:one@other", "x"));
        assert_ne!(secret("redis://:one@host", "x"), secret("redis://:two@host", "x"));
        assert_ne!(secret("redis://:one@host", "x"), secret("redis://:one@host", "y"));
        assert_ne!(secret("redis://host", "x"), [0; 16]);
    }

    #[test]
    fn empty_variables_are_unset() {
        assert!(Redis::from_variables("", Some("x")).is_none());
        assert_eq!(Redis::from_variables("redis://host", Some("")).unwrap().key("a"), "resilient:a");
        assert_eq!(Redis::from_variables("redis://host", Some("x")).unwrap().key("a"), "x:a");
        let wrong = Redis::from_variables("host", None).unwrap();
        assert!(wrong.problem().unwrap().starts_with("RESILIENT_REDIS_URL: "));
    }
}
