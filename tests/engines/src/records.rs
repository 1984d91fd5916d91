//! The server of `resilient_tests::records`, with its store in Redis.

use std::ffi::OsString;
use std::process::ExitCode;

use resilient_redis::Redis;
use resilient_tests::records;

/// Runs the server. The arguments are the URL of Redis and the one of the upstream.
pub(crate) fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = args.map(|argument| argument.to_string_lossy().into_owned());
    records::main_with(args, |url, _| Ok(Redis::new(url).deferred_store()))
}
