//! Who may use the routes: host, origin, token, and the limit of wrong tokens.

use std::time::Duration;

use http::{Method, StatusCode};
use resilient_runtime::http::InvalidToken;
use serde_json::json;
use tokio::time::{advance, sleep};

use super::{Operators, TOKEN, WRONG, basic, bearer, empty, form, to};

const READS: [&str; 4] = ["/status", "/errors", "/breakers", "/policies"];
const CHANGES: [&str; 4] = ["/level", "/features/exports", "/tools/export", "/breakers/shop"];

#[tokio::test]
async fn without_a_token_everything_can_be_read_and_no_route_changes_anything() {
    let operators = Operators::with(|admin| admin);
    for path in READS {
        let answer = operators.send(empty(to(Method::GET, path))).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        assert_eq!(operators.send(empty(to(Method::HEAD, path))).await.status, StatusCode::OK, "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = operators.send(empty(to(method.clone(), path))).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    for path in CHANGES.into_iter().chain(["/reload"]) {
        for request in
            [form(to(Method::POST, path), "level=emergency"), form(bearer(to(Method::POST, path), TOKEN), "")]
        {
            assert_eq!(operators.send(request).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    assert_eq!(operators.refused(), [""; 0]);
}

#[tokio::test]
async fn with_a_token_reading_needs_it_as_bearer_or_as_password() {
    let operators = Operators::new();
    for path in READS {
        for method in [Method::GET, Method::HEAD] {
            for request in [bearer(to(method.clone(), path), TOKEN), basic(to(method.clone(), path), TOKEN)] {
                assert_eq!(operators.send(empty(request)).await.status, StatusCode::OK, "{path}");
            }
            let answer = operators.send(empty(to(method.clone(), path))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            let challenges = ["Bearer realm=\"operators\"", "Basic realm=\"operators\", charset=\"UTF-8\""];
            assert_eq!(answer.header("www-authenticate"), challenges, "{path}");
        }
    }
    let scheme = |value: &str| to(Method::GET, "/status").header("authorization", value);
    assert_eq!(operators.send(empty(scheme(&format!("bEARER  {TOKEN}")))).await.status, StatusCode::OK);
    assert_eq!(operators.refused(), ["no_token"; 8]);
    for value in [TOKEN, "Bearer", "Basic", "Basic !!!", "Basic Og", "Digest x", &format!("Token {TOKEN}")] {
        assert_eq!(operators.send(empty(scheme(value))).await.status, StatusCode::UNAUTHORIZED, "{value}");
    }
    let twice = bearer(bearer(to(Method::GET, "/status"), TOKEN), TOKEN);
    assert_eq!(operators.send(empty(twice)).await.status, StatusCode::UNAUTHORIZED);
    let cookie = to(Method::GET, "/status").header("cookie", format!("token={TOKEN}"));
    assert_eq!(operators.send(empty(cookie)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(operators.counted("no_token"), 17);
    for request in [bearer(to(Method::GET, "/status"), WRONG), basic(to(Method::GET, "/status"), WRONG)] {
        assert_eq!(operators.send(empty(request)).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(operators.refused()[17..], ["wrong_token"; 2]);
}

#[tokio::test]
async fn a_change_needs_the_token_as_bearer_or_in_the_form_and_basic_is_not_enough() {
    let operators = Operators::new();
    let post = || to(Method::POST, "/level");
    for (request, reason) in [
        (form(post(), "level=minimal"), "no_token"),
        (empty(post()), "no_token"),
        (post().header("content-type", "application/json").body("{\"level\":\"minimal\"}".into()).unwrap(), "no_token"),
        (
            // The field `token` is that of forms alone.
            post()
                .header("content-type", "application/json")
                .body(json!({ "token": TOKEN }).to_string().into())
                .unwrap(),
            "no_token",
        ),
        (form(basic(post(), TOKEN), "level=minimal"), "basic"),
        (empty(basic(post(), TOKEN)), "basic"),
        (form(bearer(post(), WRONG), "level=minimal"), "wrong_token"),
        (form(post(), &format!("level=minimal&token={WRONG}")), "wrong_token"),
        (form(bearer(post(), WRONG), &format!("level=minimal&token={TOKEN}")), "wrong_token"),
    ] {
        let before = operators.counted(reason);
        let answer = operators.send(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{reason}");
        // Without a challenge for Basic, a browser asks for no password.
        assert_eq!(answer.header("www-authenticate"), ["Bearer realm=\"operators\""]);
        assert_eq!(operators.refused().last().map(String::as_str), Some(reason));
        assert_eq!(operators.counted(reason), before + 1, "{reason}");
    }
    assert_eq!(operators.changed(), [""; 0]);
    // A browser that has read the page with Basic sends that with the form as well.
    let with_both = form(basic(post(), TOKEN), &format!("level=minimal&token={TOKEN}"));
    assert_eq!(operators.send(with_both).await.status, StatusCode::SEE_OTHER);
    let with_bearer = form(bearer(post(), TOKEN), "level=normal");
    assert_eq!(operators.send(with_bearer).await.status, StatusCode::SEE_OTHER);
    assert_eq!(operators.changed().len(), 2);
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_for_every_route_whatever_its_token() {
    let operators = Operators::with(|admin| {
        admin.token(TOKEN).expect("a token").allowed_hosts(["ops.example.org", "one.example.org:8443"])
    });
    let request = |method: Method, host: &str, origin: Option<&str>| {
        let request = bearer(http::Request::builder().method(method).uri("/level").header("host", host), TOKEN);
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        form(request, "level=normal")
    };
    for method in [Method::GET, Method::POST, Method::DELETE] {
        for (host, origin, status, reason) in [
            ("page.example", None, StatusCode::MISDIRECTED_REQUEST, "host"),
            ("localhost.page.example", None, StatusCode::MISDIRECTED_REQUEST, "host"),
            ("one.example.org:8444", None, StatusCode::MISDIRECTED_REQUEST, "host"),
            ("a@localhost", None, StatusCode::BAD_REQUEST, "host"),
            ("page.example", Some("http://page.example"), StatusCode::MISDIRECTED_REQUEST, "host"),
            ("localhost:8001", Some("http://page.example"), StatusCode::FORBIDDEN, "origin"),
            ("localhost:8001", Some("http://localhost:8002"), StatusCode::FORBIDDEN, "origin"),
            ("localhost:8001", Some("null"), StatusCode::FORBIDDEN, "origin"),
        ] {
            let before = operators.counted(reason);
            let answer = operators.send(request(method.clone(), host, origin)).await;
            assert_eq!(answer.status, status, "{method} {host} {origin:?}");
            assert_eq!(operators.refused().last().map(String::as_str), Some(reason));
            assert_eq!(operators.counted(reason), before + 1);
        }
    }
    let without = http::Request::get("/status").body(axum::body::Body::empty()).unwrap();
    assert_eq!(operators.send(without).await.status, StatusCode::BAD_REQUEST);
    for (host, origin) in [
        ("localhost:8001", None),
        ("127.0.0.1:8001", Some("http://127.0.0.1:8001")),
        ("[::1]:8001", Some("http://[::1]:8001")),
        ("ops.example.org", Some("https://ops.example.org")),
        ("one.example.org:8443", Some("https://one.example.org:8443")),
    ] {
        let answer = operators.send(request(Method::POST, host, origin)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{host} {origin:?}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_refused_even_beside_the_right_one() {
    let operators = Operators::new();
    for path in ["/status", "/errors", "/level"] {
        for name in ["token", "access_token", "to%6ben", "Token", "ADMIN_TOKEN"] {
            for method in [Method::GET, Method::POST] {
                let path = format!("{path}?limit=1&{name}={TOKEN}");
                for request in [to(method.clone(), &path), bearer(to(method.clone(), &path), TOKEN)] {
                    let answer = operators.send(form(request, "level=minimal")).await;
                    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
                    assert!(answer.json()["error"].as_str().is_some_and(|error| error.contains("never in a URL")));
                }
            }
        }
    }
    assert_eq!(operators.refused(), ["token_in_url"; 60]);
    assert_eq!(operators.counted("token_in_url"), 60);
    assert_eq!(operators.changed(), [""; 0]);
    // Under another name it is a parameter that the route does not have.
    let other = operators.send(empty(bearer(to(Method::GET, &format!("/errors?key={TOKEN}")), TOKEN))).await;
    assert_eq!((other.status, operators.counted("query")), (StatusCode::BAD_REQUEST, 1));
    let tool = operators.send(empty(bearer(to(Method::GET, &format!("/errors?tool={TOKEN}")), TOKEN))).await;
    assert_eq!(tool.status, StatusCode::OK);
}

#[test]
fn a_short_token_is_no_token() {
    use resilient_runtime::health::Health;
    use resilient_runtime::http::Admin;
    use std::sync::Arc;
    let refused = |token: &str| Admin::new(Arc::new(Health::of(&Arc::default()))).token(token).err();
    for (token, text) in [
        ("", "the token has less than 16 characters"),
        ("fifteen-letters", "the token has less than 16 characters"),
        ("sixteen-letters!\n", "the token contains white space, perhaps a line break at its end"),
        ("sixteen-lettérs!", "the token contains a character that is not visible ASCII"),
    ] {
        let error = refused(token).expect("an error");
        assert_eq!(error.to_string(), text);
        assert!(token.is_empty() || !format!("{error:?} {error}").contains(token));
    }
    assert_eq!(refused("fifteen-letters"), Some(InvalidToken::TooShort));
    assert!(refused("sixteen-letters!").is_none());
}

#[tokio::test(start_paused = true)]
async fn after_ten_wrong_tokens_in_a_minute_nothing_is_compared_for_a_minute() {
    let operators = Operators::new();
    let get = async |token: &str| {
        let answer = operators.send(empty(bearer(to(Method::GET, "/status"), token))).await;
        (answer.status, answer.header("retry-after").first().map(ToString::to_string))
    };
    let (wrong, right) = ((StatusCode::UNAUTHORIZED, None), (StatusCode::OK, None));
    // Nine in a minute, again and again.
    for _ in 0..5 {
        for _ in 0..9 {
            assert_eq!(get(WRONG).await, wrong);
        }
        assert_eq!(get(TOKEN).await, right);
        sleep(Duration::from_secs(60)).await;
    }
    // Ten within a minute, from reads, changes and forms.
    for n in 0..10 {
        let request = match n % 4 {
            0 => empty(bearer(to(Method::GET, "/status"), WRONG)),
            1 => empty(basic(to(Method::GET, "/status"), WRONG)),
            2 => empty(bearer(to(Method::POST, "/level"), WRONG)),
            _ => form(to(Method::POST, "/level"), &format!("token={WRONG}")),
        };
        assert_eq!(operators.send(request).await.status, StatusCode::UNAUTHORIZED, "{n}");
        advance(Duration::from_secs(5)).await;
    }
    // The last wrong token was 5 s ago.
    assert_eq!(get(TOKEN).await, (StatusCode::TOO_MANY_REQUESTS, Some("55".into())));
    let change = operators.change("/level", "{\"level\":\"minimal\"}").await;
    assert_eq!(change.status, StatusCode::TOO_MANY_REQUESTS);
    let without = operators.send(empty(to(Method::GET, "/status"))).await;
    assert_eq!(without.status, StatusCode::TOO_MANY_REQUESTS);
    advance(Duration::from_millis(54_500)).await;
    assert_eq!(get(WRONG).await, (StatusCode::TOO_MANY_REQUESTS, Some("1".into())));
    assert_eq!(operators.counted("rate_limit"), 4);
    advance(Duration::from_millis(500)).await;
    // Refused attempts do not prolong it, and the count begins again.
    assert_eq!(get(TOKEN).await, right);
    for _ in 0..9 {
        assert_eq!(get(WRONG).await, wrong);
    }
    assert_eq!(get(TOKEN).await, right);
    assert_eq!(operators.counted("wrong_token"), 45 + 10 + 9);
    assert_eq!(operators.changed(), [""; 0]);
}
