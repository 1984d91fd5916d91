//! One server and several.

use std::fs;

use serde_json::json;

use crate::client::{Proxy, folder, text};

#[tokio::test]
async fn a_server_that_dies_between_calls_is_there_for_the_next_one() {
    let mut proxy = Proxy::start(folder(), &["--", "sh", "server.sh", "one"]);
    let initialized = proxy.initialize().await;
    assert_eq!(
        (&initialized["protocolVersion"], &initialized["instructions"]),
        (&json!("2025-06-18"), &json!("I am one."))
    );
    let first = text(&proxy.call("read").await).to_owned();
    let process: i32 = first.strip_prefix("one ").unwrap().parse().unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(killed.success());
    // A process that is not dead yet may still take what is sent to it.
    while std::process::Command::new("kill").args(["-0", &process.to_string()]).output().unwrap().status.success() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let second = text(&proxy.call("write").await).to_owned();
    assert!(second.starts_with("one ") && second != first, "{second}");
    assert!(proxy.end().await);
}

#[tokio::test]
async fn a_write_whose_server_dies_is_not_repeated_and_says_that_it_may_have_taken_effect() {
    let mut proxy = Proxy::start(folder(), &["--name", "shop", "--", "sh", "server.sh", "one"]);
    proxy.initialize().await;
    proxy.request("tools/list", json!({})).await;
    let result = proxy.call("die").await;
    assert_eq!(result["isError"], true);
    let said = text(&result);
    assert!(said.contains("`shop`") && said.contains("signal 9") && said.contains("may have taken effect"), "{said}");
    assert_eq!(proxy.log(), ["one die"]);
}

#[tokio::test]
async fn initialize_is_answered_while_the_server_cannot_start_and_says_why() {
    let mut proxy =
        Proxy::start(folder(), &["--name", "shop", "--", "sh", "-c", "echo 'DB_URL is not set' >&2; exit 1"]);
    let initialized = proxy.initialize().await;
    assert_eq!(initialized["protocolVersion"], "2025-06-18");
    let instructions = initialized["instructions"].as_str().unwrap();
    assert!(instructions.contains("DB_URL is not set"), "{instructions}");
    let said = text(&proxy.call("read").await).to_owned();
    assert!(
        said.contains("`shop`") && said.contains("DB_URL is not set") && said.contains("Nothing was changed"),
        "{said}"
    );
}

#[tokio::test]
async fn a_file_in_the_working_directory_sets_nothing() {
    let folder = folder();
    fs::write(folder.path().join("resilient.toml"), "this is no TOML").unwrap();
    let mut proxy = Proxy::start(folder, &["--", "sh", "server.sh", "one"]);
    proxy.initialize().await;
    assert!(text(&proxy.call("read").await).starts_with("one "));
}

#[tokio::test]
async fn several_servers_are_one_and_one_that_cannot_start_does_not_stop_the_others() {
    let folder = folder();
    let servers = json!({ "mcpServers": {
        "one": { "command": "sh", "args": ["server.sh", "one"] },
        "two": { "command": "sh", "args": ["server.sh", "two"] },
        "bad": { "command": "sh", "args": ["-c", "exit 1"] },
    } });
    fs::write(folder.path().join("servers.json"), servers.to_string()).unwrap();
    let mut proxy = Proxy::start(folder, &["--config", "servers.json"]);
    let initialized = proxy.initialize().await;
    let instructions = initialized["instructions"].as_str().unwrap();
    assert!(instructions.contains("I am one.") && instructions.contains("I am two.") && instructions.contains("# bad"));
    let list = proxy.request("tools/list", json!({})).await;
    let names: Vec<_> = list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["one__read", "one__write", "two__read", "two__write"]);
    assert!(text(&proxy.call("two__write").await).starts_with("two "));
    assert!(text(&proxy.call("one__read").await).starts_with("one "));
    let unknown = proxy.request("tools/call", json!({ "name": "three__read" })).await;
    assert_eq!(unknown["error"]["code"], -32_602);
    let read = proxy.request("resources/read", json!({ "uri": "two:one" })).await;
    assert_eq!(read["result"]["contents"][0]["text"], "two");
    let sampling = proxy.request("completion/complete", json!({})).await;
    assert_eq!(sampling["error"]["code"], -32_601);
    assert!(proxy.end().await);
}

#[tokio::test]
async fn requests_under_way_are_answered_when_the_input_ends() {
    let mut proxy = Proxy::start(folder(), &["--", "sh", "server.sh", "one"]);
    let client = json!({ "name": "client", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    proxy.send(&json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params })).await;
    proxy.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    proxy.send(&json!({ "jsonrpc": "2.0", "id": "b", "method": "tools/list" })).await;
    let answers = proxy.rest().await;
    let answer = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap_or(&serde_json::Value::Null);
    assert_eq!(answer("a")["result"]["serverInfo"]["name"], "one", "{answers:?}");
    assert_eq!(answer("b")["result"]["tools"][0]["name"], "read", "{answers:?}");
}

#[tokio::test]
async fn the_client_of_several_servers_learns_that_one_came_back_with_other_tools() {
    let folder = folder();
    let servers = json!({ "mcpServers": { "one": { "command": "sh", "args": ["server.sh", "one"] } } });
    fs::write(folder.path().join("servers.json"), servers.to_string()).unwrap();
    let mut proxy = Proxy::start(folder, &["--config", "servers.json"]);
    proxy.initialize().await;
    let list = proxy.request("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"][0]["name"], "one__read");
    fs::write(proxy.folder.path().join("v2"), "").unwrap();
    let call = json!({ "name": "one__die", "arguments": {} });
    proxy.send(&json!({ "jsonrpc": "2.0", "id": "die", "method": "tools/call", "params": call })).await;
    while proxy.receive().await["method"] != "notifications/tools/list_changed" {}
    let list = proxy.request("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"][0]["name"], "one__new", "{list}");
}
