use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::command::Command;

fn variables(name: &str) -> Option<OsString> {
    match name {
        "KEY" => Some("k-1".into()),
        "HOST" => Some("example.com".into()),
        "LINES" => Some("a\nb".into()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "servers.json", variables)
}

/// Returns the text of the error of a whole file.
fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

/// Returns a file with one server.
fn server(settings: &str) -> String {
    format!(r#"{{"mcpServers":{{"s":{{{settings}}}}}}}"#)
}

/// Returns the settings of the only server.
fn settings(text: &str) -> Result<ServerSettings, ConfigError> {
    let mut servers = parse(&server(text)).expect(text).servers;
    assert_eq!(servers.len(), 1, "{text}");
    servers.remove(0).server
}

#[test]
fn a_file_of_both_kinds_of_servers_is_read_in_its_order() {
    let text = r#"{
  "mcpServers": {
    "search": {
      "command": "npx", "args": ["-y", "tavily-mcp", "--key=${KEY}"],
      "env": { "API_KEY": "${KEY}", "REGION": "${REGION:-eu}" }, "cwd": "/srv/${HOST}",
      "timeout": "1.5m"
    },
    "apis": {
      "type": "http", "url": "https://${HOST}/mcp",
      "headers": { "Authorization": "Bearer ${KEY}" },
      "trust_annotations": true, "disabled": false
    }
  },
  "alternatives": { "tavily-search": ["brave-search", "web"], "brave-search": ["tavily-search"] }
}"#;
    let config = parse(text).expect("the file is correct");
    let search = ServerSettings {
        transport: Transport::Command(
            Command::new("npx")
                .args(["-y", "tavily-mcp", "--key=k-1"])
                .env("API_KEY", "k-1")
                .env("REGION", "eu")
                .current_dir("/srv/example.com"),
        ),
        trust_annotations: false,
        timeout: Some(Duration::from_secs(90)),
    };
    let apis = ServerSettings {
        transport: Transport::Http {
            url: "https://example.com/mcp".into(),
            headers: BTreeMap::from([("Authorization".into(), "Bearer k-1".into())]),
        },
        trust_annotations: true,
        timeout: None,
    };
    let expected = [("search", search), ("apis", apis)]
        .map(|(name, settings)| ServerEntry { name: name.into(), server: Ok(settings) });
    assert_eq!(config.servers, expected);
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let expected = [("tavily-search", names(&["brave-search", "web"])), ("brave-search", names(&["tavily-search"]))];
    assert_eq!(config.alternatives, expected.map(|(tool, others)| (tool.to_owned(), others)).into());
}

#[test]
fn small_files_are_accepted() {
    for text in [
        r#"{"mcpServers":{}}"#,
        "\u{feff}{\"mcpServers\":{}}",
        "\n\t{ \"mcpServers\" : { } } \r\n",
        &server(r#""command":"a""#),
        &server(r#""command":"a","type":"stdio""#),
        &server(r#""url":"http://a","type":"streamable-http""#),
        &server(r#""url":"http://a""#),
        &server(r#""command":"a","args":["${KEY"#).replace("${KEY", r#"$${KEY"]"#),
        &server(r#""\u0063ommand":"\u0061""#),
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
}

#[test]
fn important_errors_say_where_and_what() {
    let duplicate =
        "{\n  \"mcpServers\": {\n    \"a\": {\"command\":\"x\"},\n    \"a\": {\"url\":\"http://x\"}\n  }\n}";
    for (text, expected) in [
        ("", "servers.json: the file is empty; expected an object with `mcpServers`"),
        (
            r#"{"mcpServers":{"s":{"command":"a",}}}"#,
            "servers.json:1:35: this is not JSON: key must be a string; remove the comma before it",
        ),
        (
            r#"{"mcpServer":{}}"#,
            "servers.json:1:1: the key `mcpServers` is missing\n\
            servers.json:1:2: unknown key `mcpServer`; did you mean `mcpServers`?",
        ),
        (duplicate, "servers.json:4:5: mcpServers.a: two servers are called `a`; the other is in line 3"),
        (
            &server(r#""command":"a","agrs":[]"#),
            "servers.json:1:35: mcpServers.s: unknown key `agrs`; did you mean `args`?",
        ),
        (
            &server(r#""command":"a","url":"http://a""#),
            "servers.json:1:16: mcpServers.s: `command` and `url` exclude each other",
        ),
        (
            &server(""),
            "servers.json:1:16: mcpServers.s: expected `command` for a local server or `url` for a remote one",
        ),
        (
            &server(r#""command":"a","env":{"PORT":80}"#),
            "servers.json:1:49: mcpServers.s.env.PORT: expected a text, found a number; write it in quotes",
        ),
        (
            &server(r#""url":"ws://s3cret.example.com""#),
            "servers.json:1:27: mcpServers.s.url: expected a URL that begins with `https://` or `http://`",
        ),
        (
            &server(r#""command":"a","timeout":"1h30m""#),
            "servers.json:1:45: mcpServers.s.timeout: this duration cannot be read; write `\"90m\"`",
        ),
        (
            r#"{"mcpServers":{"a__b":{"command":"a"}}}"#,
            "servers.json:1:16: mcpServers.a__b: the name of a server must not contain `__` or end with `_`: tools are \
             called `server__tool`",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    let unset = settings(r#""command":"a","env":{"API_KEY":"${TAVILY_KEY}"}"#).expect_err("unset").to_string();
    assert_eq!(unset, "servers.json:1:52: mcpServers.s.env.API_KEY: the variable TAVILY_KEY is not set");
}

#[test]
fn every_rule_of_the_file_is_checked() {
    let large = format!("{{\"mcpServers\":{{}}}}{}", " ".repeat(LARGEST));
    for (text, part) in [
        (" \n", "the file is empty"),
        ("\u{feff}", "the file is empty"),
        (large.as_str(), "larger than 1 MiB"),
        ("[]", ":1:1: expected an object, found a list"),
        ("null", "found null"),
        ("{}", "the key `mcpServers` is missing"),
        ("{\"mcpServers\":{}} x", ":1:19: this is not JSON: trailing characters"),
        ("{\n  // servers\n}", ":2:3: this is not JSON: key must be a string; JSON has no comments"),
        (r#"{"mcpServers":[1, ]}"#, ":1:19: this is not JSON: expected value; remove the comma before it"),
        ("{\"mcpServers\":{}", "this is not JSON: EOF while parsing an object"),
        (r#"{"mcpServers":{},"mcpServers":{}}"#, ":1:18: mcpServers: two keys are called `mcpServers`"),
        (r#"{"mcpServers":[]}"#, "mcpServers: expected an object, found a list"),
        (r#"{"mcpServers":{"s":"npx"}}"#, "mcpServers.s: expected an object, found a text"),
        (r#"{"mcpServers":{},"alternative":{}}"#, "unknown key `alternative`; did you mean `alternatives`?"),
        (r#"{"mcpServers":{},"alternatives":[]}"#, "alternatives: expected an object, found a list"),
        (r#"{"mcpServers":{},"alternatives":{"a":"b"}}"#, "alternatives.a: expected a list, found a text"),
        (r#"{"mcpServers":{},"alternatives":{"a":[]}}"#, "alternatives.a: expected the name of at least one"),
        (r#"{"mcpServers":{},"alternatives":{"a":["a"]}}"#, "alternatives.a[0]: a tool is no alternative to itself"),
        (r#"{"mcpServers":{},"alternatives":{"a":["b","b"]}}"#, "alternatives.a[1]: the tool appears twice"),
        (r#"{"mcpServers":{},"alternatives":{"a":[""]}}"#, "alternatives.a[0]: the name of a tool must not be empty"),
        (r#"{"mcpServers":{},"alternatives":{"":["b"]}}"#, "alternatives.\"\": the name of a tool must not be empty"),
        (r#"{"mcpServers":{},"alternatives":{"a":[1]}}"#, "alternatives.a[0]: expected a text, found a number"),
        (r#"{"mcpServers":{},"alternatives":{"a":["b"],"a":["c"]}}"#, "alternatives.a: two tools are called `a`"),
        (r#"{"mcpServers":{"":{"command":"a"}}}"#, "mcpServers.\"\": a name must not be empty"),
        (r#"{"mcpServers":{"a b":{"command":"a"}}}"#, "mcpServers.\"a b\": ` ` is not allowed in a name"),
        (r#"{"mcpServers":{"a_":{"command":"a"}}}"#, "must not contain `__` or end with `_`"),
        (r#"{"mcpServers":{"a\nb":{"command":"a"}}}"#, "mcpServers.\"a\\nb\": `\\n` is not allowed in a name"),
        (r#"{"mcpServers":{"\ud800":{"command":"a"}}}"#, "mcpServers: a key contains an escape"),
    ] {
        let error = error(text);
        assert!(error.contains(part), "{text:.80}: {error}");
        assert_eq!(error.lines().count(), 1, "{text:.80}: {error}");
    }
}

#[test]
fn every_rule_of_a_server_is_checked() {
    for (text, part) in [
        (r#""command":"""#, "mcpServers.s.command: a command must not be empty"),
        (r#""command":["a"]"#, "mcpServers.s.command: expected a text, found a list"),
        (r#""command":"a\u0000""#, "mcpServers.s.command: the text must not contain a NUL"),
        (r#""command":"\ud800""#, "mcpServers.s.command: the text contains an escape that is not a character"),
        (r#""command":"a","command":"b""#, "mcpServers.s.command: two keys are called `command`"),
        (r#""command":"${a""#, "mcpServers.s.command: a reference to a variable has no closing brace"),
        (r#""command":"a","args":"b""#, "mcpServers.s.args: expected a list, found a text"),
        (r#""command":"a","args":["b",true]"#, "mcpServers.s.args[1]: expected a text, found a boolean; write it in"),
        (r#""command":"a","args":["\u0000"]"#, "mcpServers.s.args[0]: the text must not contain a NUL"),
        (r#""command":"a","args":["${env:KEY}"]"#, "mcpServers.s.args[0]: a variable is written without `env:`"),
        (r#""command":"a","env":[]"#, "mcpServers.s.env: expected an object, found a list"),
        (r#""command":"a","env":null"#, "mcpServers.s.env: expected an object, found null"),
        (r#""command":"a","env":{"A":null}"#, "mcpServers.s.env.A: expected a text, found null"),
        (r#""command":"a","env":{"A":{}}"#, "mcpServers.s.env.A: expected a text, found an object"),
        (r#""command":"a","env":{"A=B":""}"#, "mcpServers.s.env.\"A=B\": the name of a variable must not"),
        (r#""command":"a","env":{"":""}"#, "the name of a variable must not be empty"),
        (r#""command":"a","env":{"A":"\u0000"}"#, "mcpServers.s.env.A: the text must not contain a NUL"),
        (r#""command":"a","env":{"A":"","A":""}"#, "mcpServers.s.env.A: two keys are called `A`"),
        (r#""command":"a","cwd":"""#, "mcpServers.s.cwd: a directory must not be empty"),
        (r#""command":"a","cwd":"\u0000""#, "mcpServers.s.cwd: the text must not contain a NUL"),
        (r#""command":"a","headers":{}"#, "mcpServers.s.headers: `headers` is only for a server with `url`"),
        (r#""command":"a","type":"http""#, "mcpServers.s.type: a server with `command` has the type `stdio`"),
        (r#""command":"a","type":"local""#, "unknown type; expected one of `stdio`, `http`, `streamable-http`"),
        (r#""command":"a","type":1"#, "mcpServers.s.type: expected a text, found a number"),
        (r#""url":"http://a","type":"stdio""#, "mcpServers.s.type: a server with `url` has the type `http`"),
        (r#""url":"http://a","type":"sse""#, "mcpServers.s.type: the transport `sse` is not supported"),
        (r#""url":"http://a","type":"streamableHttp""#, "unknown type; did you mean `streamable-http`?"),
        (r#""url":"http://a","args":[]"#, "mcpServers.s.args: `args` is only for a server with `command`"),
        (r#""url":"http://a","env":{}"#, "mcpServers.s.env: `env` is only for a server with `command`"),
        (r#""url":"http://a","cwd":"""#, "mcpServers.s.cwd: `cwd` is only for a server with `command`"),
        (r#""url":"/mcp""#, "mcpServers.s.url: expected a URL"),
        (r#""url":1"#, "mcpServers.s.url: expected a text, found a number"),
        (r#""url":"http://a","headers":["A"]"#, "mcpServers.s.headers: expected an object, found a list"),
        (r#""url":"http://a","headers":{"A b":""}"#, "mcpServers.s.headers.\"A b\": expected the name of a header"),
        (r#""url":"http://a","headers":{"A":"\n"}"#, "mcpServers.s.headers.A: the value of a header must not"),
        (r#""url":"http://a","headers":{"X-A":"","x-a":""}"#, "mcpServers.s.headers: the header `x-a` appears twice"),
        (r#""command":"a","disabled":"yes""#, "mcpServers.s.disabled: expected `true` or `false`, found a text"),
        (r#""command":"a","trust_annotations":1"#, "trust_annotations: expected `true` or `false`, found a number"),
        (r#""command":"a","timeout":30"#, "mcpServers.s.timeout: expected a duration with a unit, such as `\"30s\"`"),
        (r#""command":"a","timeout":"25h""#, "mcpServers.s.timeout: a timeout is at least `\"10ms\"`"),
        (r#""command":"a","timeout":"0s""#, "mcpServers.s.timeout: expected a duration with a unit"),
        (r#""command":"a","timeout":"5 minutes""#, "write `\"5m\"`"),
        (r#""command":"a","autoApprove":[]"#, "mcpServers.s: unknown key `autoApprove`; expected one of `command`"),
    ] {
        let error = error(&server(text));
        assert!(error.contains(part), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{text}: {error}");
    }
}

#[test]
fn all_problems_are_reported_in_the_order_of_the_file() {
    let text = "{\n\"alternatives\": {\"a\": []},\n\"mcpServers\": {\n\"x y\": {\"command\": 1},\n\
                \"b\": {\"url\": \"ftp://a\", \"tiemout\": \"1s\"}\n}\n}";
    let lines: Vec<_> = parse(text).expect_err("problems").problems().iter().map(|p| p.position).collect();
    assert_eq!(lines, [Some((2, 23)), Some((4, 1)), Some((4, 20)), Some((5, 14)), Some((5, 25))]);
}

#[test]
fn columns_count_characters_and_no_byte_order_mark() {
    assert_eq!(error("\u{feff}{\"\u{e4}\u{1f600}\": 1, \"x\": 2, \"mcpServers\": {}}").lines().count(), 2);
    let error = parse("\u{feff}{\"\u{e4}\u{1f600}\": 1, \"mcpServers\": 7}").expect_err("problems");
    let positions: Vec<_> = error.problems().iter().map(|problem| problem.position).collect();
    assert_eq!(positions, [Some((1, 2)), Some((1, 25))]);
}

#[test]
fn an_unset_variable_is_a_problem_of_its_server_alone() {
    let text = r#"{"mcpServers":{
"a": {"command":"${A}","args":["${B}","${KEY}"]},
"b": {"url":"https://${HOST}","headers":{"A":"${C}"}},
"c": {"command":"c"}
}}"#;
    let config = parse(text).expect("the file is correct");
    let [a, b, c] = config.servers.as_slice() else { panic!("{config:?}") };
    let problems: Vec<String> =
        a.server.as_ref().expect_err("unset").problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "servers.json:2:17: mcpServers.a.command: the variable A is not set",
            "servers.json:2:32: mcpServers.a.args[0]: the variable B is not set",
        ]
    );
    let error = b.server.as_ref().expect_err("unset").to_string();
    assert_eq!(error, "servers.json:3:46: mcpServers.b.headers.A: the variable C is not set");
    assert!(c.server.is_ok());
}

#[test]
fn a_value_that_a_variable_spoils_is_a_problem_of_its_server_alone() {
    for (text, part) in [
        (r#""url":"${KEY}""#, "mcpServers.s.url: expected a URL"),
        (r#""url":"http://a","headers":{"A":"${LINES}"}"#, "mcpServers.s.headers.A: the value of a header must not"),
        (r#""command":"${EMPTY:-}""#, "mcpServers.s.command: a command must not be empty"),
        (r#""command":"a","cwd":"${EMPTY:-}""#, "mcpServers.s.cwd: a directory must not be empty"),
    ] {
        let error = settings(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_disabled_server_is_left_out_without_its_variables_and_still_checked() {
    let config = parse(&server(r#""command":"${UNSET}","disabled":true"#)).expect("it is disabled");
    assert_eq!(config.servers, []);
    assert!(error(&server(r#""comand":"a","disabled":true"#)).contains("did you mean `command`?"));
}

#[test]
fn a_long_key_is_cut_in_messages() {
    let error = error(&server(&format!(r#""command":"a","{}":1"#, "k".repeat(500))));
    assert!(error.contains(&format!("unknown key `{}…`", "k".repeat(64))), "{error}");
}

#[test]
fn a_file_is_read_or_the_error_names_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("mcp_servers.json");
    let read = || Config::read(&path, variables).map_err(|error| error.to_string());
    assert!(read().expect_err("no file").starts_with(&format!("{}: cannot read the file: ", path.display())));
    std::fs::write(&path, server(r#""command":"a""#)).expect("written");
    assert_eq!(read().expect("a file").servers.len(), 1);
    std::fs::write(&path, [b'{', 0xFF, b'}']).expect("written");
    assert_eq!(read(), Err(format!("{}: the file is not valid UTF-8", path.display())));
    std::fs::write(&path, " ".repeat(LARGEST + 1)).expect("written");
    assert_eq!(read(), Err(format!("{}: the file is larger than 1 MiB", path.display())));
}

#[test]
fn the_debug_form_of_settings_hides_values() {
    let text = r#""url":"https://me:s3cret@example.com/s3cret?s3cret","headers":{"A":"s3cret"}"#;
    let shown = format!("{:?}", settings(text).expect("settings").transport);
    assert_eq!(shown, r#"Http { url: https://example.com/***, headers: {"A": ***} }"#);
    let shown = format!("{:?}", settings(r#""command":"a","args":["s3cret"],"env":{"A":"s3cret"}"#));
    assert!(!shown.contains("s3cret") && shown.contains("\"A\": ***"), "{shown}");
}

/// Makes a value for one key out of a secret: plain, with a reference, with a mistake, of a wrong type.
fn value(secret: &str) -> impl Strategy<Value = String> + use<> {
    let secret = secret.to_owned();
    prop::sample::select(vec![
        "\"SECRET\"",
        "\"${V}\"",
        "\"${V}${NONE}\"",
        "\"${V\"",
        "\"${NONE:-SECRET\"",
        "\"${SECRET-}\"",
        "\"https://SECRET:${V}@x/\"",
        "\"SECRET://${V}\"",
        "\"5 SECRET\"",
        "\"SECRET\\n\"",
        "\"SECRET\\ud800\"",
        "[\"SECRET\"]",
        "[\"${V}\",\"${NONE}\", 1]",
        "{\"A\":\"SECRET\"}",
        "{\"A\":\"${V}\",\"a\":\"${NONE}SECRET\"}",
        "{\"A\":[\"SECRET\"]}",
        "\"SECRET\" \"",
        "SECRET",
    ])
    .prop_map(move |template| template.replace("SECRET", &secret))
}

proptest! {
    #[test]
    fn no_message_and_no_debug_form_of_a_problem_contains_a_value(
        (secret, values) in "[A-Z]{9}".prop_flat_map(|secret| {
            let values = prop::collection::vec((0..KEYS_OF_SERVERS.len(), value(&secret)), 1..6);
            (Just(secret), values)
        }),
        is_alternative in any::<bool>(),
    ) {
        let settings: Vec<String> =
            values.iter().map(|(key, value)| format!("\"{}\":{value}", KEYS_OF_SERVERS[*key])).collect();
        let alternatives = if is_alternative { format!(",\"alternatives\":{{\"a\":[{}]}}", values[0].1) } else { String::new() };
        let text = format!("{{\"mcpServers\":{{\"s\":{{{}}}}}{alternatives}}}", settings.join(","));
        let spoilt = format!("\n{secret}");
        for value in [&secret, &spoilt] {
            match Config::parse(&text, "f", |name| (name == "V").then(|| value.into())) {
                Ok(config) => {
                    let servers = format!("{:?}", config.servers.first());
                    let hides = config.servers.iter().all(|entry| entry.server.is_err());
                    prop_assert!(!hides || !servers.contains(&secret), "{}", servers);
                    for error in config.servers.iter().filter_map(|entry| entry.server.as_ref().err()) {
                        prop_assert!(!error.to_string().contains(&secret), "{}", error);
                    }
                }
                Err(error) => {
                    prop_assert!(!error.to_string().contains(&secret), "{}", error);
                    prop_assert!(!format!("{error:?}").contains(&secret), "{:?}", error);
                }
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|[\"{}:,\\[\\]\\n$]|\"mcpServers\"|\"command\"){0,40}") {
        let _ = parse(&text);
        let _ = parse(&server(&text));
    }
}

const KEYS_OF_SERVERS: [&str; 10] =
    ["command", "args", "env", "cwd", "url", "headers", "type", "disabled", "timeout", "unknown"];
