//! Connections: a reused one is not slower than a new one, none ends without a response, and the routes for operators
//! and the health check accept only certain requests.

use std::time::{Duration, Instant};

use resilient_tests::loopback;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::server::{PATIENCE, Server, healthcheck};

/// Sends a raw request, and reads until the connection ends.
async fn raw(origin: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(origin.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_call_over_a_kept_connection_is_not_slower_than_one_over_a_new_connection() {
    let server = Server::start(&[]).await;
    let session = server.session().await;
    let fresh = loopback::client().timeout(PATIENCE).pool_max_idle_per_host(0).build().unwrap();
    let kept = loopback::client().timeout(PATIENCE).build().unwrap();
    let median = async |client: &reqwest::Client| {
        let mut took = Vec::new();
        for id in 0..21 {
            let message = json!({ "id": id, "method": "ping" });
            let mut request = server.post_in(&session, &message).build().unwrap();
            *request.timeout_mut() = Some(PATIENCE);
            let begun = Instant::now();
            client.execute(request).await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        took[took.len() / 2]
    };
    let (fresh, kept) = (median(&fresh).await, median(&kept).await);
    // A delayed acknowledgement would take forty times as long.
    assert!(kept < fresh * 10, "{kept:?} over a kept connection, {fresh:?} over a new one");
}

/// Reads one HTTP response: its head and its body, or `None` at the end of the connection.
async fn answer(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let is_whole = match head.split_once("content-length: ") {
                Some((_, rest)) => body.len() >= rest.lines().next().unwrap().parse().unwrap(),
                None => body.ends_with("0\r\n\r\n"),
            };
            if is_whole {
                return Some((head, body.to_owned()));
            }
        }
        let mut chunk = [0; 4_096];
        let bytes = stream.read(&mut chunk).await.unwrap_or(0);
        if bytes == 0 {
            assert!(read.is_empty(), "half an answer: {text}");
            return None;
        }
        read.extend_from_slice(&chunk[..bytes]);
    }
}

/// Makes calls on one connection until a response closes it. Returns the number of responses, and whether the last one
/// closed it.
async fn calls(address: String, request: String) -> (u32, bool) {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let mut answers = 0;
    loop {
        if stream.write_all(request.as_bytes()).await.is_err() {
            return (answers, false);
        }
        let Some((head, _)) = answer(&mut stream).await else { return (answers, false) };
        answers += 1;
        if head.contains("connection: close") {
            return (answers, true);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_on_a_kept_connection_is_answered_while_the_server_stops_and_the_last_answer_closes_it() {
    let server = Server::start(&[]).await;
    let address = server.origin.trim_start_matches("http://").to_owned();
    let request = server.post("list_scenarios", &json!({ "team_id": 1, "limit": 1 })).build().unwrap();
    let body = String::from_utf8_lossy(request.body().unwrap().as_bytes().unwrap()).into_owned();
    let mut head = format!("POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in request.headers() {
        head += &[name.as_str(), ": ", value.to_str().unwrap(), "\r\n"].concat();
    }
    let mut all = JoinSet::new();
    for _ in 0..40 {
        all.spawn(calls(address.clone(), format!("{head}\r\n{body}")));
    }
    server.until_upstream(|stats| stats.to_string().len() > 2).await;
    let answered = r#"resilient_calls_total{tool="list_scenarios",outcome="ok"}"#;
    let many = async { while server.metric(answered).await < 100 {} };
    tokio::time::timeout(PATIENCE, many).await.expect("they call");
    server.signal("TERM");
    let ends = tokio::time::timeout(PATIENCE, all.join_all()).await.expect("every connection ends");
    let lost = ends.iter().filter(|(_, closed_by_answer)| !closed_by_answer).count();
    assert_eq!((ends.len(), lost), (40, 0), "{ends:?}");
    assert!(ends.iter().all(|(answers, _)| *answers > 0), "{ends:?}");
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[tokio::test]
async fn the_routes_for_operators_take_one_host_that_is_local_and_the_host_of_an_absolute_target() {
    let server = Server::start(&["--admin", "127.0.0.1:0"]).await;
    let admin = server.admin.as_deref().unwrap();
    for (target, hosts, expected) in [
        ("/errors", &["localhost"] as &[&str], "200"),
        ("/errors", &["LOCALHOST"], "200"),
        ("/errors", &["LocalHost:9000"], "200"),
        ("/errors", &["127.0.0.1"], "200"),
        ("/errors", &["[::1]:80"], "200"),
        ("/errors", &["page.example"], "421"),
        ("/errors", &["localhost.page.example"], "421"),
        ("/errors", &["localhost", "localhost"], "400"),
        ("/errors", &["localhost", "page.example"], "400"),
        ("/errors", &[], "400"),
        ("/errors", &["page.example@localhost"], "400"),
        ("http://evil.example/errors", &["localhost"], "421"),
        ("http://localhost/errors", &["localhost"], "200"),
        ("http://localhost/errors", &["evil.example"], "421"),
    ] {
        let hosts_sent = hosts.iter().map(|host| ["host: ", host, "\r\n"].concat()).collect::<Vec<_>>().concat();
        let answer = raw(admin, &format!("GET {target} HTTP/1.1\r\n{hosts_sent}connection: close\r\n\r\n")).await;
        let status = answer.split(' ').nth(1);
        assert_eq!(status, Some(expected), "{target} {hosts:?}: {answer}");
    }
}

/// Responds to one request with these bytes.
async fn answers_once(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let _ = stream.read(&mut [0; 4_096]).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    origin
}

#[tokio::test]
async fn the_health_check_follows_no_redirect_and_escapes_what_could_steer_a_terminal() {
    let server = Server::start(&[]).await;
    let to = format!("HTTP/1.1 302 Found\r\nlocation: {}/readyz\r\ncontent-length: 0\r\n\r\n", server.origin);
    let (code, line) = healthcheck(&answers_once(to.leak()).await).await;
    assert!(code == 1 && line.starts_with("not ready: HTTP 302"), "{line}");
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n\u{1b}[31mred\r\nx\u{7}\u{202e}\u{9b}2J";
    let (code, line) = healthcheck(&answers_once(body).await).await;
    assert_eq!((code, line.as_str()), (0, "ready: HTTP 200 \\u{1b}[31mred\\r\\nx\\u{7}\\u{202e}\\u{9b}2J\n"));
}
