//! Logging with `init()`: each case is a child process, whose stderr the test reads.

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

/// Parses the output, of which every line must be JSON.
fn lines(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(output.to_vec()).expect("UTF-8");
    assert!(!text.contains("hunter2") && !text.contains("abcdefghijklmnop"), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits up to 20 s for the end of a process, and returns whether it succeeded and its stdout.
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

#[test]
fn what_a_line_says_itself_no_field_of_the_event_replaces() {
    let lines = lines(&run("names", &[]).stderr);
    let Value::Object(line) = &lines[0] else { panic!("{lines:?}") };
    let span = json!({ "name": "call", "correlation_id": "real" });
    assert_eq!((&line["level"], &line["span"], &line["spans"]), (&json!("INFO"), &span, &json!([span])));
    assert_eq!((&line["target"], &line["n"]), (&json!("logging_under_test"), &json!(7)));
}

#[test]
fn a_very_long_line_is_cut_and_stays_what_it_is() {
    let output = run("longest", &[]);
    assert!(output.stderr.len() < 2_000, "{}", output.stderr.len());
    let lines = lines(&output.stderr);
    assert_eq!((&lines[0]["event"], &lines[0]["password"]), (&json!("test"), &json!("***")));
    assert!(lines[0]["text"].as_str().is_some_and(|text| text.ends_with('…')), "{lines:?}");
}

#[test]
fn a_subscriber_of_one_thread_keeps_nobody_from_logging() {
    let lines = lines(&run("scoped", &[]).stderr);
    assert_eq!(lines.iter().map(|line| &line["event"]).collect::<Vec<_>>(), [&json!("test")]);
}

#[test]
fn where_there_is_a_global_subscriber_nothing_is_started_and_the_panic_hook_stays() {
    // The exporter would panic, because it has no TLS.
    let output = run("taken", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success() && text.contains("in another's log"), "{text}");
    assert!(!text.contains('{') && !text.contains("rustls"), "{text}");
}

#[test]
fn an_exporter_that_panics_while_it_is_started_is_told_as_a_line() {
    let lines = lines(&run("line", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]).stderr);
    let mut events: Vec<_> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    // One exporter for spans and one for metrics.
    events.dedup();
    assert_eq!(events, ["panic", "config.warning", "test"], "{lines:?}");
    assert!(lines[0]["message"].as_str().is_some_and(|why| why.contains("rustls")), "{lines:?}");
}

#[test]
fn every_line_of_a_call_has_its_correlation_id_although_the_span_is_filtered_out() {
    let told = |filter| {
        let lines = lines(&run("calls", &[("RUST_LOG", filter)]).stderr);
        assert!(lines.iter().all(|line| line["span"].is_null()), "{lines:?}");
        let own = lines.iter().position(|line| line["event"] == "own").expect("one");
        // Each call begins with a line that its body logs.
        let mut id = &lines[own]["expected"];
        let mut events = Vec::new();
        for line in lines.iter().filter(|line| line["event"] != "config.warning") {
            if line["event"] == "own" {
                id = &line["expected"];
            }
            assert_eq!((&line["correlation_id"], id.is_string()), (id, true), "{line}");
            events.push(line["event"].as_str().unwrap_or_default().to_owned());
        }
        events
    };
    let expected = [
        "own",
        "retry.scheduled",
        "own",
        "retry.exhausted",
        "tool.error",
        "fallback.failed",
        "panic",
        "tool.panic",
        "fallback.failed",
        "own",
        "fallback.used",
        "own",
        "retry.suppressed",
        "tool.error",
        "own",
    ];
    assert_eq!(told("warn"), expected);
    assert_eq!(told("logging_under_test=debug"), ["own", "own", "panic", "own", "own", "own"]);
    // At this level there is a span as well.
    let lines = lines(&run("calls", &[("RUST_LOG", "resilient_runtime=debug")]).stderr);
    let rejected = lines.iter().find(|line| line["event"] == "limit.rejected").expect("one");
    assert_eq!(rejected["correlation_id"], rejected["span"]["correlation_id"]);
    assert!(rejected["correlation_id"].is_string(), "{rejected}");
}

#[cfg(target_os = "linux")]
#[test]
fn long_lines_that_nobody_reads_fill_no_memory() {
    let child = command("flood-of-long", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let (succeeded, told) = end_of(child.expect("it runs"));
    let most = told.split_whitespace().nth(1).and_then(|most| most.parse::<u64>().ok()).expect("kB");
    // 90 MB were logged.
    assert!(succeeded && most < 48 * 1_024, "{told}");
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
    for what in ["flood", "flood-and-panic", "panics"] {
        let child = command(what, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        assert_eq!(end_of(child), (true, "survived\n".into()), "{what}");
    }
}

#[test]
fn what_is_lost_is_counted() {
    let lines = lines(&run("flood", &[]).stderr);
    let lost: u64 =
        lines.iter().filter(|line| line["event"] == "log.lost").filter_map(|line| line["lines"].as_u64()).sum();
    let written: BTreeSet<_> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!(written.first(), Some(&0));
    // The lines that were lost after the last written line are not counted.
    assert!(written.len() as u64 + lost <= 50_000, "{} and {lost}", written.len());
    let until = written.last().expect("some") + 1;
    assert!(written.len() as u64 + lost >= until, "{} and {lost} of {until}", written.len());
    assert!(lines.iter().all(|line| line["timestamp"].is_string()));
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

#[cfg(unix)]
#[test]
fn a_panic_is_told_before_the_process_aborts() {
    for (what, expected) in [("abort", vec!["before the end"]), ("drop", vec!["the first", "in a drop"])] {
        let output = run(what, &[]);
        assert_eq!(output.status.code(), None, "{what} is killed");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        // A panic during another panic writes a last message without calling the hook.
        let json: String = text.split_inclusive('\n').filter(|line| line.starts_with('{')).collect();
        let lines = lines(json.as_bytes());
        for (line, expected) in lines.iter().zip(&expected) {
            assert_eq!(line["message"], format!("{expected}, password=***"), "{text}");
            assert!(line["timestamp"].as_str().is_some_and(|at| at.starts_with("20")), "{line}");
        }
        assert!(lines.len() >= expected.len(), "{text}");
    }
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
