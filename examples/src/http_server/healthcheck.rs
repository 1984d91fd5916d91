//! `http-server healthcheck`: asks a server that runs whether it is ready, for Docker's `HEALTHCHECK`.

use std::time::Duration;

use crate::http::loopback_client;
use crate::process::with_causes;

/// How long the server may take, all in all.
const LIMIT: Duration = Duration::from_secs(3);

/// As much of an answer as is worth a line.
const LONGEST: usize = 300;

/// Whether the server at this address is ready, in a line.
pub(super) async fn ask(url: &str) -> Result<String, String> {
    match tokio::time::timeout(LIMIT, get(url)).await {
        Ok(Ok((true, answer))) => Ok(format!("ready: {answer}")),
        Ok(Ok((false, answer))) => Err(format!("not ready: {answer}")),
        Ok(Err(error)) => Err(format!("no answer: {}", with_causes(&error.without_url()))),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn get(url: &str) -> reqwest::Result<(bool, String)> {
    let mut answer = loopback_client().build()?.get(url).send().await?;
    let status = answer.status();
    let body = answer.chunk().await?.unwrap_or_default();
    let body: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    Ok((status.is_success(), format!("HTTP {} {body}", status.as_u16())))
}
