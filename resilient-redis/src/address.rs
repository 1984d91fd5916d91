//! The URL of a Redis.

use std::fmt;
use std::path::PathBuf;

use ::redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

/// Where a Redis listens, and how to log in.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    /// The user, the password, the database and the protocol.
    pub(crate) login: RedisConnectionInfo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp { host: String, port: u16, is_tls: bool },
    Unix(PathBuf),
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// Returns what is wrong with the URL. The text contains no part of it, because any part may be of a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("expected a URL such as `redis://user:password@host:6379/0`: {why}");
        let Some((scheme, rest)) = url.trim().split_once("://") else { return Err(wrong("there is no `://`")) };
        let (scheme, is_tls) = match scheme {
            "redis" | "valkey" => ("redis", false),
            "rediss" | "valkeys" => ("redis", true),
            "unix" | "redis+unix" | "valkey+unix" => ("unix", false),
            _ => return Err(wrong("the scheme is none of `redis`, `rediss` and `unix`")),
        };
        if is_tls && !cfg!(feature = "tls") {
            return Err("TLS needs the feature `tls` of `resilient-redis`".to_owned());
        }
        if rest.contains('#') {
            return Err(wrong("it contains a `#`; in a password, write `%23`"));
        }
        // Only the texts of errors that are constants are shown.
        let info = format!("{scheme}://{rest}").into_connection_info().map_err(|error| {
            let what = match error.to_string() {
                text if text.contains("database") => "the database is no number",
                text if text.contains("wildcard") => "an address of all interfaces cannot be connected to",
                text if text.contains("UTF-8") => "the user or the password is not UTF-8",
                text if text.contains("protocol") => "the protocol is neither 2 nor 3",
                _ => "it cannot be read; special characters in a password have to be percent-encoded",
            };
            wrong(what)
        })?;
        let endpoint = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Endpoint::Tcp { host: host.clone(), port: *port, is_tls },
            ConnectionAddr::Unix(path) => Endpoint::Unix(path.clone()),
            _ => return Err(wrong("its kind of address is not supported")),
        };
        // `CLIENT SETINFO` would be one more right that the user needs.
        Ok(Self { endpoint, login: info.redis_settings().clone().set_skip_set_lib_name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.into(), port, is_tls: false }
    }

    #[test]
    fn urls_of_tcp_and_of_sockets_are_read() {
        let read = Address::parse("redis://app:p%40ss%2Fw%3Ard%23%25@cache.example:7000/3").unwrap();
        assert_eq!(read.endpoint, tcp("cache.example", 7000));
        assert_eq!(read.login.username(), Some("app"));
        assert_eq!(read.login.password(), Some("p@ss/w:rd#%"));
        assert_eq!(read.login.db(), 3);
        assert_eq!(Address::parse(" valkey://[::1] ").unwrap().endpoint, tcp("::1", 6379));
        let read = Address::parse("unix:///run/redis.sock?user=app&pass=a%26b&db=2").unwrap();
        assert_eq!(read.endpoint, Endpoint::Unix("/run/redis.sock".into()));
        assert_eq!((read.login.password(), read.login.db()), (Some("a&b"), 2));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_url_of_tls_is_read() {
        let read = Address::parse("rediss://host").unwrap();
        assert_eq!(read.endpoint, Endpoint::Tcp { host: "host".into(), port: 6379, is_tls: true });
        assert!(Address::parse("rediss://host#insecure").is_err());
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_the_feature_a_url_of_tls_is_a_problem_that_names_it() {
        let why = Address::parse("rediss://host").unwrap_err();
        assert!(why.contains("`tls`"), "{why}");
    }

    #[test]
    fn a_problem_contains_nothing_of_the_password() {
        for url in [
            "hunter2",
            "redis:hunter2@host",
            "http://app:hunter2@host",
            "redis://app:hunter2@",
            "redis://app:hunter2@host:port",
            "redis://app:hunter2@host:99999",
            "redis://app:hunter2@host/hunter2",
            "redis://app:hunter2@host?protocol=hunter2",
            "redis://app:hunter2#@host",
            "redis://app:hunter2/@host",
            "redis://app:hunter2?@host",
            "redis://app:hunter2%ff@host",
            "redis://:hunter2@0.0.0.0",
            "unix://hunter2",
            "unix:///run/redis.sock?pass=hunter2&db=hunter2",
        ] {
            let why = Address::parse(url).unwrap_err();
            assert!(!why.contains("hunter2"), "{url}: {why}");
        }
        let read = Address::parse("redis://app:hunter2@host").unwrap();
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}
