//! Whether Redis keeps what it has accepted.

use redis::{InfoDict, RedisError, cmd};

use super::client::Client;

/// What an operator has to know about the settings of Redis.
const NO_AOF: &str = "`appendonly` is off: accepted writes are lost when Redis ends";
const NOT_ALWAYS: &str = "`appendfsync` is not `always`: a power failure loses up to a second of accepted writes";
const EVICTS: &str = "`maxmemory-policy` is neither `noeviction` nor a policy such as `volatile-lru`: Redis may remove \
    accepted writes when its memory is full";
const AOF_UNKNOWN: &str = "whether `appendonly` is on could not be checked, because this user may not read it";
const FSYNC_UNKNOWN: &str = "whether `appendfsync` is `always` could not be checked, because this user may not read it";
const POLICY_UNKNOWN: &str =
    "whether `maxmemory-policy` keeps accepted writes could not be checked, because this user may not read it";

/// The settings of Redis on which durability depends, as far as they can be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    has_aof: Option<bool>,
    fsync: Option<String>,
    policy: Option<String>,
}

impl Settings {
    /// Returns why accepted writes may be lost.
    fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        match self.has_aof {
            Some(true) => match self.fsync.as_deref() {
                Some("always") => {}
                Some(_) => problems.push(NOT_ALWAYS),
                None => problems.push(FSYNC_UNKNOWN),
            },
            Some(false) => problems.push(NO_AOF),
            None => problems.push(AOF_UNKNOWN),
        }
        match self.policy.as_deref() {
            Some("noeviction") => {}
            // These policies remove keys that expire, which those of deferred writes do not.
            Some(policy) if policy.starts_with("volatile-") => {}
            Some(_) => problems.push(EVICTS),
            None => problems.push(POLICY_UNKNOWN),
        }
        problems
    }
}

/// Logs why accepted writes may be lost. Returns whether Redis could be reached.
pub(super) async fn check(client: &Client) -> bool {
    let Ok(settings) = read(client).await else { return false };
    for problem in settings.problems() {
        tracing::warn!(event = "deferred.store_not_durable", problem, "Redis may lose deferred writes");
    }
    true
}

async fn read(client: &Client) -> Result<Settings, RedisError> {
    let mut connection = client.redis.data()?;
    let mut settings = Settings::default();
    // Managed services and access lists forbid some of these commands; two of the settings are in `INFO` as well.
    let info = cmd("INFO").query_async::<InfoDict>(&mut connection).await;
    if let Some(info) = answered(info)? {
        settings.has_aof = info.get::<u8>("aof_enabled").map(|enabled| enabled == 1);
        settings.policy = info.get("maxmemory_policy");
    }
    let config = async |name: &str| -> Result<Option<String>, RedisError> {
        let mut connection = connection.clone();
        let pair = cmd("CONFIG").arg("GET").arg(name).query_async::<Vec<String>>(&mut connection).await;
        Ok(answered(pair)?.and_then(|pair| pair.into_iter().nth(1)))
    };
    settings.fsync = config("appendfsync").await?;
    if settings.has_aof.is_none() {
        settings.has_aof = config("appendonly").await?.map(|value| value == "yes");
    }
    if settings.policy.is_none() {
        settings.policy = config("maxmemory-policy").await?;
    }
    Ok(settings)
}

/// Returns `None` if Redis refused the command, and the error if it did not answer.
fn answered<T>(result: Result<T, RedisError>) -> Result<Option<T>, RedisError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(has_aof: Option<bool>, fsync: Option<&str>, policy: Option<&str>) -> Vec<&'static str> {
        let text = |word: Option<&str>| word.map(ToOwned::to_owned);
        Settings { has_aof, fsync: text(fsync), policy: text(policy) }.problems()
    }

    #[test]
    fn each_setting_that_loses_writes_is_a_problem() {
        assert!(problems(Some(true), Some("always"), Some("noeviction")).is_empty());
        assert!(problems(Some(true), Some("always"), Some("volatile-lru")).is_empty());
        assert!(problems(Some(true), Some("always"), Some("volatile-ttl")).is_empty());
        assert_eq!(problems(Some(true), Some("everysec"), Some("noeviction")), [NOT_ALWAYS]);
        assert_eq!(problems(Some(false), Some("always"), Some("allkeys-lru")), [NO_AOF, EVICTS]);
        assert_eq!(problems(Some(true), None, None), [FSYNC_UNKNOWN, POLICY_UNKNOWN]);
        assert_eq!(problems(None, None, Some("noeviction")), [AOF_UNKNOWN]);
    }
}
