//! Reads the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser};
use resilient_client::{Command, Transport, check_header_name, check_header_value, check_url, expand_variables};
use resilient_policy::{Policy, check_name, nearest, parse_duration};

use crate::arguments::address::parse_address;
use crate::arguments::name;
use crate::arguments::settings::{Action, Arguments, Upstream};

/// The timeout of a call, unless the command line sets another one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest timeout of a call.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);

/// The options, and what their values are called.
const OPTIONS: &[(&str, &str)] = &[
    ("config", " FILE"),
    ("policy", " FILE"),
    ("timeout", " DURATION"),
    ("name", " NAME"),
    ("header", " 'NAME: VALUE'"),
    ("no-trust", ""),
    ("http", " ADDRESS"),
    ("allow-host", " HOST"),
    ("child-per-session", ""),
    ("admin", " ADDRESS"),
    ("check", ""),
    ("version", ""),
    ("help", ""),
];

type Variables<'v> = &'v dyn Fn(&str) -> Option<OsString>;

/// Why the command line cannot be used: the argument, and how to correct it. It contains no values of variables, and no
/// arguments that may be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArgumentError(String);

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ArgumentError {}

/// Reads the arguments, without the name of the program. `variables` returns the values of environment variables, for
/// references in `--header` and in the URL.
///
/// # Errors
/// [`ArgumentError`] for the first argument that is wrong, and for arguments that exclude each other.
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
    variables: impl Fn(&str) -> Option<OsString>,
) -> Result<Action, ArgumentError> {
    let arguments: Vec<OsString> = arguments.collect();
    let count = arguments.len();
    let mut parser = Parser::from_args(arguments);
    let mut given = Given::default();
    loop {
        if let Some(mut rest) = parser.try_raw_args()
            && rest.next_if(|argument| argument == "--").is_some()
        {
            given.command = Some(rest.collect());
            break;
        }
        let argument = parser.next().map_err(|error| of_parser(&error))?;
        let value = match argument {
            None => break,
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Action::Help),
            Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Action::Version),
            Some(Arg::Long(option)) => {
                let option = option.to_owned();
                given.read(&option, &mut parser, &variables)?;
                continue;
            }
            Some(Arg::Short(letter)) => return Err(unknown_short(letter)),
            Some(Arg::Value(value)) => value,
        };
        let remaining = parser.try_raw_args().map_or(0, |rest| rest.as_slice().len());
        given.read_url(value, count - remaining, &variables)?;
    }
    let is_check = given.is_check;
    let arguments = given.finish()?;
    Ok(if is_check { Action::Check(arguments) } else { Action::Serve(arguments) })
}

/// What has been read.
#[derive(Default)]
struct Given {
    command: Option<Vec<OsString>>,
    url: Option<String>,
    config: Option<PathBuf>,
    policy: Option<PathBuf>,
    timeout: Option<Duration>,
    name: Option<String>,
    headers: BTreeMap<String, String>,
    is_not_trusted: bool,
    http: Option<SocketAddr>,
    allowed_hosts: Vec<String>,
    is_child_per_session: bool,
    admin: Option<SocketAddr>,
    is_check: bool,
}

impl Given {
    fn read(&mut self, option: &str, parser: &mut Parser, variables: Variables<'_>) -> Result<(), ArgumentError> {
        match option {
            "config" => once(&mut self.config, option, parser, |path| Ok(path.into())),
            "policy" => once(&mut self.policy, option, parser, |path| Ok(path.into())),
            "timeout" => once(&mut self.timeout, option, parser, |text| parse_timeout(&unicode(text)?)),
            "name" => once(&mut self.name, option, parser, |text| {
                let name = unicode(text)?;
                check_name(&name).map(|()| name)
            }),
            "http" => once(&mut self.http, option, parser, |text| parse_address(&unicode(text)?)),
            "admin" => once(&mut self.admin, option, parser, |text| parse_address(&unicode(text)?)),
            "header" => self.read_header(value(option, parser)?, variables),
            "allow-host" => {
                let host = unicode(value(option, parser)?).and_then(|host| check_host(&host).map(|()| host));
                self.allowed_hosts.push(host.map_err(|why| of_option(option, &why))?.to_ascii_lowercase());
                Ok(())
            }
            "no-trust" => flag(&mut self.is_not_trusted),
            "child-per-session" => flag(&mut self.is_child_per_session),
            "check" => flag(&mut self.is_check),
            _ => Err(unknown_long(option)),
        }
    }

    fn read_header(&mut self, header: OsString, variables: Variables<'_>) -> Result<(), ArgumentError> {
        let header = unicode(header).map_err(|why| of_option("header", &why))?;
        let Some((name, value)) = header.split_once(':').filter(|(name, _)| check_header_name(name).is_ok()) else {
            return Err(of_option("header", "expected `'NAME: VALUE'` in quotes"));
        };
        let of_header = |why: &str| of_option(&format!("header '{name}: ..'"), why);
        let value = expand_variables(value.trim(), variables).map_err(|error| of_header(&error.to_string()))?;
        check_header_value(&value).map_err(|why| of_header(&why))?;
        if self.headers.keys().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(of_header("the header is given twice"));
        }
        self.headers.insert(name.into(), value.into_owned());
        Ok(())
    }

    /// Reads the argument at a position, which is not an option.
    fn read_url(&mut self, url: OsString, position: usize, variables: Variables<'_>) -> Result<(), ArgumentError> {
        // The argument is not shown: it may be a part of a header that was not quoted.
        let error = |why: &str| Err(ArgumentError(format!("argument {position}: {why}")));
        let Some(url) = url.into_string().ok().filter(|url| url.contains("://")) else {
            return error("expected an option or a URL; put a command after `--`: `resilient-proxy -- COMMAND`");
        };
        if self.url.is_some() {
            return error("only one URL is allowed; list several servers in a file for `--config`");
        }
        match expand_variables(&url, variables) {
            Ok(url) => match check_url(&url) {
                Ok(()) => self.url = Some(url.into_owned()),
                Err(why) => return error(&why),
            },
            Err(why) => return error(&why.to_string()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Arguments, ArgumentError> {
        self.check_conflicts()?;
        let Self { command, url, config, headers, name, .. } = self;
        let one = |transport, name| Upstream::One { name, transport, trust_annotations: !self.is_not_trusted };
        let upstream = match (command, url, config) {
            (Some(words), ..) => {
                let command = read_command(words)?;
                let name = name.unwrap_or_else(|| name::of_command(&command));
                one(Transport::Command(command), name)
            }
            (None, Some(url), _) => {
                let name = name.unwrap_or_else(|| name::of_url(&url));
                one(Transport::Http { url, headers }, name)
            }
            (None, None, Some(path)) => Upstream::Config(path),
            (None, None, None) => {
                let message = "no server is given; write `-- COMMAND`, a URL or `--config FILE`, or read `--help`";
                return Err(ArgumentError(message.into()));
            }
        };
        Ok(Arguments {
            upstream,
            policy: self.policy,
            http: self.http,
            admin: self.admin,
            allowed_hosts: self.allowed_hosts,
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
            is_child_per_session: self.is_child_per_session,
        })
    }

    /// Checks the rules between arguments.
    fn check_conflicts(&self) -> Result<(), ArgumentError> {
        let has_command = self.command.is_some();
        let has_url = self.url.is_some();
        let has_config = self.config.is_some();
        let is_same_address = self.http.is_some_and(|http| http.port() != 0 && self.admin == Some(http));
        let rules = [
            (has_command && has_url, "a URL and a command exclude each other"),
            (has_command && has_config, "`--config` and a command exclude each other"),
            (has_url && has_config, "`--config` and a URL exclude each other"),
            (has_config && !self.headers.is_empty(), "`--header` is only for a URL; set `headers` in the file"),
            (has_command && !self.headers.is_empty(), "`--header` is only for a URL, not for a command"),
            (has_config && self.name.is_some(), "`--name` is not for `--config`: the file names the servers"),
            (
                has_config && self.is_not_trusted,
                "`--no-trust` is not for `--config`: set `trust_annotations` for each server in the file",
            ),
            (
                self.is_child_per_session && !has_command && (has_url || has_config),
                "`--child-per-session` is only for a command",
            ),
            (
                self.is_child_per_session && self.http.is_none(),
                "`--child-per-session` needs `--http ADDRESS`: over stdio there is one session",
            ),
            (
                !self.allowed_hosts.is_empty() && self.http.is_none() && self.admin.is_none(),
                "`--allow-host` needs `--http ADDRESS` or `--admin ADDRESS`",
            ),
            (is_same_address, "`--http` and `--admin` need different ports"),
        ];
        match rules.into_iter().find(|(is_broken, _)| *is_broken) {
            Some((_, message)) => Err(ArgumentError(message.into())),
            None => Ok(()),
        }
    }
}

/// Reads the value of an option that may be given once.
fn once<T>(
    target: &mut Option<T>,
    option: &str,
    parser: &mut Parser,
    read: impl FnOnce(OsString) -> Result<T, String>,
) -> Result<(), ArgumentError> {
    let read = read(value(option, parser)?).map_err(|why| of_option(option, &why))?;
    match target.replace(read) {
        None => Ok(()),
        Some(_) => Err(of_option(option, "the option is given twice")),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one arm of a match whose other arms can fail")]
fn flag(target: &mut bool) -> Result<(), ArgumentError> {
    *target = true;
    Ok(())
}

/// Returns the value of an option. The next argument is one only if it is no option itself.
fn value(option: &str, parser: &mut Parser) -> Result<OsString, ArgumentError> {
    let value = parser.optional_value().or_else(|| {
        let mut rest = parser.try_raw_args()?;
        rest.next_if(|argument| !argument.as_encoded_bytes().starts_with(b"-"))
    });
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let what = OPTIONS.iter().find(|(name, _)| *name == option).map_or("", |(_, what)| what);
        ArgumentError(format!("`--{option}` needs a value: `--{option}{what}`"))
    })
}

fn unicode(text: OsString) -> Result<String, String> {
    text.into_string().map_err(|_| "the value is not valid UTF-8".into())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text)?;
    if (SHORTEST_TIMEOUT..=Policy::LONGEST_TIMEOUT).contains(&timeout) {
        return Ok(timeout);
    }
    Err("a timeout is at least `10ms` and at most `24h`".into())
}

/// Checks a host with or without a port, as a request names it.
fn check_host(host: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if host.bytes().all(is_allowed) { Ok(()) } else { Err("expected a host such as `mcp.example.com`".into()) }
}

fn read_command(words: Vec<OsString>) -> Result<Command, ArgumentError> {
    let mut texts = Vec::with_capacity(words.len());
    for (index, word) in words.into_iter().enumerate() {
        let text = word
            .into_string()
            .map_err(|_| ArgumentError(format!("word {} of the command is not valid UTF-8", index + 1)))?;
        texts.push(text);
    }
    let mut texts = texts.into_iter();
    match texts.next() {
        Some(program) if !program.is_empty() => Ok(Command::new(program).args(texts)),
        _ => Err(ArgumentError("expected a command after `--`: `resilient-proxy -- COMMAND`".into())),
    }
}

fn of_option(option: &str, why: &str) -> ArgumentError {
    ArgumentError(format!("`--{option}`: {why}"))
}

fn unknown_long(option: &str) -> ArgumentError {
    let meant = nearest(option, OPTIONS.iter().map(|(name, _)| *name));
    let hint = meant.map_or("read `--help`".into(), |meant| format!("did you mean `--{meant}`?"));
    // Characters that end a line would make two lines of a message.
    ArgumentError(format!("unknown option `--{}`; {hint}", option.escape_debug()))
}

fn unknown_short(letter: char) -> ArgumentError {
    let meant = OPTIONS.iter().find(|(name, _)| name.starts_with(letter));
    let hint = meant.map_or("read `--help`".into(), |(meant, _)| format!("did you mean `--{meant}`?"));
    ArgumentError(format!("unknown option `-{}`; {hint}", letter.escape_debug()))
}

/// Converts the error of the parser, which would show values.
fn of_parser(error: &lexopt::Error) -> ArgumentError {
    ArgumentError(match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("`{option}` takes no value"),
        _ => "an argument cannot be read; read `--help`".into(),
    })
}
