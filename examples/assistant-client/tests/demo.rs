//! The program with its own servers.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_assistant-client"))
        .args(args)
        .env_remove("WIKI_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_call_has_an_answer_for_the_model() {
    let output = run(&["--demo"], include_str!("../calls.json"));
    let answers = lines(&output);
    let content: Vec<_> = answers.iter().map(|answer| answer["content"].as_str().unwrap()).collect();
    let errors: Vec<_> = answers.iter().map(|answer| answer["is_error"].as_bool().unwrap()).collect();
    assert_eq!(errors, [false, true, false, true], "{content:#?}");
    assert!(content[0].starts_with("[`search__web` is not available; `archive__lookup` answered]"), "{}", content[0]);
    assert!(content[1].contains("may have taken effect"), "{}", content[1]);
    assert_eq!(content[2], "One entry about \"bulkhead\".");
    assert!(content[3].contains("WIKI_TOKEN"), "{}", content[3]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("assistant.server") && log.contains("unusable"), "{log}");
}

#[test]
fn the_tools_of_all_servers_have_definitions() {
    let tools = lines(&run(&["--demo", "--tools"], ""));
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search__web", "archive__lookup", "notes__add", "notes__list"]);
    assert_eq!(tools[0]["input_schema"]["properties"]["query"]["type"], "string");
}

#[test]
fn what_cannot_be_read_is_an_error_with_the_exit_code_2() {
    for (args, input, part) in [
        (&["--demo"][..], "{}", "invalid type"),
        (&["no-such-file.json"], "[]", "no-such-file.json"),
        (&["--odd"], "", "`--odd`"),
        (&[], "", "expected a file"),
    ] {
        let output = run(args, input);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(part), "{args:?}: {error}");
    }
}
