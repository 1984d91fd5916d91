//! The news of breakers that have opened.

use std::time::Duration;

use ::redis::{ErrorKind, RedisResult, cmd};
use resilient_runtime::replicas::{Opening, OpeningId};

use crate::Redis;

/// The longest life of news.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

fn key(redis: &Redis, breaker: &str) -> String {
    redis.key(format_args!("breaker:{breaker}"))
}

/// Writes the news of an opening, which expires with it.
///
/// The end is a time of the clock of Redis, and not a duration: a server that hangs, or a network that is interrupted,
/// may deliver the command minutes later, when the caller has given up and the opening is over.
pub(crate) async fn publish(redis: &Redis, opening: &Opening) -> RedisResult<()> {
    let mut link = redis.quick()?;
    let end = link.time().await?.saturating_add(opening.lasts.min(LONGEST));
    // An end of 0 is an error.
    let end = end.as_millis().max(1);
    let mut set = cmd("SET");
    set.arg(key(redis, opening.breaker)).arg(written(opening.id)).arg("PXAT").arg(end.to_string());
    set.exec_async(&mut link).await
}

/// Reads the news of all breakers in one round trip.
pub(crate) async fn openings(redis: &Redis, breakers: &[&'static str]) -> RedisResult<Vec<Option<OpeningId>>> {
    if breakers.is_empty() {
        // Without keys `MGET` is an error.
        return Ok(Vec::new());
    }
    let mut get = cmd("MGET");
    for breaker in breakers {
        get.arg(key(redis, breaker));
    }
    let found: Vec<Option<Vec<u8>>> = get.query_async(&mut redis.quick()?).await?;
    if found.len() != breakers.len() {
        return Err((ErrorKind::UnexpectedReturnType, "Redis returned another number of values than of keys").into());
    }
    Ok(found.into_iter().map(|value| read(&value?)).collect())
}

fn written(id: OpeningId) -> String {
    format!("{:032x}:{}", id.replica, id.number)
}

/// Reads what [`written`] wrote, or returns `None`.
fn read(value: &[u8]) -> Option<OpeningId> {
    let (replica, number) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some(OpeningId { replica: u128::from_str_radix(replica, 16).ok()?, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_everything_else_is_no_news() {
        for id in [
            OpeningId { replica: 0, number: 0 },
            OpeningId { replica: 0xab, number: 7 },
            OpeningId { replica: u128::MAX, number: u64::MAX },
        ] {
            assert_eq!(read(written(id).as_bytes()), Some(id));
        }
        for value in ["", ":", "1", "1:", ":1", "1:x", "x:1", "1:-1", "1:2:3", "1:99999999999999999999"] {
            assert_eq!(read(value.as_bytes()), None, "{value}");
        }
        assert_eq!(read(b"\xff:1"), None);
        assert_eq!(read(format!("{}1:1", "f".repeat(32)).as_bytes()), None);
    }
}
