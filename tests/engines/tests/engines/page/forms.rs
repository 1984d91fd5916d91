//! The forms change the server with the token, and not without.

use crate::{browser::Browser, http_server::Server};

use super::{TOKEN, open};

/// Opens the page with forms, and presses a button with this token.
async fn press(browser: &Browser, server: &Server, token: &str, button: &str) {
    open(browser, server, "/status?edit=1").await;
    // A browser does not send the form without a token; others might.
    browser.run("document.querySelector('#changes').noValidate = true").await;
    if !token.is_empty() {
        browser.write("#token", token).await;
    }
    browser.write("#by", "on call").await;
    browser.follow(button).await;
}

async fn metric(server: &Server, series: &str) -> Option<String> {
    let (_, text) = server.metrics("text/plain").await;
    text.lines().find_map(|line| Some(line.strip_prefix(series)?.trim().to_owned()))
}

#[tokio::test]
async fn the_forms_work_with_the_token_and_not_without() {
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &[("RESILIENT_ADMIN_TOKEN", TOKEN)]).await;
    let browser = Browser::start().await;
    let degraded = "button[name=level][value=degraded]";
    let is_degraded = r#"resilient_level{level="degraded"}"#;

    for token in ["", "not-the-token-of-operators"] {
        press(&browser, &server, token, degraded).await;
        let text = browser.text().await;
        assert!(text.contains("401"), "with `{token}`: {text}");
        assert_eq!(metric(&server, is_degraded).await.as_deref(), Some("0"), "with `{token}`");
    }
    // The buttons do not work without the token, even if the browser sends it as password.
    browser.open(&format!("{}/status?edit=1", server.admin())).await;
    browser.click(degraded).await;
    assert_eq!(metric(&server, is_degraded).await.as_deref(), Some("0"));

    press(&browser, &server, TOKEN, degraded).await;
    let text = browser.text().await;
    assert!(text.contains("degraded, by an operator"), "{text}");
    assert_eq!(metric(&server, is_degraded).await.as_deref(), Some("1"));
    press(&browser, &server, TOKEN, "button[name=level][value=automatic]").await;
    assert_eq!(metric(&server, is_degraded).await.as_deref(), Some("0"));

    press(&browser, &server, TOKEN, "button[formaction='breakers/make'][value=isolate]").await;
    let text = browser.text().await;
    assert!(text.contains("isolated"), "{text}");
    assert_eq!(metric(&server, r#"resilient_breaker_state{breaker="make"}"#).await.as_deref(), Some("2"));
    press(&browser, &server, TOKEN, "button[formaction='breakers/make'][value=close]").await;
    assert_eq!(metric(&server, r#"resilient_breaker_state{breaker="make"}"#).await.as_deref(), Some("0"));

    press(&browser, &server, TOKEN, "button[formaction='tools/run_scenario']").await;
    let text = browser.text().await;
    assert!(text.contains("off by an operator"), "{text}");
    press(&browser, &server, TOKEN, "button[formaction='tools/run_scenario'][value=true]").await;
    let text = browser.text().await;
    assert!(!text.contains("off by an operator"), "{text}");

    press(&browser, &server, TOKEN, "button[formaction=reload]").await;
    assert!(browser.text().await.contains("Level and switches"));
}

#[tokio::test]
async fn without_a_token_of_the_server_there_are_no_forms() {
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &[]).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/status?edit=1", server.admin())).await;
    assert_eq!(browser.run("return document.querySelectorAll('form[method=post], [formaction]').length").await, 0);
    assert!(browser.text().await.contains("Level and switches"));
}
