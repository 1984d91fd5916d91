//! Environment variables that override compiled settings, such as `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT=5s`.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use resilient_policy::{BreakerTable, FileProblem, SourceLocation as Place, Table, nearest, one_of, parse_flag};

const PREFIX: &str = "RESILIENT__";
const SECTIONS: [(&str, Section); 4] = [
    ("TOOL", Section::Tool),
    ("BREAKER", Section::Breaker),
    ("PROFILE", Section::Profile),
    ("DEFAULT", Section::Default),
];

/// The variable with the path of the settings file.
pub(crate) const CONFIG: &str = "RESILIENT_CONFIG";
/// The variable that disables everything that can reject, retry or cut off a call.
pub(super) const DISABLED: &str = "RESILIENT_DISABLED";

/// The kind of thing that a variable sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Tool,
    Breaker,
    Profile,
    Default,
}

impl Section {
    fn keys(self) -> Vec<&'static str> {
        match self {
            Self::Breaker => BreakerTable::keys(),
            Self::Tool | Self::Profile | Self::Default => Table::KEYS.to_vec(),
        }
    }

    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Breaker => "breaker",
            Self::Profile => "profile",
            Self::Default => "default",
        }
    }
}

/// A variable with a known section, whose name is not resolved yet.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: Arc<str>,
    pub(super) section: Section,
    /// The part after the section: a name and keys, in capitals.
    rest: String,
    pub(super) value: String,
    /// Whether the name was found.
    used: AtomicBool,
}

impl Variable {
    /// Returns the keys that the variable sets for this name, if the variable refers to it.
    pub(super) fn keys_for(&self, name: &str) -> Option<Vec<String>> {
        let keys = self.behind(name)?;
        // A name can contain two underscores: what follows a shorter name is then not a key.
        let is_mine = self.section == Section::Default || self.section.keys().contains(&keys.first()?.as_str());
        if is_mine {
            self.used.store(true, Ordering::Relaxed);
        }
        is_mine.then_some(keys)
    }

    /// Returns the parts after this name.
    fn behind(&self, name: &str) -> Option<Vec<String>> {
        let rest = match self.section {
            Section::Default => &*self.rest,
            _ => self.rest.strip_prefix(&in_capitals(name))?.strip_prefix("__")?,
        };
        Some(rest.split("__").map(str::to_lowercase).collect())
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the problem of a variable with an unknown name, with a suggestion from `known`.
    pub(super) fn unknown_name(&self, known: &[&str]) -> FileProblem {
        let what = self.section.what();
        let place = Place::Variable(Arc::clone(&self.name));
        if let Some((name, keys)) = known.iter().find_map(|name| Some((name, self.behind(name)?))) {
            let message = if keys.first().is_some_and(|key| self.section.keys().contains(&key.as_str())) {
                unknown_before_its_first_call(name)
            } else {
                let key = keys.join(".");
                format!("unknown key `{key}`{}", one_of(&key, &self.section.keys()))
            };
            let key = keys.join(".");
            return FileProblem { place, key: format!("{what}.{name}.{key}"), message };
        }
        if self.rest.chars().any(char::is_lowercase) {
            let message = format!("names are written in capitals: `{}`", self.name.to_uppercase());
            return FileProblem { place, key: String::new(), message };
        }
        let named = self.rest.split("__").next().unwrap_or_default().to_lowercase();
        let capitals: Vec<String> = known.iter().map(|name| in_capitals(name).to_lowercase()).collect();
        let meant = match nearest(&named, capitals.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean `{}`?", near.to_uppercase()),
            None if known.is_empty() => format!("; no {what} is known here"),
            None => one_of("", known),
        };
        let message = format!("no {what} `{}`{meant}", named.to_uppercase());
        FileProblem { place, key: String::new(), message }
    }
}

/// Returns the message for a tool that only has the hook, or that is guarded outside of a guarded block.
pub(super) fn unknown_before_its_first_call(tool: &str) -> String {
    format!(
        "nothing is known of the policy of `{tool}` before its first call, so nothing can be set; put `#[resilient]` on \
         its block"
    )
}

/// Returns a name in the form that variables use.
pub(super) fn in_capitals(name: &str) -> String {
    name.to_uppercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The relevant variables of an environment.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    pub(super) all: Vec<Variable>,
    /// The path of the settings file.
    pub(crate) config: Option<String>,
    pub(super) disabled: bool,
    /// Variables that are ignored, each with the name that was probably meant.
    pub(crate) unread: Vec<(String, String)>,
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
                continue;
            };
            if let Some(rest) = name.strip_prefix(PREFIX) {
                match variable(&name, rest, value) {
                    Ok(variable) => read.all.push(variable),
                    Err(why) => problem(why),
                }
            } else if name == CONFIG {
                read.config = Some(value).filter(|path| !path.is_empty());
            } else if name == DISABLED {
                // An empty value counts as unset.
                let switch = Some(value.trim()).filter(|value| !value.is_empty()).map(parse_flag).transpose();
                switch.map_or_else(problem, |switch| read.disabled = switch.unwrap_or_default());
            } else if let Some(meant) = meant(&name) {
                problem(format!("unknown variable; did you mean `{meant}`?"));
            }
        }
        read
    }
}

/// Returns the name of a variable that is one of ours or was meant to be. Other variables with our prefix belong to
/// other programs.
fn ours(name: &OsStr, problems: &mut Vec<FileProblem>) -> Option<String> {
    let shown = name.to_string_lossy();
    if !shown.starts_with("RESILIENT") {
        return None;
    }
    match name.to_str() {
        Some(name) if name.starts_with(PREFIX) || name == CONFIG || name == DISABLED || meant(name).is_some() => {
            Some(name.to_owned())
        }
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
    let section = SECTIONS.iter().find(|(word, _)| rest.starts_with(&format!("{word}_")));
    if let Some((word, _)) = section {
        let rest = rest.strip_prefix(word).unwrap_or_default().trim_start_matches('_');
        return Some(format!("{PREFIX}{word}__{rest}"));
    }
    nearest(rest, ["CONFIG", "DISABLED"]).map(|near| format!("RESILIENT_{near}"))
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
    let goes_on = ["CONFIG", "DISABLED"].contains(&rest)
        || SECTIONS.iter().any(|(section, _)| rest.strip_prefix(section).is_some_and(|rest| rest.starts_with('_')));
    if goes_on || word == "RESILIENT" { meant(&format!("RESILIENT_{rest}")) } else { None }
}

fn variable(name: &str, rest: &str, value: String) -> Result<Variable, String> {
    let (first, rest) = rest.split_once("__").unwrap_or((rest, ""));
    let Some((_, section)) = SECTIONS.iter().find(|(word, _)| *word == first) else {
        if let Some(meant) = meant(name).filter(|_| rest.is_empty()) {
            return Err(format!("unknown variable; did you mean `{meant}`?"));
        }
        let words: Vec<&str> = SECTIONS.iter().map(|(word, _)| *word).collect();
        return Err(format!("`{first}` is nothing that can be set{}", one_of(first, &words)));
    };
    let needs = if *section == Section::Default { 1 } else { 2 };
    if rest.split("__").filter(|part| !part.is_empty()).count() < needs {
        let shown = if *section == Section::Default { "" } else { "NAME__" };
        return Err(format!("expected a name and a key: `{PREFIX}{first}__{shown}TIMEOUT`"));
    }
    Ok(Variable { name: name.into(), section: *section, rest: rest.into(), value, used: AtomicBool::new(false) })
}
