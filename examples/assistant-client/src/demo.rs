//! Small servers that hang and die, in this program.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, BufRead, Write},
};

use resilient_client::Config;
use serde_json::{Value, json};

/// Returns the servers of `mcp_servers.json`. Their command is this program.
pub(crate) fn config() -> Result<Config, Box<dyn Error>> {
    let program = std::env::current_exe()?.into_os_string();
    let variables = |name: &str| -> Option<OsString> { (name == "ASSISTANT_CLIENT").then(|| program.clone()) };
    Ok(Config::parse(include_str!("../mcp_servers.json"), "mcp_servers.json", variables)?)
}

/// Runs one of the servers until its input ends.
pub(crate) fn serve(name: &str) -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        // A notification has no id.
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": { "tools": {} },
                "serverInfo": { "name": name, "version": env!("CARGO_PKG_VERSION") },
            }),
            Some("tools/list") => json!({ "tools": tools(name) }),
            Some("tools/call") => match call(&message["params"]) {
                Some(text) => json!({ "content": [{ "type": "text", "text": text }] }),
                None => continue,
            },
            Some("ping") => json!({}),
            _ => continue,
        };
        let mut stdout = io::stdout();
        writeln!(stdout, "{}", json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))?;
        stdout.flush()?;
    }
    Ok(())
}

fn tools(server: &str) -> Value {
    let tool = |name: &str, argument: &str, reads: bool| {
        json!({
            "name": name,
            "inputSchema": { "type": "object", "properties": { argument: { "type": "string" } } },
            "annotations": { "readOnlyHint": reads },
        })
    };
    match server {
        "search" => json!([tool("web", "query", true)]),
        "archive" => json!([tool("lookup", "query", true)]),
        _ => json!([tool("add", "text", false), tool("list", "about", true)]),
    }
}

/// Runs a call. Returns `None` if there is no answer.
fn call(params: &Value) -> Option<String> {
    match params["name"].as_str() {
        // It hangs.
        Some("web") => None,
        Some("lookup") => Some(format!("One entry about {}.", params["arguments"]["query"])),
        // It dies before it answers: nothing says whether the note was written.
        Some("add") => std::process::exit(1),
        _ => Some("No notes.".into()),
    }
}
