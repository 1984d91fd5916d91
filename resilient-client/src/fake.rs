//! A server for tests: this test executable again, with a variable that says how it behaves.

use std::io::{BufRead, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::command::Command;
use crate::message::Message;

/// Says how the server behaves.
const MODE: &str = "RESILIENT_FAKE_SERVER";

/// Returns the command of a server. `log` is the file to which it appends each method that it receives. `mode` is
/// `normal`, `exits` (at its start), `silent` (answers `initialize` alone), or `junk` (writes other lines in between).
pub(crate) fn server(mode: &str, log: &Path) -> Command {
    let program = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    let server = Command::new(program).args(["--exact", "fake::is_a_server", "--nocapture"]);
    server.env(MODE, mode).env("RESILIENT_FAKE_LOG", log.to_string_lossy())
}

/// Not a test: the main function of the server. The harness also writes to the output, which clients skip.
#[test]
fn is_a_server() {
    let Ok(mode) = std::env::var(MODE) else { return };
    if mode == "exits" {
        eprintln!("cannot start: DB_URL is not set, password=hunter2");
        std::process::exit(3);
    }
    let mut log =
        std::fs::File::options().append(true).create(true).open(std::env::var("RESILIENT_FAKE_LOG").unwrap()).unwrap();
    for line in std::io::stdin().lock().lines() {
        let Ok(message) = Message::parse(line.unwrap()) else { continue };
        let method = message.method().unwrap_or("response").to_owned();
        let params: Value = message.read_params().unwrap_or_default();
        let said = params["name"].as_str().or(params["requestId"].as_str()).unwrap_or_default();
        writeln!(log, "{method} {said}").unwrap();
        let name = params["name"].as_str().unwrap_or_default();
        let Some(id) = message.id() else { continue };
        if mode == "silent" && method != "initialize" {
            continue;
        }
        match name {
            "die" => std::process::exit(9),
            "hang" => continue,
            _ => {}
        }
        let mut out = std::io::stdout().lock();
        if mode == "junk" {
            out.write_all(b"starting up ...\n\xff\xfe\n{\"jsonrpc\":\"2.0\"}\n").unwrap();
        }
        let response = match name {
            "fails" => Message::error_of(id, -32_603, "the database is away", None),
            "reports" => Message::result_of(
                id,
                &json!({ "content": [{ "type": "text", "text": "no such order" }], "isError": true }).to_string(),
            ),
            _ => Message::result_of(id, &result(&method, &params).to_string()),
        };
        writeln!(out, "{}", response.text()).unwrap();
        out.flush().unwrap();
    }
    std::process::exit(0);
}

fn result(method: &str, params: &Value) -> Value {
    match method {
        "initialize" => json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": { "tools": {}, "resources": { "subscribe": true } },
            "serverInfo": { "name": "fake", "version": "1" },
        }),
        "tools/list" => {
            let tool = |name: &str, reads: bool| json!({ "name": name, "inputSchema": { "type": "object" }, "annotations": { "readOnlyHint": reads } });
            json!({ "tools": [tool("echo", true), tool("write", false)] })
        }
        _ => json!({ "content": [{ "type": "text", "text": std::process::id().to_string() }] }),
    }
}

/// Returns the methods that a server has received.
pub(crate) fn received(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}
