//! Environment variables that override compiled settings, such as `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT=5s`.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;

use resilient_policy::{FileProblem, GateTables, Located, SourceLocation as Place, nearest, parse_flag};

use super::switches::GateVariables;
use super::variable::{PREFIX, SECTIONS, Section, Variable};
#[cfg(feature = "http")]
use crate::access_token::{AccessToken, TokenSetting};

/// The variable with the path of the settings file.
pub(crate) const CONFIG: &str = "RESILIENT_CONFIG";
/// The variable that disables everything that can reject, retry or cut off a call.
const DISABLED: &str = "RESILIENT_DISABLED";
/// The variable that switches all writes off.
const READ_ONLY: &str = "RESILIENT_READ_ONLY";
/// The variable with the token that the routes for operators require.
const ADMIN_TOKEN: &str = "RESILIENT_ADMIN_TOKEN";
/// The variables with the endpoints of alerts, and with the token of the webhook.
pub(crate) const ALERT_WEBHOOK: &str = "RESILIENT_ALERT_WEBHOOK";
const ALERT_WEBHOOK_TOKEN: &str = "RESILIENT_ALERT_WEBHOOK_TOKEN";
pub(crate) const ALERT_WEBHOOK_TOKEN_FILE: &str = "RESILIENT_ALERT_WEBHOOK_TOKEN_FILE";
pub(crate) const ALERTMANAGER_URL: &str = "RESILIENT_ALERTMANAGER_URL";
/// The variables with the Redis that replicas share, and with their number.
const REDIS_URL: &str = "RESILIENT_REDIS_URL";
const REDIS_PREFIX: &str = "RESILIENT_REDIS_PREFIX";
const REPLICAS: &str = "RESILIENT_REPLICAS";
/// The variables that set one thing alone, without `RESILIENT_`.
const ALONE: [&str; 11] = [
    "CONFIG",
    "DISABLED",
    "READ_ONLY",
    "ADMIN_TOKEN",
    "ALERT_WEBHOOK",
    "ALERT_WEBHOOK_TOKEN",
    "ALERT_WEBHOOK_TOKEN_FILE",
    "ALERTMANAGER_URL",
    "REDIS_URL",
    "REDIS_PREFIX",
    "REPLICAS",
];

/// The relevant variables of an environment.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    pub(super) all: Vec<Variable>,
    /// The path of the settings file.
    pub(crate) config: Option<String>,
    pub(super) disabled: bool,
    pub(super) gate: GateVariables,
    /// The token that the routes for operators require.
    #[cfg(feature = "http")]
    pub(crate) admin_token: Option<TokenSetting>,
    /// The endpoints of alerts.
    pub(crate) alerts: AlertVariables,
    /// What replicas share.
    pub(crate) replicas: ReplicaVariables,
    /// Variables that are ignored, each with the name that was probably meant.
    pub(crate) unread: Vec<(String, String)>,
}

/// The variables of alerts. An empty value counts as unset.
#[derive(Default)]
pub(crate) struct AlertVariables {
    pub(crate) webhook: Option<String>,
    pub(crate) webhook_token: Option<String>,
    pub(crate) webhook_token_file: Option<String>,
    pub(crate) alertmanager: Option<String>,
}

/// The variables of replicas. An empty value counts as unset.
#[derive(Default)]
pub(crate) struct ReplicaVariables {
    pub(crate) redis_url: Option<String>,
    pub(crate) redis_prefix: Option<String>,
    pub(crate) count: Option<NonZeroU32>,
}

impl ReplicaVariables {
    /// Warns that limits and breakers do not use the URL, because there is no shared state.
    #[cfg(feature = "replicas")]
    pub(crate) fn warn_unused(&self) {
        if self.redis_url.is_some() {
            tracing::warn!(
                event = "config.warning",
                variable = REDIS_URL,
                "no shared state is set, so limits and breakers are local; call `redis_from_env()` of \
                 `resilient-redis` if replicas share them"
            );
        }
    }

    /// Warns that they have no effect in this program.
    #[cfg(not(feature = "replicas"))]
    pub(crate) fn warn(&self) {
        let Self { redis_url, redis_prefix: _, count: _ } = self;
        if redis_url.is_some() {
            tracing::warn!(
                event = "config.warning",
                variable = REDIS_URL,
                "this program is built without `resilient-redis`, so it shares nothing with other replicas"
            );
        }
    }
}

impl std::fmt::Debug for ReplicaVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may contain a password.
        f.debug_struct("ReplicaVariables").field("count", &self.count).finish_non_exhaustive()
    }
}

impl AlertVariables {
    /// Warns that they have no effect in this program.
    #[cfg(not(feature = "alerts"))]
    pub(crate) fn warn(&self) {
        let Self { webhook, webhook_token: _, webhook_token_file: _, alertmanager } = self;
        for (variable, _) in
            [(ALERT_WEBHOOK, webhook), (ALERTMANAGER_URL, alertmanager)].into_iter().filter(|(_, set)| set.is_some())
        {
            tracing::warn!(
                event = "config.warning",
                variable,
                "this program is built without the feature `alerts`, so it sends no alerts"
            );
        }
    }
}

impl std::fmt::Debug for AlertVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens, and URLs that may contain one.
        f.debug_struct("AlertVariables").finish_non_exhaustive()
    }
}

impl Variables {
    /// Reads the relevant variables and ignores those of other programs.
    pub(crate) fn read(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        problems: &mut Vec<FileProblem>,
    ) -> Self {
        let mut read = Self::default();
        let mut environment: Vec<_> = environment.into_iter().collect();
        environment.sort();
        for (name, value) in environment {
            let Some(name) = ours(&name, problems) else {
                read.unread.extend(name.to_str().and_then(|name| Some((name.to_owned(), almost(name)?))));
                continue;
            };
            let place = || Place::Variable(name.as_str().into());
            let mut problem = |message: String| {
                problems.push(FileProblem { place: place(), key: String::new(), message });
            };
            let Ok(value) = value.into_string() else {
                problem("the value is no text".into());
                #[cfg(feature = "http")]
                if name == ADMIN_TOKEN {
                    read.admin_token = Some(TokenSetting::Invalid);
                }
                continue;
            };
            match name.as_str() {
                CONFIG => read.config = is_set(value),
                DISABLED => switch(&value).map_or_else(problem, |switch| read.disabled = switch.unwrap_or_default()),
                READ_ONLY => switch(&value).map_or_else(problem, |switch| {
                    read.gate.tables.read_only = switch.map(|value| Located { value, place: place() });
                }),
                #[cfg(feature = "http")]
                ADMIN_TOKEN => {
                    let token = AccessToken::new(value).map_err(|why| problem(why.to_string()));
                    read.admin_token = Some(token.map_or(TokenSetting::Invalid, TokenSetting::Valid));
                }
                // Without the routes nothing requires the token.
                #[cfg(not(feature = "http"))]
                ADMIN_TOKEN => {}
                ALERT_WEBHOOK => read.alerts.webhook = is_set(value),
                ALERT_WEBHOOK_TOKEN => read.alerts.webhook_token = is_set(value),
                ALERT_WEBHOOK_TOKEN_FILE => read.alerts.webhook_token_file = is_set(value),
                REDIS_URL => read.replicas.redis_url = is_set(value),
                REDIS_PREFIX => read.replicas.redis_prefix = is_set(value),
                REPLICAS => match is_set(value).map(|value| value.trim().parse()) {
                    Some(Ok(count)) => read.replicas.count = Some(count),
                    Some(Err(_)) => problem("expected the number of replicas, at least 1".into()),
                    None => {}
                },
                ALERTMANAGER_URL => read.alerts.alertmanager = is_set(value),
                _ => read.one_setting(&name, value, problems),
            }
        }
        read
    }

    fn one_setting(&mut self, name: &str, value: String, problems: &mut Vec<FileProblem>) {
        let place = Place::Variable(name.into());
        let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| !is_alone(rest)) else {
            let meant = meant(name).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            problems.push(FileProblem { place, key: String::new(), message: format!("unknown variable{meant}") });
            return;
        };
        let variable = match Variable::new(name, rest, value) {
            Ok(variable) => variable,
            Err(message) => return problems.push(FileProblem { place, key: String::new(), message }),
        };
        match variable.section {
            Section::Level => {
                if let Some(message) = variable.in_small_letters() {
                    return problems.push(FileProblem { place, key: String::new(), message });
                }
                let (tables, found) = GateTables::of_level_variable(&variable.name, &variable.keys(), &variable.value);
                problems.extend(found);
                self.gate.tables.add(&tables);
            }
            Section::Tool | Section::Feature if variable.is_switch() => {
                let is_enabled = parse_flag(&variable.value).unwrap_or_else(|message| {
                    problems.push(FileProblem { place, key: "enabled".into(), message });
                    true
                });
                self.gate.switches.push((variable, is_enabled));
            }
            _ => self.all.push(variable),
        }
    }
}

fn is_set(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

/// Reads the value of a switch. An empty value counts as unset.
fn switch(value: &str) -> Result<Option<bool>, String> {
    Some(value.trim()).filter(|value| !value.is_empty()).map(parse_flag).transpose()
}

/// Returns whether a variable that begins like those with sections was meant to be one that sets one thing alone.
fn is_alone(rest: &str) -> bool {
    let is_section = SECTIONS.iter().any(|(word, _)| *word == rest);
    !is_section && !rest.contains("__") && nearest(rest, ALONE).is_some()
}

/// Returns the name of a variable that is one of ours or was meant to be. Other variables with our prefix belong to
/// other programs.
fn ours(name: &OsStr, problems: &mut Vec<FileProblem>) -> Option<String> {
    let shown = name.to_string_lossy();
    if !shown.starts_with("RESILIENT") {
        return None;
    }
    match name.to_str() {
        Some(name) if name.starts_with(PREFIX) || meant(name).is_some() => Some(name.to_owned()),
        Some(_) => None,
        None => {
            if shown.starts_with(PREFIX) {
                let place = Place::Variable(shown.as_ref().into());
                problems.push(FileProblem { place, key: String::new(), message: "the name is no text".into() });
            }
            None
        }
    }
}

/// Returns the variable that this name was probably meant to be.
fn meant(name: &str) -> Option<String> {
    let rest = name.strip_prefix("RESILIENT")?.trim_start_matches('_');
    if rest == "LEVEL" {
        return Some(format!("{PREFIX}{rest}"));
    }
    let section = SECTIONS.iter().find(|(word, _)| rest.starts_with(&format!("{word}_")));
    if let Some((word, _)) = section {
        let rest = rest.strip_prefix(word).unwrap_or_default().trim_start_matches('_');
        return Some(format!("{PREFIX}{word}__{rest}"));
    }
    nearest(rest, ALONE).map(|near| format!("RESILIENT_{near}"))
}

/// Like [`meant`], for a name without our prefix: one in another case, or with a prefix similar to `RESILIENT`.
fn almost(name: &str) -> Option<String> {
    let capitals = name.to_ascii_uppercase();
    let word = capitals.split('_').next().unwrap_or_default();
    let behind = capitals.strip_prefix(word)?;
    if word != "RESILIENT" {
        nearest(word, ["RESILIENT"])?;
    }
    let rest = behind.trim_start_matches('_');
    if word == "RESILIENT" && behind.starts_with("__") {
        return meant(&format!("RESILIENT_{rest}")).or_else(|| Some(format!("{PREFIX}{rest}")));
    }
    // A similar prefix belongs to another program, unless the rest is one of ours.
    let goes_on = ALONE.contains(&rest)
        || SECTIONS.iter().any(|(section, _)| rest.strip_prefix(section).is_some_and(|rest| rest.starts_with('_')));
    if goes_on || word == "RESILIENT" { meant(&format!("RESILIENT_{rest}")) } else { None }
}
