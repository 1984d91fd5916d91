use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use proptest::prelude::*;
use resilient_client::{Command, Transport};

use super::*;

fn variables(name: &str) -> Option<OsString> {
    match name {
        "TOKEN" => Some("t-1".into()),
        "HOST" => Some("example.com".into()),
        "LINES" => Some("a\nb".into()),
        _ => None,
    }
}

fn read(arguments: &[&str]) -> Result<Action, String> {
    parse(arguments.iter().map(OsString::from), variables).map_err(|error| error.to_string())
}

fn served(arguments: &[&str]) -> Arguments {
    match read(arguments) {
        Ok(Action::Serve(arguments)) => arguments,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn http(url: &str) -> Transport {
    Transport::Http { url: url.into(), headers: BTreeMap::new() }
}

#[test]
fn a_command_is_everything_after_two_dashes() {
    let arguments = served(&["--", "npx", "-y", "some-server", "--http", "1", "--", "--help"]);
    let transport = Transport::Command(Command::new("npx").args(["-y", "some-server", "--http", "1", "--", "--help"]));
    assert_eq!(
        arguments,
        Arguments {
            upstream: Upstream::One { name: "some-server".into(), transport, trust_annotations: true },
            policy: None,
            http: None,
            admin: None,
            allowed_hosts: Vec::new(),
            timeout: Duration::from_secs(60),
            is_child_per_session: false,
        }
    );
}

#[test]
fn every_option_is_read() {
    let arguments = served(&[
        "--policy",
        "p.toml",
        "--http=8080",
        "--admin",
        "[::1]:9090",
        "--allow-host",
        "A.example.com",
        "--allow-host",
        "b:80",
        "--name",
        "search",
        "--timeout",
        "2m",
        "--no-trust",
        "--child-per-session",
        "--",
        "server",
    ]);
    let transport = Transport::Command(Command::new("server"));
    assert_eq!(
        arguments,
        Arguments {
            upstream: Upstream::One { name: "search".into(), transport, trust_annotations: false },
            policy: Some("p.toml".into()),
            http: Some(([127, 0, 0, 1], 8080).into()),
            admin: Some("[::1]:9090".parse().expect("an address")),
            allowed_hosts: vec!["a.example.com".into(), "b:80".into()],
            timeout: Duration::from_secs(120),
            is_child_per_session: true,
        }
    );
}

#[test]
fn a_url_has_headers_with_variables() {
    let arguments = served(&["--header", "Authorization: Bearer ${TOKEN}", "https://${HOST}/mcp", "--header=X-A:b"]);
    let headers = [("Authorization", "Bearer t-1"), ("X-A", "b")].map(|(name, value)| (name.into(), value.into()));
    let transport = Transport::Http { url: "https://example.com/mcp".into(), headers: headers.into() };
    let expected = Upstream::One { name: "example.com".into(), transport, trust_annotations: true };
    assert_eq!(arguments.upstream, expected);
    let shown = format!("{arguments:?}");
    assert!(!shown.contains("t-1") && shown.contains("Authorization"), "{shown}");
}

#[test]
fn a_file_of_servers_is_named() {
    assert_eq!(served(&["--config", "a b.json"]).upstream, Upstream::Config("a b.json".into()));
    assert_eq!(served(&["--config=-a.json"]).upstream, Upstream::Config("-a.json".into()));
    assert_eq!(served(&["--timeout", "5s", "--config", "a"]).timeout, Duration::from_secs(5));
}

#[test]
fn help_version_and_check_are_actions() {
    for (arguments, expected) in [
        (vec!["--help"], Action::Help),
        (vec!["-h"], Action::Help),
        (vec!["--http", "1", "--help", "--unknown"], Action::Help),
        (vec!["--version"], Action::Version),
        (vec!["-V"], Action::Version),
    ] {
        assert_eq!(read(&arguments), Ok(expected), "{arguments:?}");
    }
    let Ok(Action::Check(arguments)) = read(&["https://a", "--check"]) else { panic!("no check") };
    let expected = Upstream::One { name: "a".into(), transport: http("https://a"), trust_annotations: true };
    assert_eq!(arguments.upstream, expected);
}

#[test]
fn important_errors_name_the_argument_and_the_correction() {
    for (arguments, expected) in [
        (vec![], "no server is given; write `-- COMMAND`, a URL or `--config FILE`, or read `--help`"),
        (
            vec!["npx", "some-server"],
            "argument 1: expected an option or a URL; put a command after `--`: `resilient-proxy -- COMMAND`",
        ),
        (vec!["--polcy", "a"], "unknown option `--polcy`; did you mean `--policy`?"),
        (vec!["--policy", "--http", "1"], "`--policy` needs a value: `--policy FILE`"),
        (vec!["--policy", "a", "--policy=b"], "`--policy`: the option is given twice"),
        (vec!["--timeout", "30"], "`--timeout`: `30` has no unit; write `\"30s\"` or `\"30ms\"`"),
        (vec!["--http", ":8080"], "`--http`: write `8080` for this machine alone, or `0.0.0.0:8080` for every address"),
        (
            vec!["--header", "Authorization: Bearer ${NONE}", "https://a"],
            "`--header 'Authorization: ..'`: the variable NONE is not set",
        ),
        (vec!["--config", "a", "--", "b"], "`--config` and a command exclude each other"),
        (
            vec!["--child-per-session", "--", "a"],
            "`--child-per-session` needs `--http ADDRESS`: over stdio there is one session",
        ),
        (vec!["ftp://a"], "argument 1: expected a URL that begins with `https://` or `http://`"),
    ] {
        assert_eq!(read(&arguments), Err(expected.into()), "{arguments:?}");
    }
}

#[test]
fn every_rule_of_an_argument_is_checked() {
    for (arguments, part) in [
        (vec!["--"], "expected a command after `--`"),
        (vec!["--", ""], "expected a command after `--`"),
        (vec!["--zzz"], "unknown option `--zzz`; read `--help`"),
        (vec!["--a\nb"], "unknown option `--a\\nb`"),
        (vec!["-policy"], "unknown option `-p`; did you mean `--policy`?"),
        (vec!["-z"], "unknown option `-z`; read `--help`"),
        (vec!["--check=yes", "https://a"], "`--check` takes no value"),
        (vec!["--policy"], "`--policy` needs a value: `--policy FILE`"),
        (vec!["--policy", ""], "`--policy` needs a value"),
        (vec!["--policy="], "`--policy` needs a value"),
        (vec!["--policy", "--", "a"], "`--policy` needs a value"),
        (vec!["--header"], "`--header` needs a value: `--header 'NAME: VALUE'`"),
        (vec!["--http", "x"], "`--http`: expected a port such as `8080`"),
        (vec!["--admin", "a:1"], "`--admin`: expected a port"),
        (vec!["--name", "a b"], "`--name`: ` ` is not allowed in a name"),
        (vec!["--timeout", "25h"], "`--timeout`: a timeout is at least `10ms` and at most `24h`"),
        (vec!["--timeout", "1us"], "`--timeout`: a timeout is at least `10ms`"),
        (vec!["--timeout", "0s"], "`--timeout`: a duration of zero"),
        (vec!["--timeout", "1h30m"], "write `\"90m\"`"),
        (vec!["--allow-host", "https://a"], "`--allow-host`: expected a host such as"),
        (vec!["--header", "Bearer t-1"], "`--header`: expected `'NAME: VALUE'` in quotes"),
        (vec!["--header", "Bearer t-1: x"], "`--header`: expected `'NAME: VALUE'` in quotes"),
        (vec!["--header", "A: ${LINES}"], "`--header 'A: ..'`: the value of a header must not contain line breaks"),
        (vec!["--header", "A: ${B"], "`--header 'A: ..'`: a reference to a variable has no closing brace"),
        (vec!["--header", "A: b", "--header", "a: c"], "`--header 'a: ..'`: the header is given twice"),
        (vec!["--check", "https://"], "argument 2: the URL has no host"),
        (vec!["https://${NONE}"], "argument 1: the variable NONE is not set"),
        (vec!["https://a", "https://b"], "argument 2: only one URL is allowed"),
        (vec!["-"], "argument 1: expected an option or a URL"),
    ] {
        let error = read(&arguments).expect_err(part);
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

#[test]
fn arguments_that_exclude_each_other_are_errors() {
    for (arguments, part) in [
        (vec!["https://a", "--", "b"], "a URL and a command exclude each other"),
        (vec!["https://a", "--config", "b"], "`--config` and a URL exclude each other"),
        (vec!["--header", "A: b", "--", "c"], "`--header` is only for a URL, not for a command"),
        (vec!["--header", "A: b", "--config", "c"], "`--header` is only for a URL; set `headers` in the file"),
        (vec!["--name", "a", "--config", "c"], "`--name` is not for `--config`"),
        (vec!["--no-trust", "--config", "c"], "set `trust_annotations` for each server in the file"),
        (vec!["--child-per-session", "--http", "1", "https://a"], "`--child-per-session` is only for a command"),
        (vec!["--child-per-session", "--http", "1", "--config", "a"], "`--child-per-session` is only for a command"),
        (vec!["--allow-host", "a", "--", "b"], "`--allow-host` needs `--http ADDRESS` or `--admin ADDRESS`"),
        (vec!["--http", "1", "--admin", "127.0.0.1:1", "--", "b"], "need different ports"),
    ] {
        let error = read(&arguments).expect_err(part);
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
    served(&["--http", "0", "--admin", "0", "--allow-host", "a", "--", "b"]);
    served(&["--admin", "1", "--allow-host", "a", "--", "b"]);
}

#[cfg(unix)]
#[test]
fn a_path_may_be_any_bytes_and_a_word_of_a_command_may_not() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = OsString::from_vec(vec![b'a', 0xFF]);
    let read = |arguments: Vec<OsString>| parse(arguments.into_iter(), variables).map_err(|error| error.to_string());
    let Ok(Action::Serve(arguments)) = read(vec!["--config".into(), bytes.clone()]) else { panic!("not read") };
    assert_eq!(arguments.upstream, Upstream::Config(bytes.clone().into()));
    let error = read(vec!["--".into(), "a".into(), bytes.clone()]);
    assert_eq!(error, Err("word 2 of the command is not valid UTF-8".into()));
    let error = read(vec!["--name".into(), bytes]);
    assert_eq!(error, Err("`--name`: the value is not valid UTF-8".into()));
}

#[test]
fn the_help_is_short_and_names_every_option() {
    let text = help();
    assert!(text.lines().count() <= 40, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    for option in [
        "--config FILE",
        "--policy FILE",
        "--timeout DURATION",
        "--name NAME",
        "--header 'NAME: VALUE'",
        "--no-trust",
        "--http ADDRESS",
        "--allow-host HOST",
        "--child-per-session",
        "--admin ADDRESS",
        "--check",
        "--version",
        "--help",
    ] {
        assert!(text.contains(&format!("\n  {option}")), "{option}");
    }
}

proptest! {
    #[test]
    fn no_message_contains_the_value_of_a_variable_or_a_part_of_a_header(
        secret in "[A-Z]{9}",
        templates in prop::collection::vec(
            prop::sample::select(vec![
                "--header", "Authorization: ${V}", "Authorization: ${V}\n", "Authorization: SECRET", "Bearer", "SECRET",
                "https://${V}@a/", "https://${V}/${NONE}", "${V}://a", "https://a b/SECRET", "--config", "--policy",
                "--check=SECRET", "--http=SECRET", "--allow-host=/SECRET", "--admin", "--", "--name",
            ]),
            0..6,
        ),
    ) {
        let arguments = templates.iter().map(|template| template.replace("SECRET", &secret).into());
        let result = parse(arguments, |name| (name == "V").then(|| secret.clone().into()));
        if let Err(error) = result {
            prop_assert!(!error.to_string().contains(&secret), "{}", error);
        }
    }

    #[test]
    fn no_arguments_make_it_panic(arguments in prop::collection::vec("-{0,2}[a-z:=/.{$}0-9-]{0,12}", 0..6)) {
        let _ = parse(arguments.into_iter().map(OsString::from), variables);
    }
}
