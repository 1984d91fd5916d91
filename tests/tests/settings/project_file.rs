//! `resilient.toml` beside a crate's `Cargo.toml`: the settings that it gives, the messages about mistakes, and the
//! rebuild after an edit.

use resilient_tests::fixture::{Fixture, Told};
use std::fmt::Write as _;

const USER: &str = r#"
use resilient_runtime::{Registry, ResilienceError, resilient};

/// Asks.
#[resilient(profile = "make")]
async fn ask() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(breaker = "make")]
async fn other() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {
    let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
    for answer in [&mut std::pin::pin!(ask()) as &mut (dyn Unpin + Future<Output = _>), &mut std::pin::pin!(other())] {
        assert!(std::pin::Pin::new(answer).poll(&mut waker).is_ready());
    }
    for policy in Registry::global().policies() {
        println!("{} {:?} {:?}", policy.name, policy.policy.timeout, policy.breaker.map(|breaker| breaker.failures));
    }
}
"#;

const NOBODY: &str = r"
use resilient_runtime::{ResilienceError, resilient};

#[resilient]
async fn ask() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {
    drop(ask());
}
";

const FILE: &str = "[profile.make]\ntimeout = \"20s\"\n[breaker.make]\nfailures = 8\n";

fn reported(message: &str, at: &str) -> Told {
    Told { message: message.into(), at: at.into() }
}

#[test]
fn an_edit_rebuilds_the_crate_that_uses_the_file_and_nothing_else() {
    let fixture = Fixture::new("edits", &[("edits", USER), ("nobody", NOBODY)]);
    fixture.write("edits/resilient.toml", FILE);
    let ran = || {
        let output = fixture.cargo(&["run", "--package", "edits"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(ran(), "edits::ask 20s None\nedits::other 30s Some(8)\n");
    let (errors, built) = fixture.check();
    assert_eq!(errors, []);
    assert!(built.contains(&"edits".into()) && built.contains(&"nobody".into()), "{built:?}");
    assert_eq!(fixture.check().1, Vec::<String>::new());

    fixture.write("edits/resilient.toml", &FILE.replace("20s", "7s").replace('8', "9"));
    assert_eq!(fixture.check(), (vec![], vec!["edits".into()]));
    assert_eq!(ran(), "edits::ask 7s None\nedits::other 30s Some(9)\n");
}

// rule 45
#[test]
fn what_is_not_toml_is_reported_once_with_its_line() {
    let fixture = Fixture::new("not_toml", &[("not_toml", USER)]);
    fixture.write("not_toml/resilient.toml", "[profile.make]\ntimeout = = 3\n");
    let (errors, _) = fixture.check();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message.starts_with("resilient.toml:2:11: this is not TOML: "), "{errors:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_reported_once_and_nothing_else_is() {
    let fixture = Fixture::new("unreadable", &[("unreadable", USER)]);
    fixture.write("unreadable/resilient.toml/in_the_way", "");
    let (errors, _) = fixture.check();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message.starts_with("`resilient.toml` cannot be read: "), "{errors:?}");
}

#[test]
fn items_of_the_same_text_are_reported_once_what_is_wrong_with_the_file() {
    let same = r"
        macro_rules! same {
            ($($name:ident)*) => { $(
                mod $name {
                    use resilient_runtime::{ResilienceError, resilient};
                    #[resilient]
                    pub async fn ask() -> Result<u32, ResilienceError> {
                        Ok(1)
                    }
                }
            )* };
        }
        same! { a b c d }
        fn main() {
            let _ = (a::ask(), b::ask(), c::ask(), d::ask());
        }
    ";
    let fixture = Fixture::new("same", &[("same", same)]);
    fixture.write("same/resilient.toml", "\u{feff}[defaul]\r\n[profile.\"\u{fc}\"]\r\n");
    let (errors, _) = fixture.check();
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
}

// rule 46
#[test]
fn unknown_names_and_broken_rules_are_reported_once_each_with_their_lines() {
    let fixture = Fixture::new("rules", &[("rules", USER)]);
    fixture.write(
        "rules/resilient.toml",
        "[profil.make]\n[breaker.make]\nfailurs = 0\nopen = \"1 parsec\"\n[profile.make]\ntimeout = 30\n",
    );
    let (errors, _) = fixture.check();
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "resilient.toml:1:2: `profil`: unknown table `profil`; did you mean `profile`?",
            "resilient.toml:3:1: `breaker.make.failurs`: unknown key `failurs`; did you mean `failures`?",
            "resilient.toml:4:8: `breaker.make.open`: unknown unit `parsec`; expected one of `ns`, `us`, `ms`, `s`, `m`, \
             `h`",
            "resilient.toml:6:11: `profile.make.timeout`: expected a duration with its unit in quotes; write `\"30s\"`",
        ]
    );
    fixture
        .write("rules/resilient.toml", "[profile.make]\nretry = 11\ntimeout = \"25h\"\n[breaker.make]\nfailures = 0\n");
    let (errors, _) = fixture.check();
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "resilient.toml:3:11: `profile.make.timeout`: expected between 1ms and 24h, found 25h",
            "resilient.toml:2:9: `profile.make.retry.max`: at most 10 retries, found 11",
            "resilient.toml:5:12: `breaker.make.failures`: expected 1 to 1023, found 0",
        ]
    );
}

// rule 33, 28
#[test]
fn what_the_file_gives_to_a_function_has_to_suit_it() {
    let fixture = Fixture::new("suits", &[("suits", USER)]);
    fixture.write("suits/resilient.toml", "[profile.make]\nretry = 2\n[breaker.make]\n");
    let (errors, _) = fixture.check();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message.starts_with("`retry` may run `ask` again, and nothing says that this is harmless"));
    assert_eq!(errors[0].at, "ask");
    fixture.write("suits/resilient.toml", "[default]\ntimeout = \"3s\"\n[profile.make]\nattempt_timeout = \"4s\"\n");
    assert_eq!(
        fixture.check().0,
        [reported(
            "`attempt_timeout` (4s) is longer than `timeout` (3s) and never reached (`attempt_timeout` stands in \
             resilient.toml:4:19)",
            "\"make\""
        )]
    );
}

// rule 47
#[test]
fn names_that_are_not_in_the_file_are_reported_where_they_were_written() {
    let fixture = Fixture::new("names", &[("names", USER)]);
    fixture.write("names/resilient.toml", "[profile.mkae]\n[breaker.maek]\n");
    assert_eq!(
        fixture.check().0,
        [
            reported("no profile `make` in `resilient.toml`; did you mean `mkae`?", "\"make\""),
            reported("no breaker `make` in `resilient.toml`; did you mean `maek`?", "\"make\""),
        ]
    );
}

// rule 48
#[test]
fn settings_that_differ_from_the_file_are_reported_where_they_were_written() {
    let main = USER.replace(r#"breaker = "make""#, r#"breaker(name = "make", failures = 9)"#);
    let fixture = Fixture::new("differing", &[("differing", &main)]);
    fixture.write("differing/resilient.toml", FILE);
    assert_eq!(
        fixture.check().0,
        [reported(
            "the breaker `make` has other settings in resilient.toml:3:10: `failures` 8, not 9; write them in one \
             place, and `breaker = \"make\"` here",
            "\"make\""
        )]
    );
}

// rule 29
#[test]
fn the_documentation_states_the_policy_and_the_longest_answer() {
    let fixture = Fixture::new("documented", &[("documented", USER)]);
    fixture.write("documented/resilient.toml", FILE);
    let page = fixture.documentation("documented/fn.ask.html");
    assert!(page.contains("Asks."), "{page}");
    assert!(page.contains("answers within 20s"), "{page}");
    let page = fixture.documentation("documented/fn.other.html");
    assert!(page.contains("answers within 30s"), "{page}");
    assert!(page.contains("opens for 1m after 8 failures in a row"), "{page}");
}

/// The sources of `timeout`, in the order of the documentation: from the strongest to the weakest.
const SOURCES: [&str; 5] = ["method", "tool", "method_profile", "block", "block_profile"];

/// Returns the sources in a number, one bit each.
fn sources(set: usize) -> impl Iterator<Item = usize> + Clone {
    (0..SOURCES.len()).filter(move |source| set & (1 << source) != 0)
}

/// Returns a timeout for each source, which identifies it.
fn seconds(source: usize) -> usize {
    10 + source
}

/// Returns a server with a tool for each set of sources that can set a timeout at compile time.
fn server_with_every_set_of_sources() -> (String, String) {
    let (mut main, mut file, mut tools) = (String::new(), String::new(), String::new());
    for name in ["method_profile", "block_profile"] {
        let source = SOURCES.iter().position(|known| *known == name).expect("a source");
        write!(file, "[profile.{name}]\ntimeout = \"{}s\"\n", seconds(source)).expect("a string");
    }
    for block in 0..4 {
        let of_block = block << 3;
        let has = |set: usize, source: usize| set & (1 << source) != 0;
        let mut keys = Vec::new();
        keys.extend(has(of_block, 3).then(|| format!("timeout = \"{}s\"", seconds(3))));
        keys.extend(has(of_block, 4).then(|| "profile = \"block_profile\"".to_owned()));
        write!(main, "struct B{block};\n#[resilient({})]\n#[tool_router]\nimpl B{block} {{\n", keys.join(", "))
            .expect("a string");
        for own in 0..8 {
            let set = of_block | own;
            let mut keys = Vec::new();
            keys.extend(has(own, 0).then(|| format!("timeout = \"{}s\"", seconds(0))));
            keys.extend(has(own, 2).then(|| "profile = \"method_profile\"".to_owned()));
            write!(
                main,
                "#[resilient({})]\n#[tool]\nasync fn t{set}(&self) -> Result<String, ResilienceError> {{ \
                 Ok(String::new()) }}\n",
                keys.join(", ")
            )
            .expect("a string");
            if has(own, 1) {
                write!(file, "[tool.t{set}]\ntimeout = \"{}s\"\n", seconds(1)).expect("a string");
            }
        }
        main += "}\n";
        write!(tools, ".tools(B{block}::tool_router)").expect("a string");
    }
    let main = format!(
        "use resilient_runtime::{{Registry, Resilience, ResilienceError, resilient}};
        use rmcp::{{tool, tool_router}};
        {main}
        fn main() {{
            Resilience::from_env(){tools}.start().expect(\"settings\");
            for policy in Registry::global().policies() {{
                println!(\"{{}} {{}}\", policy.name, policy.policy.timeout.as_secs());
            }}
        }}"
    );
    (main, file)
}

#[test]
fn every_source_of_a_setting_is_stronger_than_those_behind_it() {
    let (main, file) = server_with_every_set_of_sources();
    let fixture = Fixture::new("precedence", &[("precedence", &main)]);
    let runtime = concat!(env!("CARGO_MANIFEST_DIR"), "/../resilient-runtime");
    fixture.write(
        "precedence/Cargo.toml",
        &format!(
            "[package]\nname = \"precedence\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             resilient-runtime = {{ path = {runtime:?} }}\n\
             rmcp = {{ version = \"3\", default-features = false, features = [\"macros\", \"server\"] }}\n"
        ),
    );
    let build = || {
        let output = fixture.cargo(&["build", "--package", "precedence"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    // The timeout of each tool, by its set of sources.
    let timeouts = |variables: &[(&str, &str)]| -> Vec<(usize, usize)> {
        let mut command = std::process::Command::new(fixture.executable("precedence"));
        let output = command.envs(variables.iter().copied()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = |line: &str| {
            let (tool, timeout) = line.split_once(' ')?;
            Some((tool.strip_prefix('t')?.parse().ok()?, timeout.parse().ok()?))
        };
        let all: Vec<_> = text.lines().filter_map(line).collect();
        assert_eq!(all.len(), 32, "{text}");
        all
    };
    let strongest = |set: usize, otherwise: usize| sources(set).next().map_or(otherwise, seconds);

    fixture.write("precedence/resilient.toml", &file);
    build();
    for (set, timeout) in timeouts(&[]) {
        assert_eq!(timeout, strongest(set, 30), "{:?}, else built in", sources(set).collect::<Vec<_>>());
    }
    fixture.write("precedence/resilient.toml", &format!("[default]\ntimeout = \"19s\"\n{file}"));
    build();
    for (set, timeout) in timeouts(&[]) {
        assert_eq!(timeout, strongest(set, 19), "{:?}, else `[default]`", sources(set).collect::<Vec<_>>());
    }

    // The weakest source of a file at start is stronger than all code, and its sources have the same order.
    fixture.write("weakest.toml", "[default]\ntimeout = \"8s\"\n");
    let weakest = fixture.path("weakest.toml").display().to_string();
    assert!(timeouts(&[("RESILIENT_CONFIG", &weakest)]).iter().all(|(_, timeout)| *timeout == 8));
    let tables = (0..32).filter(|set| set & 2 != 0).map(|set| format!("[tool.t{set}]\ntimeout = \"5s\"\n"));
    fixture.write(
        "all.toml",
        &format!(
            "[default]\ntimeout = \"8s\"\n[profile.block_profile]\ntimeout = \"7s\"\n\
             [profile.method_profile]\ntimeout = \"6s\"\n{}",
            tables.collect::<String>()
        ),
    );
    let all = fixture.path("all.toml").display().to_string();
    for (set, timeout) in timeouts(&[("RESILIENT_CONFIG", &all)]) {
        let expected = match set {
            set if set & 2 != 0 => 5,
            set if set & 4 != 0 => 6,
            set if set & 16 != 0 => 7,
            _ => 8,
        };
        assert_eq!(timeout, expected, "{set}");
    }

    // The weakest variable is stronger than the whole file, and variables have the same order.
    let default = ("RESILIENT__DEFAULT__TIMEOUT", "4s");
    let config = ("RESILIENT_CONFIG", &*all);
    assert!(timeouts(&[config, default]).iter().all(|(_, timeout)| *timeout == 4));
    let variables = [
        config,
        default,
        ("RESILIENT__PROFILE__BLOCK_PROFILE__TIMEOUT", "3s"),
        ("RESILIENT__PROFILE__METHOD_PROFILE__TIMEOUT", "2s"),
        ("RESILIENT__TOOL__T31__TIMEOUT", "1s"),
    ];
    for (set, timeout) in timeouts(&variables) {
        let expected = match set {
            31 => 1,
            set if set & 4 != 0 => 2,
            set if set & 16 != 0 => 3,
            _ => 4,
        };
        assert_eq!(timeout, expected, "{set}");
    }
}
