//! Wrong settings: an error that names the place, and exit code 2.

use std::fs;

use tempfile::TempDir;

use crate::client::{command, folder};

/// Runs the proxy to its end and returns its exit code and its standard error.
async fn run(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = command(folder);
    let output = command.args(arguments).envs(variables.iter().copied()).output().await.unwrap();
    assert!(output.stdout.is_empty(), "standard output belongs to MCP");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn with_servers(servers: &str) -> TempDir {
    let folder = folder();
    fs::write(folder.path().join("servers.json"), servers).unwrap();
    folder
}

#[tokio::test]
async fn each_mistake_in_the_file_of_servers_names_its_place() {
    let mistakes = [
        (
            r#"{"mcpServers":{"a":{"command":"sh","env":{"KEY":"${NOT_SET_ANYWHERE}"}}}}"#,
            &["a.env.KEY", "NOT_SET_ANYWHERE"],
        ),
        (r#"{"mcpServers":{"a":{"command":"sh","timeuot":"3s"}}}"#, &["a.timeuot", "timeout"]),
        (r#"{"mcpServers":{"a":{"command":"no-such-command-1"}}}"#, &["mcpServers.a", "no-such-command-1"]),
        (r#"{"mcpServers":{"a":{"command":"sh"},"a":{"command":"sh"}}}"#, &["servers.json", "mcpServers.a"]),
    ];
    for (servers, expected) in mistakes {
        let (code, error) = run(&with_servers(servers), &["--config", "servers.json", "--check"], &[]).await;
        assert_eq!(code, Some(2), "{error}");
        assert!(expected.iter().all(|part| error.contains(part)), "{expected:?}: {error}");
    }
}

#[tokio::test]
async fn a_command_that_does_not_exist_ends_the_proxy_at_its_start() {
    let (code, error) = run(&folder(), &["--", "no-such-command-1"], &[]).await;
    assert_eq!(code, Some(2));
    assert!(error.contains("`no-such-command-1` does not exist"), "{error}");
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token() {
    let arguments = ["--http", "0.0.0.0:0", "--", "sh", "server.sh", "one"];
    for variables in [&[][..], &[("RESILIENT_PROXY_TOKEN", "short")]] {
        let (code, error) = run(&folder(), &arguments, variables).await;
        assert_eq!(code, Some(2));
        assert!(error.contains("RESILIENT_PROXY_TOKEN"), "{error}");
    }
}

#[tokio::test]
async fn a_policy_that_cannot_work_names_its_line() {
    let folder = folder();
    let policy = "[default]\ntimeout = \"2s\"\n\n[tool.read]\ntimeuot = \"1s\"\n";
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let (code, error) = run(&folder, &["--policy", "policy.toml", "--check", "--", "sh"], &[]).await;
    assert_eq!(code, Some(2));
    assert!(error.contains("policy.toml:5") && error.contains("timeout"), "{error}");
    fs::write(folder.path().join("policy.toml"), policy.replace("timeuot", "timeout")).unwrap();
    let (code, error) = run(&folder, &["--policy", "policy.toml", "--check", "--", "sh"], &[]).await;
    assert_eq!(code, Some(0), "{error}");
}
