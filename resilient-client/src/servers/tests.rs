use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::*;
use crate::call::CallSettings;
use crate::link::any::Target;
use crate::link::fake::{Client, Fake, INITIALIZED};
use crate::message::Message;

const TOOLS: &str = r#"[{"name":"get","annotations":{"readOnlyHint":true}},{"name":"put"}]"#;

/// A server of a test: its name, and what it does.
type Named<'n> = (&'n str, &'n Arc<Fake>);

fn start(servers: &[Named<'_>], alternatives: &[(&str, &[&str])]) -> Servers {
    let stop = CancellationToken::new();
    let settings = ServersSettings::default();
    let run = |(name, fake): &Named<'_>| {
        let calls = CallSettings { trust_annotations: true, ..CallSettings::default() };
        Server::run(name, Ok((Target::Fake(Arc::clone(fake)), calls)), &settings, &stop)
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let alternatives = alternatives.iter().map(|(tool, others)| ((*tool).to_owned(), owned(others))).collect();
    Servers::of(servers.iter().map(run).collect(), alternatives, settings.patience, stop)
}

async fn started(servers: &[Named<'_>], alternatives: &[(&str, &[&str])]) -> Servers {
    let servers = start(servers, alternatives);
    servers.settled().await;
    servers
}

fn answer(message: &Message, client: &Client, text: &str) {
    if message.method() == Some("tools/call") {
        let result = json!({ "content": [{ "type": "text", "text": text }] });
        client.answer(message, &result.to_string());
    }
}

/// A server that answers each call with this text, and counts the calls.
fn answering(text: &'static str) -> (Arc<Fake>, Arc<AtomicU64>) {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let fake = Fake::with_tools(TOOLS, move |message, client| {
        counted.fetch_add(u64::from(message.method() == Some("tools/call")), Ordering::SeqCst);
        answer(message, client, text);
    });
    (fake, calls)
}

/// A server that dies in each call.
fn dying() -> Arc<Fake> {
    Fake::with_tools(TOOLS, |message, client| {
        if message.method() == Some("tools/call") {
            client.exit();
        }
    })
}

fn absent() -> Arc<Fake> {
    let fake = Fake::with_tools(TOOLS, |_, _| {});
    fake.starts.store(false, Ordering::SeqCst);
    fake
}

fn nothing() -> Map<String, Value> {
    Map::new()
}

#[tokio::test(start_paused = true)]
async fn tools_are_called_by_their_full_name_or_by_one_that_a_single_server_has() {
    let pages = Fake::new(|message, client| match message.method() {
        Some("initialize") => client.answer(message, INITIALIZED),
        Some("tools/list") if message.params() == Some("{}") => {
            client.answer(message, r#"{"tools":[{"name":"one"}],"nextCursor":"2"}"#);
        }
        Some("tools/list") => client.answer(message, r#"{"tools":[{"name":"get"},{"nameless":2}]}"#),
        _ => answer(message, client, message.params().unwrap_or_default()),
    });
    let (other, _) = answering("other");
    let servers = started(&[("names.a", &pages), ("names.b", &other)], &[]).await;
    let names: Vec<_> = servers.tools().iter().map(ListedTool::full_name).collect();
    assert_eq!(names, ["names.a__one", "names.a__get", "names.b__get", "names.b__put"]);

    let arguments = json!({ "n": 7 }).as_object().cloned().unwrap();
    let outcome = servers.call("one", arguments).await.unwrap();
    assert_eq!((outcome.answered_by(), outcome.is_alternative()), ("names.a__one", false));
    assert_eq!(outcome.text(), r#"{"arguments":{"n":7},"name":"one"}"#);
    assert_eq!(servers.call("names.b__get", nothing()).await.unwrap().text(), "other");

    let error = servers.call("get", nothing()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = error.text_for_model();
    assert!(text.contains("`names.a__get`, `names.b__get`"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_alternative_answers_for_a_server_that_cannot_start() {
    let (other, _) = answering("other");
    let servers = started(
        &[("start.a", &absent()), ("start.b", &other)],
        &[("start.a__put", &["start.none__put", "unknown", "start.b__put"])],
    )
    .await;
    let outcome = servers.call("start.a__put", nothing()).await.unwrap();
    assert_eq!((outcome.answered_by(), outcome.is_alternative()), ("start.b__put", true));
    assert_eq!(outcome.text_for_model(), "[`start.a__put` is not available; `start.b__put` answered]\nother");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_no_server_has_listed_has_its_alternatives() {
    let (other, _) = answering("other");
    let servers = started(&[("plain.a", &absent()), ("plain.b", &other)], &[("search", &["get"])]).await;
    assert_eq!(servers.call("search", nothing()).await.unwrap().answered_by(), "plain.b__get");
    let text = servers.call("find", nothing()).await.unwrap_err().text_for_model();
    assert!(text.contains("no server has a tool `find`"), "{text}");
    assert!(text.contains("the tools of the server `plain.a` are not known: the command"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_taken_effect_runs_nowhere_else() {
    let (other, calls) = answering("other");
    let servers = started(&[("write.a", &dying()), ("write.b", &other)], &[("write.a__put", &["write.b__put"])]).await;
    let error = servers.call("write.a__put", nothing()).await.unwrap_err();
    assert!(error.may_have_run() && error.tried().is_empty());
    assert!(error.text_for_model().contains("may have taken effect"), "{}", error.text_for_model());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_write_that_may_have_taken_effect_runs_at_no_other_server() {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let tools = r#"[{"name":"send","annotations":{"readOnlyHint":false,"idempotentHint":true}}]"#;
    let dying = Fake::with_tools(tools, move |message, client| {
        if message.method() == Some("tools/call") {
            counted.fetch_add(1, Ordering::SeqCst);
            client.exit();
        }
    });
    let (other, calls) = answering("other");
    let servers = started(&[("same.a", &dying), ("same.b", &other)], &[("same.a__send", &["same.b__put"])]).await;
    let error = servers.call("same.a__send", nothing()).await.unwrap_err();
    assert!(error.may_have_run() && error.tried().is_empty(), "{error:?}");
    assert!(runs.load(Ordering::SeqCst) > 1, "an idempotent call is repeated at its own server");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alternative_that_may_have_written_is_the_last_one() {
    let (third, calls) = answering("third");
    let list: &[&str] = &["last.b__put", "last.c__put"];
    let servers =
        started(&[("last.a", &absent()), ("last.b", &dying()), ("last.c", &third)], &[("last.a__put", list)]).await;
    let error = servers.call("last.a__put", nothing()).await.unwrap_err();
    assert_eq!((error.server(), error.tried()), (Some("last.b"), &["last.a__put".to_owned()][..]));
    assert!(error.may_have_run());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_lost_its_server_is_answered_by_an_alternative() {
    let (other, calls) = answering("other");
    let servers = started(&[("read.a", &dying()), ("read.b", &other)], &[("read.a__get", &["read.b__get"])]).await;
    assert_eq!(servers.call("read.a__get", nothing()).await.unwrap().answered_by(), "read.b__get");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_error_of_the_tool_that_was_called_names_what_was_tried_as_well() {
    let servers = started(&[("both.a", &absent()), ("both.b", &absent())], &[("both.a__get", &["both.b__get"])]).await;
    let error = servers.call("both.a__get", nothing()).await.unwrap_err();
    assert_eq!((error.server(), error.may_have_run()), (Some("both.a"), false));
    let text = error.text_for_model();
    assert!(text.contains("the server `both.a`: ") && text.contains("the command `fake` does not exist"), "{text}");
    assert!(text.ends_with("Tried as well, without success: `both.b__get`."), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_result_with_an_error_is_an_outcome() {
    let failing = Fake::with_tools(TOOLS, |message, client| {
        if message.method() == Some("tools/call") {
            client.answer(message, r#"{"content":[{"type":"text","text":"no such file"}],"isError":true}"#);
        }
    });
    let (other, calls) = answering("other");
    let servers = started(&[("own.a", &failing), ("own.b", &other)], &[("own.a__get", &["own.b__get"])]).await;
    let outcome = servers.call("own.a__get", nothing()).await.unwrap();
    assert!(outcome.is_error());
    assert_eq!((outcome.answered_by(), outcome.text()), ("own.a__get", "no such file"));
    assert_eq!((calls.load(Ordering::SeqCst), servers.health()[0].failures), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_a_guarded_server_has_rejected_runs_elsewhere() {
    let rejecting = Fake::with_tools(TOOLS, |message, client| {
        if message.method() == Some("tools/call") {
            let error = json!({ "code": "BUSY", "kind": "overloaded", "details": { "performed": false } });
            let meta = json!({ "io.crates.resilient-runtime/error": error });
            client.answer(message, &json!({ "content": [], "isError": true, "_meta": meta }).to_string());
        }
    });
    let (other, _) = answering("other");
    let servers = started(&[("busy.a", &rejecting), ("busy.b", &other)], &[("busy.a__put", &["busy.b__put"])]).await;
    assert_eq!(servers.call("busy.a__put", nothing()).await.unwrap().answered_by(), "busy.b__put");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ended_while_its_server_started_has_done_nothing() {
    let silent = Fake::new(|_, _| {});
    let (other, _) = answering("other");
    let servers = start(&[("slow.a", &silent), ("slow.b", &other)], &[("slow.a__put", &["slow.b__put"])]);
    assert_eq!(servers.call("slow.a__put", nothing()).await.unwrap().answered_by(), "slow.b__put");
    let error = &servers.health()[0].errors[0];
    assert_eq!(error.tool.as_deref(), Some("put"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_with_wrong_settings_is_present_and_says_why() {
    let text = r#"{"mcpServers":{"wrong":{"url":"https://x","headers":{"Authorization":"Bearer ${NOT_SET}"}}}}"#;
    let servers = Servers::new(Config::parse(text, "servers.json", |_| None).unwrap());
    servers.settled().await;
    let health = &servers.health()[0];
    assert_eq!((health.server.as_str(), health.state), ("wrong", ServerState::Unusable));
    assert!(health.reason.as_deref().unwrap().contains("NOT_SET"), "{health:?}");
    assert!(health.errors[0].text.contains("NOT_SET"), "{health:?}");
    let error = servers.call("wrong__get", nothing()).await.unwrap_err();
    let text = error.text_for_model();
    let reason = "the server `wrong`: the variable NOT_SET is not set (mcpServers.wrong.headers.Authorization in ";
    assert!(text.contains(reason), "{text}");
    assert!(!error.may_have_run());
    servers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_list_is_read_again_when_it_has_changed_and_after_a_reconnect() {
    let lists = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lists);
    let fake = Fake::new(move |message, client| match message.method() {
        Some("initialize") => client.answer(message, INITIALIZED),
        Some("tools/list") => {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            client.answer(message, &format!(r#"{{"tools":[{{"name":"tool{number}"}}]}}"#));
            if number == 1 {
                client.send(Message::notification("notifications/tools/list_changed", &json!({})));
            }
        }
        Some("tools/call") if client.connection == 1 => client.exit(),
        _ => {}
    });
    let servers = started(&[("lists", &fake)], &[]).await;
    let until = async |name: &str| {
        while servers.tools()[0].name() != name {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    until("tool2").await;
    servers.call("tool2", nothing()).await.unwrap_err();
    until("tool3").await;
    assert_eq!(fake.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_server_are_refused_and_pings_answered() {
    let answers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&answers);
    let fake = Fake::with_tools(TOOLS, move |message, client| match message.method() {
        Some("tools/call") => {
            client.send(Message::request("1", "sampling/createMessage", &json!({})));
            client.send(Message::request("\"p\"", "ping", &json!({})));
            answer(message, client, "done");
        }
        None => seen.lock().unwrap().push(message.text().to_owned()),
        _ => {}
    });
    let servers = started(&[("asks", &fake)], &[]).await;
    servers.call("get", nothing()).await.unwrap();
    servers.stop().await;
    let answers = answers.lock().unwrap();
    assert!(answers[0].contains(r#""id":1,"error":{"code":-32601"#), "{answers:?}");
    assert_eq!(answers[1], r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
}

#[tokio::test(start_paused = true)]
async fn the_health_of_a_server_has_its_last_errors_without_secrets() {
    let fake = Fake::with_tools(TOOLS, |message, client| {
        if let (Some("tools/call"), Some(id)) = (message.method(), message.id()) {
            client.send(Message::error_of(id, -32_602, "wrong password=hunter2", None));
        }
    });
    let servers = started(&[("health", &fake)], &[]).await;
    assert_eq!(servers.health()[0].state, ServerState::Up);
    for _ in 0..12 {
        servers.call("put", nothing()).await.unwrap_err();
    }
    let health = servers.health().remove(0);
    assert_eq!((health.calls, health.failures, health.tools, health.errors.len()), (12, 12, 2, 10));
    let error = &health.errors[0];
    assert_eq!(error.tool.as_deref(), Some("put"));
    assert!(error.text.starts_with("wrong password=") && !error.text.contains("hunter2"), "{error:?}");
    servers.stop().await;
    assert_eq!(servers.health()[0].state, ServerState::Stopped);
}
