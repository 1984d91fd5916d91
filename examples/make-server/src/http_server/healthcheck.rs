//! `http-server healthcheck`: asks a server that runs whether it is ready, for Docker's `HEALTHCHECK`.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::http::loopback_client;
use crate::process::with_sources;

/// How long the server may take, all in all.
const LIMIT: Duration = Duration::from_secs(3);

/// As much of an answer as is worth a line.
const LONGEST: usize = 300;

/// Whether the server at this address is ready, in a line.
pub(super) async fn ask(url: &str) -> Result<String, String> {
    match tokio::time::timeout(LIMIT, get(url)).await {
        Ok(Ok((true, answer))) => Ok(format!("ready: {answer}")),
        Ok(Ok((false, answer))) => Err(format!("not ready: {answer}")),
        Ok(Err(error)) => Err(format!("no answer: {}", with_sources(&error.without_url()))),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn get(url: &str) -> reqwest::Result<(bool, String)> {
    // A server that points elsewhere has not said that it is ready.
    let mut answer = loopback_client().redirect(Policy::none()).build()?.get(url).send().await?;
    let status = answer.status();
    let body = answer.chunk().await?.unwrap_or_default();
    Ok((status.is_success(), format!("HTTP {} {}", status.as_u16(), escaped(&String::from_utf8_lossy(&body)))))
}

/// The beginning of a text as one line: what could steer a terminal, or hides from a reader, is escaped.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for c in text.trim_end().chars().take(LONGEST) {
        match c {
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                shown.extend(c.escape_unicode());
            }
            _ if c.is_control() => shown.extend(c.escape_default()),
            _ => shown.push(c),
        }
    }
    shown
}
