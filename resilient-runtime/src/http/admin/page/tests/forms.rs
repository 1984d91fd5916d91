//! The forms: who has them, what they send, and what a person reads if it is refused.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::fixture::{Server, TOKEN, fail};

/// The value of an attribute in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(value.split_once('"')?.0.replace("&amp;", "&"))
}

/// The buttons for changes: the route and the field that each one sends.
fn buttons(page: &str) -> Vec<(String, String)> {
    let tags = page.split("<button").skip(1).filter_map(|tag| tag.split_once('>')).map(|(tag, _)| tag);
    let buttons = tags.filter_map(|tag| {
        let route = attribute(tag, "formaction")?;
        assert_eq!(attribute(tag, "form").as_deref(), Some("changes"), "{tag}");
        let field = attribute(tag, "name").map(|name| format!("&{name}={}", attribute(tag, "value").unwrap()));
        Some((route, field.unwrap_or_default()))
    });
    buttons.collect()
}

#[tokio::test]
async fn forms_are_there_with_a_token_on_request_alone() {
    let server = Server::new();
    let page = server.page("/status").await.body;
    assert!(page.contains("<a href=\"?edit=1\">Make changes</a>"), "{page}");
    assert!(!page.contains("method=\"post\"") && buttons(&page).is_empty());
    let page = server.page("/status?edit=1").await.body;
    assert_eq!(page.matches("<input id=\"token\" type=\"password\" name=\"token\" required").count(), 1);
    assert_eq!(page.matches("method=\"post\"").count(), 1);
    assert!(page.contains("<label for=\"token\">Token</label>") && page.contains("<label for=\"by\">"));
    let without = Server::with(|admin| admin);
    for path in ["/status", "/status?edit=1"] {
        let page = without.page(path).await.body;
        assert!(!page.contains("name=\"token\"") && !page.contains("method=\"post\"") && buttons(&page).is_empty());
    }
    assert!(without.page("/status?edit=1").await.body.contains("Nothing can be changed here, because no token is set"));
    let answer = without.get("/status?edit=2", "text/html").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("expected `tool`, a tool's name, and `edit=1`, or neither"), "{}", answer.body);
}

#[tokio::test]
async fn every_button_makes_its_change_and_leads_back() {
    let server = Server::new();
    let tool = "page a/b?c";
    server.knows(tool);
    fail(&server.registry, tool, 1);
    server.break_shop().await;
    let page = server.page("/status?edit=1").await.body;
    let all = buttons(&page);
    for expected in [
        ("level", "&level=emergency"),
        ("tools/page%20a%2Fb%3Fc", "&enabled=false"),
        ("breakers/shop", "&action=isolate"),
    ] {
        assert!(all.iter().any(|(route, field)| (&**route, &**field) == expected), "{expected:?} in {all:?}");
    }
    // The level again at the end, because it is what decides about the rest.
    for (route, field) in all.iter().chain(all.iter().filter(|(route, _)| route == "level").take(1)) {
        let answer = server.post(&format!("/{route}"), &format!("token={TOKEN}&by=ann{field}")).await;
        let back = if route.contains('/') { "../status" } else { "status" };
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, back), "{route} {field}");
        let answer = server.post(&format!("/{route}"), &format!("by=ann{field}")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route} {field}");
    }
    let state = server.registry.gate.state();
    assert_eq!((state.level.as_str(), state.tools_off.len()), ("normal", 1));
    let page = server.page("/status?edit=1").await.body;
    for expected in [
        "<span class=\"off\">off</span> by an operator",
        "<span class=\"bad\">isolated</span>",
        "after an operator closes it",
        "<span class=\"good\">normal</span>, by an operator",
        "value=\"automatic\"",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(buttons(&page).contains(&("tools/page%20a%2Fb%3Fc".into(), "&enabled=true".into())));
    let answer = server.post("/tools/page%20a%2Fb%3Fc", &format!("token={TOKEN}&enabled=true")).await;
    assert_eq!((answer.status, server.registry.gate.state().tools_off.len()), (StatusCode::SEE_OTHER, 0));
}

#[tokio::test]
async fn a_refused_form_is_a_page_that_says_why_and_leads_back() {
    let server = Server::new();
    for (path, form, status, back, text) in [
        ("/level", "level=minimal&token=wrong-wrong-wrong", 401, "status", "expected the token of this server"),
        ("/level", "level=minimal", 401, "status", "the field `token` of a form"),
        ("/level", &*format!("level=minimla&token={TOKEN}"), 404, "status", "did you mean `minimal`?"),
        (
            "/level",
            &*format!("token={TOKEN}&x={}", "x".repeat(5_000)),
            413,
            "status",
            "the body has more than 4096 bytes",
        ),
        (
            "/breakers/%3Ci%3E",
            &*format!("action=open&token={TOKEN}"),
            404,
            "../status",
            "there is no breaker of this name",
        ),
        ("/tools/zzz", &*format!("enabled=true&token={TOKEN}"), 404, "../status", "there is no tool of this name"),
    ] {
        let answer = server.post(path, form).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (status, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(answer.header("content-security-policy").contains("style-src 'sha256-"));
        assert!(answer.body.contains(text) && !answer.body.contains("wrong-wrong"), "{}", answer.body);
        for link in [format!("<a href=\"{back}\">"), format!("<a href=\"{back}?edit=1\">")] {
            assert!(answer.body.contains(&link), "{link} in {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_reload_shows_its_problems() {
    let problems = json!({ "problems": ["`timeuot` is no key; did you mean `timeout`?", "<second>"] });
    let reload = |result: Result<Value, Value>| {
        Server::with(|admin| {
            let reload: crate::http::admin::Reload = std::sync::Arc::new(move || {
                let result = result.clone();
                Box::pin(async move { Ok(result) })
            });
            admin.token(TOKEN).unwrap().reload_with(reload)
        })
    };
    let form = format!("token={TOKEN}");
    let server = reload(Err(problems));
    assert!(buttons(&server.page("/status?edit=1").await.body).contains(&("reload".into(), String::new())));
    let answer = server.post("/reload", &form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("<p>`timeuot` is no key; did you mean `timeout`?</p><p>&lt;second&gt;</p>"));
    let answer = reload(Ok(json!({ "changes": [] }))).post("/reload", &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "status"));
}
