//! What the page looks like during an outage. The pictures are in `target/engines/screenshots`.

use serde_json::json;

use crate::{browser::Browser, http_server::Server};

use super::{TOKEN, assert_clean, html, mistakes, open};

/// A way to look at the page: its name, the width, and media features.
type Look = (&'static str, u32, &'static [(&'static str, &'static str)]);

const LOOKS: [Look; 5] = [
    ("light", 1200, &[("prefers-color-scheme", "light")]),
    ("dark", 1200, &[("prefers-color-scheme", "dark")]),
    ("narrow", 360, &[("prefers-color-scheme", "light")]),
    ("narrow-dark", 360, &[("prefers-color-scheme", "dark")]),
    ("forced-colours", 1200, &[("prefers-color-scheme", "dark"), ("forced-colors", "active")]),
];

/// Makes calls that succeed and fail in different ways until the breaker is open, and sets a level.
async fn troubled() -> Server {
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &[("RESILIENT_ADMIN_TOKEN", TOKEN)]).await;
    for team in 1..=5 {
        server.call("list_scenarios", json!({ "team_id": team })).await;
        server.call("list_connections", json!({ "team_id": team })).await;
    }
    server.call("get_scenario", json!({ "id": 999 })).await;
    server.enter("outage").await;
    for id in 101..=112 {
        server.call("get_scenario", json!({ "id": id })).await;
        server.call("run_scenario", json!({ "id": id, "idempotency_key": format!("key-{id}") })).await;
    }
    let level = server.http.post(format!("{}/level", server.admin())).bearer_auth(TOKEN);
    let changed = level.json(&json!({ "level": "degraded", "by": "on call" })).send().await.unwrap();
    changed.error_for_status().unwrap();
    server
}

#[tokio::test]
async fn the_page_is_valid_and_accessible_in_every_look_without_a_complaint() {
    let server = troubled().await;
    let browser = Browser::start().await;
    for (page, path) in [("status", "/status"), ("changes", "/status?edit=1"), ("refused", "/status?edit=2")] {
        if page != "refused" {
            let text = html(&server, path).await.text().await.unwrap();
            assert_eq!(mistakes(&text).await, Vec::<String>::new(), "{path}");
        }
        open(&browser, &server, path).await;
        for (look, width, features) in LOOKS {
            let which = format!("{page}-{look}");
            browser.resize(width, 900).await;
            browser.prefer(features).await;
            browser.picture(&which).await;
            if page == "refused" {
                // Chromium reports the status of the response.
                browser.complaints().await;
            }
            assert_clean(&browser, &which).await;
            assert_eq!(browser.barriers().await, Vec::<String>::new(), "{which}");
        }
        browser.resize(1200, 900).await;
        browser.prefer(&[]).await;
        browser.devtools("Emulation.setEmulatedVisionDeficiency", json!({ "type": "achromatopsia" })).await;
        browser.picture(&format!("{page}-without-colours")).await;
        browser.devtools("Emulation.setEmulatedVisionDeficiency", json!({ "type": "none" })).await;
    }
}
