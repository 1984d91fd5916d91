//! The page through the router: who gets it, what it contains, and what its buttons do.

mod connections;
mod fixture;
mod forms;

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use fixture::{Server, TOKEN, error, fail};

#[tokio::test]
async fn a_browser_gets_the_page_and_a_program_gets_json_as_before() {
    let server = Server::new();
    let json = serde_json::to_value(server.registry.gate.state()).unwrap();
    for (accept, is_page) in [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true),
        ("text/html", true),
        ("TEXT/HTML; charset=utf-8", true),
        ("text/*", true),
        ("text/html, */*", true),
        ("text/html;q=0.8, application/json;q=0.7", true),
        ("text/html, application/json", false),
        ("text/html;q=0.7, application/json;q=0.8", false),
        ("*/*", false),
        ("application/json", false),
        ("text/html;q=0, */*", false),
        ("text/plain", false),
        ("", false),
    ] {
        let answer = server.get("/status?anything=1", accept).await;
        assert_eq!(answer.header("vary"), "accept", "{accept}");
        if is_page {
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (StatusCode::BAD_REQUEST, "text/html; charset=utf-8")
            );
            let answer = server.get("/status", accept).await;
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
            assert!(answer.body.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{accept}: {}", answer.body);
        } else {
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (StatusCode::OK, "application/json"),
                "{accept}"
            );
            assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), json);
        }
    }
}

#[tokio::test]
async fn the_page_has_its_own_policy_and_neither_scripts_nor_styles_outside_of_it() {
    let server = Server::new();
    fail(&server.registry, "send", 3);
    for path in ["/status", "/status?edit=1"] {
        let page = server.page(path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("style-src 'sha256-") && policy.contains("default-src 'none'"), "{policy}");
        assert_eq!((page.header("cache-control"), page.header("x-content-type-options")), ("no-store", "nosniff"));
        assert_eq!(page.body.matches("<style>").count(), 1);
        for forbidden in ["<script", " style=", " onclick", "javascript:", "http://", "https://"] {
            assert!(!page.body.contains(forbidden), "{forbidden}");
        }
        let reloads = page.body.contains("<meta http-equiv=\"refresh\" content=\"30\">");
        assert_eq!(reloads, path == "/status", "a page with forms must not clear them");
    }
    // Other routes have the policy that they had.
    let errors = server.get("/errors", "text/html").await;
    let policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    assert_eq!((errors.status, errors.header("content-security-policy")), (StatusCode::OK, policy));
}

#[tokio::test]
async fn texts_of_others_are_escaped_cut_and_isolated() {
    let server = Server::new();
    let text = "<script>alert(1)</script> \u{202e}\u{2066}abc\u{0}\u{1b}[31m \"'&";
    server.registry.recent().record(error("send", text, 0));
    server.registry.recent().record(error("<img src=x>", &"é".repeat(1_001), 10_000));
    fail(&server.registry, "\"><b>", 1);
    let page = server.page("/status").await.body;
    for expected in [
        "<bdi>&lt;script&gt;alert(1)&lt;/script&gt; ⟨U+202E⟩⟨U+2066⟩abc⟨U+0000⟩⟨U+001B⟩[31m &quot;'&amp;</bdi>",
        &format!("<bdi>{}</bdi>… <span class=\"dim\">(10000 characters)</span>", "é".repeat(500)),
        "<option value=\"&lt;img src=x&gt;\">&lt;img src=x&gt;</option>",
        "<a href=\"?tool=%22%3E%3Cb%3E#errors\">&quot;&gt;&lt;b&gt;</a>",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    for forbidden in ["<script", "<img", "<b>", "\u{202e}", "\u{2066}", "\u{0}", "\u{1b}"] {
        assert!(!page.contains(forbidden), "{forbidden:?}");
    }
    let strange = server.page("/status?tool=%3Ci%3E%E2%80%AE").await.body;
    assert!(strange.contains("<option value=\"&lt;i&gt;\u{202e}\" selected>&lt;i&gt;⟨U+202E⟩</option>"), "{strange}");
    assert!(strange.contains("No error logs found"));
}

#[tokio::test]
async fn each_section_says_what_is_the_case_and_what_is_not() {
    let server = Server::new();
    let page = server.page("/status").await.body;
    for expected in ["No tools", "No breakers", "No errors in the last 24 hours", "No error logs found", "normal"] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    fail(&server.registry, "send", 12);
    server.registry.statistics("quiet");
    server.registry.recent().record(error("send", "first", 5));
    server.registry.recent().record(error("other", "second", 6));
    server.break_shop().await;
    let page = server.page("/status").await.body;
    for expected in [
        "2 tools, 1 unhealthy, 1 healthy",
        "<span class=\"bad\">unhealthy</span>",
        "<td>12 (100.0 %)</td>",
        "<td>MAKE_DOWN, <time",
        "No errors</td>",
        "<span class=\"rising\">rising</span>",
        "<span class=\"bad\">open</span>",
        "closed → open, opened by hand, ",
        "in ",
        "<span class=\"text\">first</span>",
        "<span class=\"text\">second</span>",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    let of_one = server.page("/status?tool=other").await.body;
    assert!(of_one.contains(">second</span>") && !of_one.contains(">first</span>"));
    assert!(of_one.contains("<option value=\"other\" selected>"));
    // Numbers and times align with what the metrics say.
    let metrics = crate::export::prometheus::text(&server.registry);
    assert!(metrics.contains("resilient_calls_total{tool=\"send\",outcome=\"error\"} 12\n"), "{metrics}");
}

#[tokio::test]
async fn a_thousand_tools_are_rendered_in_time_and_in_less_than_a_megabyte() {
    let server = Server::new();
    for n in 0..1_000 {
        let tool = format!("a_tool_with_a_name_of_usual_length_{n:04}");
        fail(&server.registry, &tool, 3);
        server.knows(&tool);
        server.registry.recent().record(error(&tool, &"<&>".repeat(333), 10_000));
    }
    for path in ["/status", "/status?edit=1"] {
        server.page(path).await;
        let begun = Instant::now();
        let page = server.page(path).await.body;
        let took = begun.elapsed();
        eprintln!("{path}: {took:?}, {} bytes", page.len());
        // 100 ms in a release build; the rest is for builds without optimisation on a busy machine.
        let most = Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 100 });
        assert!(took < most, "{path}: {took:?}");
        assert!(page.len() < 1_000_000, "{path}: {} bytes", page.len());
        assert_eq!(page.matches("a_tool_with_a_name_of_usual_length_0999</a>").count(), 1);
    }
}

#[tokio::test]
async fn the_page_needs_the_token_as_every_route_does_and_says_so_in_html() {
    let server = Server::new();
    let request = || Request::get("/status").header("host", "localhost").header("accept", "text/html");
    let answer = server.send(request().body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::UNAUTHORIZED, "text/html; charset=utf-8"));
    assert!(answer.header("content-security-policy").contains("style-src"), "{:?}", answer.headers);
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 2);
    assert!(answer.body.contains("expected the token of this server"), "{}", answer.body);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("any:{TOKEN}"));
    let answer = server.send(request().header("authorization", format!("Basic {basic}")).body(Body::empty()).unwrap());
    assert_eq!(answer.await.status, StatusCode::OK);
    let json = server.send(Request::get("/status").header("host", "localhost").body(Body::empty()).unwrap()).await;
    let error = "expected the token of this server, as bearer token or as password of HTTP Basic";
    assert_eq!(serde_json::from_str::<Value>(&json.body).unwrap(), json!({ "error": error }));
}
