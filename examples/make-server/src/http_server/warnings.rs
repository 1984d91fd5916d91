//! Warnings at the start about settings with which the server works, but perhaps not as intended.

use std::{net::SocketAddr, path::Path};

use crate::settings::{non_blank, variable};

const OPEN: &str = "everyone who can reach this address can use the tools: put an authenticating proxy in front";
const ALONE: &str = "without RESILIENT_REDIS_URL each replica allows the whole limit: set it for several replicas, or \
    RESILIENT_REPLICAS=1 for one";
const UNUSED: &str = "RESILIENT_DEFERRED_PATH names a file, but runs are in Redis: those in the file are not started. \
    Start the server without Redis until there are none, then delete the file";

/// Logs what may be wrong with a server that listens at this address.
pub(super) fn log(address: SocketAddr, has_redis: bool) {
    for warning in warnings(address, has_redis, variable) {
        tracing::warn!(event = "config.warning", "{warning}");
    }
}

fn warnings(address: SocketAddr, has_redis: bool, variable: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let variable = |name| non_blank(variable(name));
    let is_public = !address.ip().is_loopback();
    let says_number = variable("RESILIENT_REPLICAS").is_some();
    let file = variable("RESILIENT_DEFERRED_PATH");
    let has_file = file.is_some_and(|path| Path::new(&path).exists());
    let all = [(is_public, OPEN), (is_public && !has_redis && !says_number, ALONE), (has_redis && has_file, UNUSED)];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, has_redis: bool, variables: &[(&str, &str)]) -> Vec<&'static str> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned());
        warnings(address.parse().unwrap(), has_redis, value)
    }

    #[test]
    fn a_server_for_other_machines_has_a_redis_or_says_that_it_is_alone() {
        assert_eq!(found("127.0.0.1:80", false, &[]), [""; 0]);
        assert_eq!(found("0.0.0.0:80", false, &[]), [OPEN, ALONE]);
        assert_eq!(found("0.0.0.0:80", false, &[("RESILIENT_REPLICAS", " ")]), [OPEN, ALONE]);
        assert_eq!(found("0.0.0.0:80", false, &[("RESILIENT_REPLICAS", "1")]), [OPEN]);
        assert_eq!(found("[::]:80", true, &[]), [OPEN]);
    }

    #[test]
    fn a_file_with_runs_beside_a_redis_is_unused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = [("RESILIENT_DEFERRED_PATH", file.path().to_str().unwrap())];
        assert_eq!(found("127.0.0.1:80", true, &path), [UNUSED]);
        assert_eq!(found("127.0.0.1:80", false, &path), [""; 0]);
        assert_eq!(found("127.0.0.1:80", true, &[("RESILIENT_DEFERRED_PATH", "/nowhere/deferred.db")]), [""; 0]);
    }
}
