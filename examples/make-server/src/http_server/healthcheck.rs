//! `http-server healthcheck`: requests the readiness of a running server, for Docker's `HEALTHCHECK`.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::http::loopback_client;
use crate::process::with_sources;

/// The time limit of the whole check.
const LIMIT: Duration = Duration::from_secs(3);

/// The maximum length of the printed response.
const LONGEST: usize = 300;

/// Checks the server at this URL. Returns one line in either case.
pub(super) async fn ask(url: &str) -> Result<String, String> {
    match tokio::time::timeout(LIMIT, get(url)).await {
        Ok(Ok((true, answer))) => Ok(format!("ready: {answer}")),
        Ok(Ok((false, answer))) => Err(format!("not ready: {answer}")),
        Ok(Err(error)) => Err(format!("no answer: {}", with_sources(&error.without_url()))),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn get(url: &str) -> reqwest::Result<(bool, String)> {
    // A redirect does not mean ready.
    let mut answer = loopback_client().redirect(Policy::none()).build()?.get(url).send().await?;
    let status = answer.status();
    let body = answer.chunk().await?.unwrap_or_default();
    Ok((status.is_success(), format!("HTTP {} {}", status.as_u16(), escaped(&String::from_utf8_lossy(&body)))))
}

/// Truncates a text to one line and escapes control characters and invisible ones.
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
