//! Logging with `init()`, from outside: a process of its own for each case.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn command(what: &str, env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logging-under-test"));
    command.arg(what).env_remove("RUST_LOG").env_remove("LOG_LEVEL").envs(env.iter().copied());
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

fn run(what: &str, env: &[(&str, &str)]) -> Output {
    command(what, env).output().expect("it runs")
}

/// Every line, each of which is JSON.
fn lines(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(output.to_vec()).expect("UTF-8");
    assert!(!text.contains("hunter2") && !text.contains("abcdefghijklmnop"), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// How a process ends that has 20 s for it.
fn end_of(mut child: Child) -> (bool, String) {
    let until = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        assert!(Instant::now() < until, "it does not end");
        std::thread::yield_now();
    };
    let mut told = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut told).expect("text");
    (status.success(), told)
}

#[test]
fn a_line_is_json_in_its_order_and_without_secrets() {
    let output = run("line", &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert!(
        text.starts_with("{\"timestamp\":\"20") && text.contains("Z\",\"level\":\"INFO\",\"event\":\"test\""),
        "{text}"
    );
    let lines = lines(&output.stderr);
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["password"], &lines[0]["note"]), (&json!("***"), &json!("Bearer ***")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_harms_nobody() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    for what in ["line", "panics", "bomb", "dropped"] {
        let child = command(what, &[]).stdout(Stdio::piped()).stderr(full.try_clone().expect("a file")).spawn();
        assert_eq!(end_of(child.expect("it runs")), (true, "survived\n".into()), "{what}");
        let mut child = command(what, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        drop(child.stderr.take());
        assert_eq!(end_of(child), (true, "survived\n".into()), "{what}, closed");
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    let child = command("flood", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    assert_eq!(end_of(child), (true, "survived\n".into()));
}

#[test]
fn what_is_lost_is_counted() {
    let lines = lines(&run("flood", &[]).stderr);
    let lost: u64 =
        lines.iter().filter(|line| line["event"] == "log.lost").filter_map(|line| line["lines"].as_u64()).sum();
    let written: BTreeSet<_> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!(written.first(), Some(&0));
    // What was lost after the last line that was written is not known any more.
    assert!(written.len() as u64 + lost <= 50_000, "{} and {lost}", written.len());
    let until = written.last().expect("some") + 1;
    assert!(written.len() as u64 + lost >= until, "{} and {lost} of {until}", written.len());
}

#[test]
fn every_panic_is_told_whatever_is_filtered_and_how_many_there_are_at_a_time() {
    for filter in ["info", "off", "my_server=info"] {
        let output = run("panics", &[("RUST_LOG", filter)]);
        let lines = lines(&output.stderr);
        let told: BTreeSet<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
        assert_eq!((lines.len(), told.len()), (400, 400), "{filter}");
        assert!(lines.iter().all(|line| line["event"] == "panic" && line["level"] == "ERROR"), "{filter}");
    }
    let output = run("main", &[("RUST_LOG", "off")]);
    assert_eq!(output.status.code(), Some(101));
    let lines = lines(&output.stderr);
    assert_eq!((&lines[0]["event"], &lines[0]["message"]), (&json!("panic"), &json!("in main, password=***")));
    assert!(lines[0]["location"].as_str().is_some_and(|at| at.contains("logging-under-test.rs:")), "{lines:?}");
}

#[test]
fn a_field_that_panics_spoils_no_other_line() {
    let lines = lines(&run("bomb", &[]).stderr);
    assert!(lines.iter().any(|line| line["event"] == "panic"), "{lines:?}");
    assert_eq!(lines.last().map(|line| &line["event"]), Some(&json!("after")));
}

#[test]
fn a_guard_that_is_dropped_too_early_loses_nothing() {
    assert_eq!(lines(&run("dropped", &[]).stderr)[0]["event"], "after");
}

#[test]
fn a_level_that_is_none_is_told_and_the_log_stays() {
    for (name, value) in [("LOG_LEVEL", "verbose"), ("RUST_LOG", "inof")] {
        let lines = lines(&run("line", &[(name, value)]).stderr);
        let told = lines[0]["message"].as_str().unwrap_or_default();
        assert!(told.starts_with(&format!("`{name}` is not understood: `{value}` is no level")), "{lines:?}");
        assert_eq!(lines[1]["event"], "test");
    }
    assert_eq!(lines(&run("line", &[("LOG_LEVEL", "WARNING")]).stderr), [] as [Value; 0]);
}
