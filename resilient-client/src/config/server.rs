//! Reads one server of the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use resilient_policy::{Policy, check_name, corrected_duration, one_of, parse_duration, unknown_key};
use serde_json::value::RawValue;

use crate::command::Command;
use crate::config::entry::{ServerEntry, ServerSettings, Transport};
use crate::config::json::{Member, flag, list, members, shown, text, type_of};
use crate::config::problem::{ConfigError, ConfigProblem, Problems};
use crate::target::{check_header_name, check_header_value, check_url};
use crate::variables::{ExpandError, expand_variables};

const KEYS: &[&str] =
    &["command", "args", "env", "cwd", "url", "headers", "type", "disabled", "trust_annotations", "timeout"];
const TYPES: &[&str] = &["stdio", "http", "streamable-http"];

/// The shortest timeout of a call.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);

/// Reads a server. Returns `None` if it is disabled, or if `problems` has a problem of the file.
///
/// Problems that the file alone shows go to `problems`, those that depend on variables to the entry.
pub(super) fn read<'t>(
    server: &Member<'t>,
    variables: &dyn Fn(&str) -> Option<OsString>,
    problems: &mut Problems<'t>,
) -> Option<ServerEntry> {
    if let Err(why) = check_server_name(&server.key) {
        problems.add(server.raw_key, &server.path, why);
    }
    let mut reader = Reader { server, variables, problems, own: Vec::new(), settings: Vec::new() };
    let settings = reader.read();
    let is_disabled = reader.flag("disabled").unwrap_or_default();
    let own = reader.own;
    if is_disabled {
        return None;
    }
    match ConfigError::check(own) {
        Err(error) => Some(ServerEntry { name: server.key.clone(), server: Err(error) }),
        Ok(()) => Some(ServerEntry { name: server.key.clone(), server: Ok(settings?) }),
    }
}

/// Checks the name of a server, which is the first part of `server__tool`.
fn check_server_name(name: &str) -> Result<(), String> {
    check_name(name)?;
    if name.contains("__") || name.ends_with('_') {
        // `a_` and `_b` would be the same as `a` and `__b`.
        return Err(
            "the name of a server must not contain `__` or end with `_`: tools are called `server__tool`".into()
        );
    }
    Ok(())
}

struct Reader<'r, 't> {
    server: &'r Member<'t>,
    variables: &'r dyn Fn(&str) -> Option<OsString>,
    problems: &'r mut Problems<'t>,
    /// The problems that depend on variables.
    own: Vec<ConfigProblem>,
    settings: Vec<Member<'t>>,
}

impl<'t> Reader<'_, 't> {
    fn read(&mut self) -> Option<ServerSettings> {
        self.settings = members(self.server.value, &self.server.path, "keys", self.problems)?;
        for setting in &self.settings {
            if !KEYS.contains(&setting.key.as_str()) {
                let message = unknown_key(&shown(&setting.key), KEYS);
                self.problems.add(setting.raw_key, &self.server.path, message);
            }
        }
        let transport = match (self.has("command"), self.has("url")) {
            (true, false) => {
                self.check_type(&["stdio"], "command");
                self.reject(&["headers"], "url");
                self.command().map(Transport::Command)
            }
            (false, true) => {
                self.check_type(&["http", "streamable-http"], "url");
                self.reject(&["args", "env", "cwd"], "command");
                self.http()
            }
            (true, true) => {
                let message = "`command` and `url` exclude each other";
                self.problems.add(self.server.raw_key, &self.server.path, message);
                None
            }
            (false, false) => {
                let message = "expected `command` for a local server or `url` for a remote one";
                self.problems.add(self.server.raw_key, &self.server.path, message);
                None
            }
        };
        let trust_annotations = self.flag("trust_annotations").unwrap_or_default();
        let timeout = self.timeout();
        Some(ServerSettings { transport: transport?, trust_annotations, timeout })
    }

    fn has(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting.key == key)
    }

    /// Returns the value of a key and its path.
    fn get(&self, key: &str) -> Option<(&'t RawValue, String)> {
        self.settings.iter().find(|setting| setting.key == key).map(|setting| (setting.value, setting.path.clone()))
    }

    /// Checks that `type` is one of those that go with the key.
    fn check_type(&mut self, expected: &[&str], key: &str) {
        let Some((value, path)) = self.get("type") else { return };
        let Some(found) = text(value, &path, self.problems) else { return };
        let message = match found.as_str() {
            found if expected.contains(&found) => return,
            "sse" => "the transport `sse` is not supported; write `http` for a server that has streamable HTTP".into(),
            found if TYPES.contains(&found) => {
                format!("a server with `{key}` has the type `{}`", expected.first().unwrap_or(&""))
            }
            found => format!("unknown type{}", one_of(found, TYPES)),
        };
        self.problems.add(value.get(), &path, message);
    }

    /// Reports keys that belong to the other transport.
    fn reject(&mut self, keys: &[&str], owner: &str) {
        for setting in self.settings.iter().filter(|setting| keys.contains(&setting.key.as_str())) {
            let message = format!("`{}` is only for a server with `{owner}`", setting.key);
            self.problems.add(setting.raw_key, &setting.path, message);
        }
    }

    fn command(&mut self) -> Option<Command> {
        let (value, path) = self.get("command")?;
        let program = self.text(value, &path, |program| match program {
            "" => Err("a command must not be empty".into()),
            _ => without_nul(program),
        });
        let mut args = Vec::new();
        if let Some((value, path)) = self.get("args") {
            let list = list(value, &path, self.problems).unwrap_or_default();
            for (index, value) in list.into_iter().enumerate() {
                args.extend(self.text(value, &format!("{path}[{index}]"), without_nul));
            }
        }
        let env = self.map("env", check_variable, without_nul);
        let cwd = self.get("cwd").and_then(|(value, path)| {
            self.text(value, &path, |directory| match directory {
                "" => Err("a directory must not be empty".into()),
                _ => without_nul(directory),
            })
        });
        Some(Command { program: program?, args, env, cwd: cwd.map(Into::into) })
    }

    fn http(&mut self) -> Option<Transport> {
        let (value, path) = self.get("url")?;
        let url = self.text(value, &path, check_url);
        let headers = self.map("headers", check_header_name, check_header_value);
        let mut names: Vec<String> = headers.keys().map(|name| name.to_ascii_lowercase()).collect();
        names.sort();
        if let (Some((value, path)), Some([name, _])) =
            (self.get("headers"), names.windows(2).find(|pair| matches!(pair, [a, b] if a == b)))
        {
            self.problems.add(value.get(), &path, format!("the header `{name}` appears twice"));
        }
        Some(Transport::Http { url: url?, headers })
    }

    /// Reads an object of texts.
    fn map(
        &mut self,
        key: &str,
        check_key: fn(&str) -> Result<(), String>,
        check_value: fn(&str) -> Result<(), String>,
    ) -> BTreeMap<String, String> {
        let Some((value, path)) = self.get(key) else { return BTreeMap::new() };
        let members = members(value, &path, "keys", self.problems).unwrap_or_default();
        let mut map = BTreeMap::new();
        for Member { key, raw_key, path, value } in members {
            if let Err(why) = check_key(&key) {
                self.problems.add(raw_key, &path, why);
            }
            if let Some(value) = self.text(value, &path, check_value) {
                map.insert(key, value);
            }
        }
        map
    }

    /// Reads a text, replaces the references to variables, and checks the result.
    fn text(&mut self, value: &'t RawValue, path: &str, check: impl Fn(&str) -> Result<(), String>) -> Option<String> {
        let text = text(value, path, self.problems)?;
        match expand_variables(&text, self.variables) {
            Ok(expanded) => match (check(&expanded), &expanded) {
                (Ok(()), _) => return Some(expanded.into_owned()),
                (Err(why), Cow::Borrowed(_)) => self.problems.add(value.get(), path, why),
                (Err(why), Cow::Owned(_)) => self.own.push(self.problems.at(value.get(), path, why)),
            },
            Err(error @ ExpandError::Malformed(_)) => self.problems.add(value.get(), path, error.to_string()),
            Err(error) => self.own.push(self.problems.at(value.get(), path, error.to_string())),
        }
        None
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let (value, path) = self.get(key)?;
        flag(value, &path, self.problems)
    }

    fn timeout(&mut self) -> Option<Duration> {
        let (value, path) = self.get("timeout")?;
        let example = "expected a duration with a unit, such as `\"30s\"` or `\"500ms\"`";
        if type_of(value) != "a text" {
            self.problems.add(value.get(), &path, format!("{example}, found {}", type_of(value)));
            return None;
        }
        let text = text(value, &path, self.problems)?;
        let Ok(timeout) = parse_duration(&text) else {
            // The correction consists of a number and a unit, so that it can be shown.
            let message = match corrected_duration(&text) {
                Some(right) => format!("this duration cannot be read; write `\"{right}\"`"),
                None => example.into(),
            };
            self.problems.add(value.get(), &path, message);
            return None;
        };
        if !(SHORTEST_TIMEOUT..=Policy::LONGEST_TIMEOUT).contains(&timeout) {
            self.problems.add(value.get(), &path, "a timeout is at least `\"10ms\"` and at most `\"24h\"`");
            return None;
        }
        Some(timeout)
    }
}

fn check_variable(name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("the name of a variable must not be empty or contain `=`".into());
    }
    Ok(())
}

fn without_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("the text must not contain a NUL character".into()) } else { Ok(()) }
}
