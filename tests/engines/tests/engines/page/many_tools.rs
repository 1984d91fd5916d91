//! The page of a server with many tools.

use serde_json::json;

use crate::{browser::Browser, http_server::Server};

use super::{assert_clean, html};

/// Reads the milliseconds that the server needed for a response.
fn duration(response: &reqwest::Response) -> f64 {
    let timing = response.headers()["server-timing"].to_str().unwrap();
    timing.strip_prefix("total;dur=").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_page_of_1000_tools_takes_less_than_100_ms_and_1_mb() {
    let server = Server::of(["status-page", "999"]).await;
    for number in 0..999 {
        let result = server.call(&format!("tool_{number:04}"), json!({})).await;
        assert_ne!(result["isError"], true, "{result}");
    }
    // Other tests run at the same time.
    let mut fastest = f64::MAX;
    for _ in 0..10 {
        let response = html(&server, "/status").await;
        fastest = fastest.min(duration(&response));
        let page = response.text().await.unwrap();
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert!(page.contains("1000 tools") && page.contains("tool_0998"));
    }
    assert!(fastest < 100.0, "{fastest} ms");
    let browser = Browser::start().await;
    browser.open(&format!("{}/status", server.admin())).await;
    assert_clean(&browser, "1000 tools").await;
    assert_eq!(browser.run("return document.querySelector('#tools table').tBodies[0].rows.length").await, 1000);
}
