//! Real processes.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::link::Received;

struct Events(Mutex<mpsc::UnboundedSender<Received>>);

impl Receive for Events {
    fn receive(&self, event: Received) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let _ = self.0.lock().unwrap().send(event);
        Box::pin(async {})
    }
}

fn open(script: &str) -> (StdioLink, mpsc::UnboundedReceiver<Received>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let command = Command::new("sh").args(["-c", script]);
    (StdioLink::open(&command, Arc::new(Events(Mutex::new(sender)))).unwrap(), receiver)
}

async fn next(events: &mut mpsc::UnboundedReceiver<Received>) -> Received {
    tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_message_with_line_breaks_is_one_line() {
    let (link, mut events) = open("cat");
    let message = Message::parse("{\"jsonrpc\":\"2.0\",\n\"id\":1,\r\n\"method\":\"ping\"}").unwrap();
    link.send(&message).await.unwrap();
    let Received::Message(echo) = next(&mut events).await else { panic!("no message") };
    assert_eq!(echo.text(), message.text().replace(['\n', '\r'], " "));
}

#[tokio::test]
async fn a_message_whose_sender_is_dropped_is_written_to_its_end() {
    // The pipe takes 64 KiB, and the process reads after a while.
    let (link, mut events) = open("sleep 0.3; cat");
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":"{}"}}"#, "x".repeat(1_000_000));
    let large = Message::parse(text).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), link.send(&large)).await.is_err());
    link.send(&Message::parse(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).unwrap()).await.unwrap();
    let ids = [next(&mut events).await, next(&mut events).await].map(|event| match event {
        Received::Message(message) => (message.id().unwrap().to_owned(), message.text().len()),
        other => panic!("{other:?}"),
    });
    assert_eq!(ids, [("1".to_owned(), large.text().len()), ("2".to_owned(), 40)]);
}

#[tokio::test]
async fn a_process_that_exits_says_how_and_what_it_logged_last() {
    let (_link, mut events) = open("echo 'api_key=abcdefghijklmnop1234' >&2; echo 'no database' >&2; exit 4");
    let Received::Lost(reason) = next(&mut events).await else { panic!("not lost") };
    assert!(reason.contains("status 4") && reason.contains("no database"), "{reason}");
    assert!(!reason.contains("abcdefghijklmnop1234"), "{reason}");
}

#[tokio::test]
async fn a_process_that_ignores_the_end_of_its_input_is_killed_with_its_children() {
    let (link, mut events) = open(
        r#"trap '' TERM; sleep 1000 & echo "{\"jsonrpc\":\"2.0\",\"method\":\"$!\"}"; while true; do sleep 1; done"#,
    );
    let Received::Message(started) = next(&mut events).await else { panic!("no message") };
    let child = std::path::Path::new("/proc").join(started.method().unwrap());
    assert!(child.exists() || !cfg!(target_os = "linux"));
    link.close().await;
    let Received::Lost(_) = next(&mut events).await else { panic!("not lost") };
    // The kernel may still list it for a moment.
    for _ in 0..100 {
        let state = std::fs::read_to_string(child.join("stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a child was left behind");
}
