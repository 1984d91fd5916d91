//! The tables and the examples of the documentation match the code.

use resilient_runtime::ErrorKind;
use resilient_runtime::error::Fault;
use resilient_tests::in_process::{request, with_meta};
use resilient_tests::wire::{CORRELATION, ERROR};
use serde_json::{Value, json};

use super::connect;
use super::log::Log;
use super::server::Server;

/// Returns the rows of the first table with this head, cell by cell.
fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let lines = document.lines().map(|line| line.trim_start().trim_start_matches("///").trim());
    let rows = lines.skip_while(|line| !line.starts_with(head)).take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "–" }.to_owned()
}

/// The columns of both tables.
fn columns(kind: ErrorKind) -> Vec<String> {
    let fault = match kind.fault() {
        Fault::Caller => "caller",
        Fault::Operator => "operator",
        Fault::Upstream => "upstream",
        Fault::Guard => "guard",
        Fault::Server => "server",
        Fault::None => "–",
        other => panic!("{other:?} has no word in the guide"),
    };
    vec![
        format!("`{kind}`"),
        fault.to_owned(),
        yes(kind.is_retryable()),
        yes(kind.trips_breaker()),
        yes(kind.falls_back()),
        yes(kind.is_public()),
        kind.severity().as_str().to_owned(),
    ]
}

const GUIDE: &str = include_str!("../../../../resilient-runtime/src/guide/errors.md");

#[test]
fn the_tables_of_the_documentation_are_those_of_the_code() {
    let rustdoc = table(include_str!("../../../../resilient-policy/src/kind/mod.rs"), "| kind | fault |");
    let guide = table(GUIDE, "| kind | fault |");
    assert_eq!((rustdoc.len(), guide.len()), (ErrorKind::ALL.len(), ErrorKind::ALL.len()));
    for ((kind, rustdoc), guide) in ErrorKind::ALL.iter().zip(rustdoc).zip(guide) {
        assert_eq!(rustdoc, columns(*kind));
        let mut with_texts = columns(*kind);
        with_texts.extend([kind.public_sentence().to_owned(), kind.default_hint().to_owned()]);
        assert_eq!(guide, with_texts);
    }
}

/// The guide shows the response of a call, and its log line.
#[tokio::test(start_paused = true)]
async fn the_answer_in_the_guide_is_an_answer() {
    let blocks = GUIDE.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<Value> = blocks.map(|block| serde_json::from_str(block).expect("JSON")).collect();
    let [example, line] = examples.as_slice() else { panic!("{examples:?}") };

    let log = Log::keep();
    let client = connect(&Server::default()).await;
    let id = example["_meta"][ERROR]["correlation_id"].as_str().expect("an id");
    let request = with_meta(request("get_order", &json!({})), &[(CORRELATION, id)]);
    let answer = client.call_tool(request).await.expect("an answer");
    assert_eq!(&serde_json::to_value(&answer).expect("JSON"), example);

    let mut logged = log.take();
    let members = logged[0].as_object_mut().expect("an object");
    members.retain(|name, _| ["level", "target", "fields"].contains(&name.as_str()));
    assert_eq!(&logged, std::slice::from_ref(line));
}
