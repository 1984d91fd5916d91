//! The checkers find what is wrong with a page.

use axum::{Router, response::Html, routing::get};
use resilient_tests::loopback::Upstream;

use crate::browser::Browser;

use super::mistakes;

const GOOD: &str = r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Good</title>
<link rel="icon" href="data:,"></head><body><main><h1>Good</h1><p>Text</p></main></body></html>"#;

const BAD: &str = r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Bad</title>
<link rel="icon" href="data:,"><style>p { color: #aaa; background: #fff }</style></head>
<body><main><h1>Bad</h1><p>Text<div>no</div></p><script>console.error("no")</script></main></body></html>"#;

const POLICY: &str = "default-src 'none'; script-src 'none'; img-src data:; style-src 'unsafe-inline'";

#[tokio::test]
async fn they_find_invalid_html_blocked_scripts_messages_and_low_contrast() {
    let page = |html: &'static str, policy: &'static str| {
        get(move || async move { ([("content-security-policy", policy)], Html(html)) })
    };
    let routes = Router::new()
        .route("/good", page(GOOD, POLICY))
        .route("/blocked", page(BAD, POLICY))
        .route("/allowed", page(BAD, "default-src 'self' 'unsafe-inline' data:"));
    let server = Upstream::start(routes).await.unwrap();
    let browser = Browser::start().await;

    assert_eq!(mistakes(GOOD).await, Vec::<String>::new());
    let found = mistakes(BAD).await;
    assert!(found.iter().any(|line| line.contains("</p>")), "{found:?}");

    browser.open(&format!("{}/good", server.origin())).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    browser.open(&format!("{}/blocked", server.origin())).await;
    let found = browser.complaints().await;
    assert!(found.len() == 2 && found.iter().all(|line| line.contains("script-src")), "{found:?}");
    let found = browser.barriers().await;
    assert!(found.len() == 1 && found[0].starts_with("color-contrast: <p>"), "{found:?}");
    browser.open(&format!("{}/allowed", server.origin())).await;
    let found = browser.complaints().await;
    assert!(found.len() == 1 && found[0].contains("no"), "{found:?}");
}
