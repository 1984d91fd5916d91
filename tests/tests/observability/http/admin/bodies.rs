//! Bodies: too large, too slow, of another type, with other fields, and with the token anywhere.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::json;
use tokio::time::Instant;

use super::{FORM, Operators, TOKEN, basic, bearer, empty, form, to};

#[tokio::test]
async fn a_body_of_5_kib_is_refused_and_one_of_4_kib_is_read() {
    let operators = Operators::new();
    let padded = |size: usize| format!("{{\"level\":\"minimal\"{}}}", " ".repeat(size - 19));
    assert_eq!(padded(4096).len(), 4096);
    assert_eq!(operators.change("/level", &padded(4096)).await.status, StatusCode::OK);
    for size in [4097, 5 * 1024, 1 << 20] {
        let answer = operators.change("/level", &padded(size)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{size}");
    }
    // A form is read before its token is known.
    let large = form(to(Method::POST, "/level"), &format!("token={TOKEN}&level=emergency&by={}", "x".repeat(5 * 1024)));
    assert_eq!(operators.send(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = (0..5).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024])));
    let chunked = bearer(to(Method::POST, "/level"), TOKEN).header("content-type", "application/json");
    let chunked = chunked.body(Body::from_stream(stream::iter(chunks))).expect("a request");
    assert_eq!(operators.send(chunked).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(operators.refused(), ["body_too_large"; 5]);
    assert_eq!(operators.counted("body_too_large"), 5);
    assert_eq!(operators.changed().len(), 1);
    assert_eq!(operators.registry.gate().level().as_str(), "minimal");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_5_s_and_one_that_breaks_off_is_refused() {
    let operators = Operators::new();
    let request = |body: Body| {
        bearer(to(Method::POST, "/level"), TOKEN)
            .header("content-type", "application/json")
            .body(body)
            .expect("a request")
    };
    let started = Instant::now();
    let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = operators.send(request(silent)).await;
    assert_eq!((answer.status, started.elapsed().as_secs()), (StatusCode::REQUEST_TIMEOUT, 5));
    // A byte in time again and again.
    let slow = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
    });
    let answer = operators.send(request(Body::from_stream(slow))).await;
    assert_eq!((answer.status, started.elapsed().as_secs()), (StatusCode::REQUEST_TIMEOUT, 10));
    let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
    assert_eq!(operators.send(request(broken)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(operators.refused(), ["body_timeout", "body_timeout", "body"]);
}

#[tokio::test]
async fn what_is_not_expected_is_refused_with_what_is() {
    let operators = Operators::new();
    let level = "expected `level`, the name of a level or `automatic`";
    let enabled = "expected `enabled`, `true` or `false`";
    let action = "expected `action`, one of `open`, `close`, `isolate`";
    let by = "expected `by` to be a text of at most 64 characters, without secrets";
    for (path, body, error) in [
        ("/level", "", "expected an object in JSON"),
        ("/level", "[]", "expected an object in JSON"),
        ("/level", "{", "expected an object in JSON"),
        ("/level", "{}", level),
        ("/level", r#"{"level": 1}"#, level),
        ("/level", r#"{"level": null}"#, level),
        ("/level", r#"{"level": "minimal", "levle": "x"}"#, level),
        ("/level", r#"{"level": "minimal", "token": "x"}"#, level),
        ("/level", r#"{"level": "minimal", "by": 1}"#, by),
        ("/tools/x", r#"{"enabled": "false"}"#, enabled),
        ("/tools/x", r#"{"enabled": 0}"#, enabled),
        ("/tools/x", "{}", enabled),
        ("/features/x", r#"{"enabled": true, "why": ""}"#, enabled),
        ("/breakers/x", r#"{"action": "opne"}"#, action),
        ("/breakers/x", r#"{"action": "Open"}"#, action),
    ] {
        let answer = operators.change(path, body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::BAD_REQUEST, json!({ "error": error })),
            "{path} {body}"
        );
    }
    let long = json!({ "level": "minimal", "by": "ä".repeat(65) }).to_string();
    assert_eq!(operators.change("/level", &long).await.json(), json!({ "error": by }));
    for (body, error) in [
        ("level=minimal&level=normal", "expected each field once"),
        ("level=minimal&levle=x", level),
        ("enabled=true", level),
        ("", level),
    ] {
        let answer = operators.send(form(bearer(to(Method::POST, "/level"), TOKEN), body)).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::BAD_REQUEST, json!({ "error": error })), "{body}");
    }
    for (level, suggestion) in [
        ("minimla", "did you mean `minimal`?"),
        ("automatc", "did you mean `automatic`?"),
        ("true", "expected one of `normal`, `degraded`, `minimal`, `emergency`, `automatic`"),
    ] {
        let answer = operators.change("/level", &json!({ "level": level }).to_string()).await;
        let error = format!("there is no such level; {suggestion}");
        assert_eq!((answer.status, answer.json()), (StatusCode::NOT_FOUND, json!({ "error": error })), "{level}");
    }
    assert_eq!(operators.counted("unknown"), 3);
    for content_type in ["text/plain", "multipart/form-data; boundary=x", "application/jsonp", ""] {
        let request = bearer(to(Method::POST, "/level"), TOKEN).header("content-type", content_type);
        let answer = operators.send(request.body("{\"level\":\"minimal\"}".into()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
    }
    assert_eq!(operators.send(empty(bearer(to(Method::POST, "/level"), TOKEN))).await.status, StatusCode::BAD_REQUEST);
    assert!(operators.refused().iter().all(|reason| reason == "body" || reason == "unknown"));
    assert_eq!(operators.counted("body") + 3, u64::try_from(operators.refused().len()).expect("few"));
    assert_eq!(operators.changed(), [""; 0]);
    let with_charset =
        bearer(to(Method::POST, "/level"), TOKEN).header("content-type", "Application/JSON; charset=utf-8");
    let answer = operators.send(with_charset.body("{\"level\":\"minimal\"}".into()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Where a client may put the token, by mistake or not.
#[derive(Debug, Clone, Copy)]
enum Place {
    Bearer,
    Basic,
    Cookie,
    Path,
    Query,
    FormToken,
    FormLevel,
    FormBy,
    FormName,
    JsonLevel,
    JsonBy,
    JsonName,
    ContentType,
    Host,
    Origin,
}

const PLACES: [Place; 15] = [
    Place::Bearer,
    Place::Basic,
    Place::Cookie,
    Place::Path,
    Place::Query,
    Place::FormToken,
    Place::FormLevel,
    Place::FormBy,
    Place::FormName,
    Place::JsonLevel,
    Place::JsonBy,
    Place::JsonName,
    Place::ContentType,
    Place::Host,
    Place::Origin,
];

/// Sends a request with the token in these places, around some other text. `send` checks the answer and the log.
async fn send(places: &[Place], method: &Method, path: &str, around: &str) {
    let operators = Operators::new();
    let has = |place: fn(&Place) -> bool| places.iter().any(place);
    let token = if around.is_empty() { TOKEN.to_owned() } else { format!("{around}{TOKEN}{around}") };
    let mut path = path.to_owned();
    if has(|place| matches!(place, Place::Path)) {
        path = format!("{}/{token}", path.rsplit_once('/').map_or("", |(before, _)| before));
    }
    if has(|place| matches!(place, Place::Query)) {
        path = format!("{path}?tool={token}");
    }
    let mut request = http::Request::builder().method(method).uri(path);
    let host = if has(|place| matches!(place, Place::Host)) { &token } else { "localhost" };
    request = request.header("host", host);
    for place in places {
        request = match place {
            Place::Bearer => bearer(request, TOKEN),
            Place::Basic => basic(request, TOKEN),
            Place::Cookie => request.header("cookie", format!("token={TOKEN}")),
            Place::Origin => request.header("origin", format!("http://{token}")),
            _ => request,
        };
    }
    let is_json = has(|place| matches!(place, Place::JsonLevel | Place::JsonBy | Place::JsonName));
    let level = |is_token: bool| if is_token { token.clone() } else { "minimal".into() };
    let body = if is_json {
        let mut fields = serde_json::Map::new();
        fields.insert("level".into(), level(has(|place| matches!(place, Place::JsonLevel))).into());
        if has(|place| matches!(place, Place::JsonBy)) {
            fields.insert("by".into(), token.clone().into());
        }
        if has(|place| matches!(place, Place::JsonName)) {
            fields.insert(token.clone(), true.into());
        }
        serde_json::Value::Object(fields).to_string()
    } else {
        let mut fields = format!("level={}", level(has(|place| matches!(place, Place::FormLevel))));
        for (is_there, field) in [
            (has(|place| matches!(place, Place::FormToken)), format!("&token={TOKEN}")),
            (has(|place| matches!(place, Place::FormBy)), format!("&by={token}")),
            (has(|place| matches!(place, Place::FormName)), format!("&{token}=1")),
        ] {
            fields += if is_there { &field } else { "" };
        }
        fields
    };
    let content_type = if has(|place| matches!(place, Place::ContentType)) {
        &token
    } else if is_json {
        "application/json"
    } else {
        FORM
    };
    let request = request.header("content-type", content_type).body(body.into()).expect("a request");
    operators.send(request).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn wherever_the_token_is_no_answer_and_no_line_has_it(
        places in proptest::sample::subsequence(&PLACES[..], 0..6),
        method in prop_oneof![Just(Method::GET), Just(Method::POST), Just(Method::POST), Just(Method::PUT)],
        path in prop_oneof![Just("/level"), Just("/tools/x"), Just("/features/x"), Just("/breakers/x"), Just("/errors")],
        around in "[a-z]{0,3}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(send(&places, &method, path, &around));
    }
}
