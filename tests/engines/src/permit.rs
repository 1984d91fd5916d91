//! Takes one permit from a Redis. It is a separate process, because a variable names the trusted
//! certificates.

use std::{ffi::OsString, process::ExitCode, time::Duration};

use resilient_redis::Redis;
use resilient_runtime::{
    policy::RateLimitSettings,
    replicas::{PermitRequest, SharedState},
};

/// Prints the answer of the Redis at the URL in the arguments, or fails with the error.
pub(crate) fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let url = args.next().and_then(|url| url.into_string().ok()).unwrap_or_default();
    let redis = Redis::new(&url);
    let settings = RateLimitSettings::new(1, Duration::from_secs(1));
    let request = PermitRequest { limit: "permit", key: None, settings };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(redis.take(&request)) {
        Ok(taken) => {
            eprintln!("{taken:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
