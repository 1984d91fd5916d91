//! Texts of errors that are not plain text.

use serde_json::json;

use crate::{browser::Browser, http_server::Server};

use super::{assert_clean, html, mistakes};

#[tokio::test]
async fn markup_bidirectional_marks_and_long_texts_in_errors_are_harmless() {
    let server = Server::of(["status-page", "0"]).await;
    let long = "x".repeat(10_000);
    let texts = [
        "<script>window.injected = true; alert(1)</script>",
        "\"><img src=x onerror=\"window.injected = true\"><style>body { display: none }</style>",
        "</td></table><h1>broken</h1>",
        "\u{202e}txt.exe\u{2066}\u{200f}",
        "שלום \u{2067}עולם",
        "a\u{0}b\u{7}c\u{1b}[31m",
        &long,
    ];
    for text in texts {
        let result = server.call("fail", json!({ "text": text })).await;
        assert_eq!(result["isError"], true, "{result}");
    }
    let source = html(&server, "/status").await.text().await.unwrap();
    assert_eq!(mistakes(&source).await, Vec::<String>::new());
    assert!(source.len() < 20_000, "{} bytes", source.len());
    let browser = Browser::start().await;
    for width in [1200, 360] {
        browser.resize(width, 900).await;
        browser.open(&format!("{}/status", server.admin())).await;
        browser.picture(&format!("texts-{width}")).await;
        assert_clean(&browser, "texts").await;
        assert_eq!(browser.barriers().await, Vec::<String>::new());
        let found =
            browser.run("return [window.injected === undefined, document.scripts.length, document.images.length]");
        assert_eq!(found.await, json!([true, 0, 0]));
        let shown = browser.text().await;
        for text in texts.iter().take(3) {
            assert!(shown.contains(text), "no {text} in {shown}");
        }
        assert!(shown.contains("txt.exe") && shown.contains("10000 characters"), "{shown}");
        let is_mark = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!shown.contains(is_mark) && !shown.contains(&"x".repeat(2_000)), "{shown}");
    }
}
