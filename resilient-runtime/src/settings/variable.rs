//! One environment variable that sets a key of something with a name: `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use resilient_policy::{BreakerTable, FileProblem, SourceLocation as Place, Table, nearest, one_of};

/// The beginning of every such variable.
pub(super) const PREFIX: &str = "RESILIENT__";
pub(super) const SECTIONS: [(&str, Section); 6] = [
    ("TOOL", Section::Tool),
    ("FEATURE", Section::Feature),
    ("BREAKER", Section::Breaker),
    ("PROFILE", Section::Profile),
    ("DEFAULT", Section::Default),
    ("LEVEL", Section::Level),
];

/// The kind of thing that a variable sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Tool,
    Feature,
    Breaker,
    Profile,
    Default,
    Level,
}

impl Section {
    fn keys(self) -> Vec<&'static str> {
        match self {
            Self::Tool => Table::tool_keys(),
            Self::Feature => vec!["enabled"],
            Self::Breaker => BreakerTable::keys(),
            Self::Profile | Self::Default => Table::KEYS.to_vec(),
            Self::Level => Vec::new(),
        }
    }

    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Feature => "feature",
            Self::Breaker => "breaker",
            Self::Profile => "profile",
            Self::Default => "default",
            Self::Level => "level",
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
    /// Creates a variable from its name, the part of it after the prefix, and its value.
    pub(super) fn new(name: &str, after_prefix: &str, value: String) -> Result<Self, String> {
        let (first, rest) = after_prefix.split_once("__").unwrap_or((after_prefix, ""));
        let Some((_, section)) = SECTIONS.iter().find(|(word, _)| *word == first) else {
            let words: Vec<&str> = SECTIONS.iter().map(|(word, _)| *word).collect();
            return Err(format!("`{first}` is nothing that can be set{}", one_of(first, &words)));
        };
        let (needs, example) = match section {
            Section::Level => (0, ""),
            Section::Default => (1, "TIMEOUT"),
            Section::Feature => (2, "NAME__ENABLED"),
            _ => (2, "NAME__TIMEOUT"),
        };
        if rest.split("__").filter(|part| !part.is_empty()).count() < needs {
            return Err(format!("expected a name and a key: `{PREFIX}{first}__{example}`"));
        }
        Ok(Self { name: name.into(), section: *section, rest: rest.into(), value, used: AtomicBool::new(false) })
    }

    /// Returns the place of the variable in problems.
    pub(super) fn place(&self) -> Place {
        Place::Variable(Arc::clone(&self.name))
    }

    /// Returns whether the variable switches a tool or a feature off, or is below `FEATURE`, which has no other key.
    pub(super) fn is_switch(&self) -> bool {
        self.section == Section::Feature || self.rest.ends_with("__ENABLED")
    }

    /// Returns the keys of a section without names.
    pub(super) fn keys(&self) -> Vec<String> {
        self.rest.split("__").filter(|key| !key.is_empty()).map(str::to_lowercase).collect()
    }

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
            Section::Default | Section::Level => &*self.rest,
            _ => self.rest.strip_prefix(&in_capitals(name))?.strip_prefix("__")?,
        };
        Some(rest.split("__").map(str::to_lowercase).collect())
    }

    /// Returns the message about a name in small letters.
    pub(super) fn in_small_letters(&self) -> Option<String> {
        let is_small = self.rest.chars().any(char::is_lowercase);
        is_small.then(|| format!("names are written in capitals: `{}`", self.name.to_uppercase()))
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the name, in capitals, of a tool or a breaker that is found later. A name may contain two underscores,
    /// so the longest one is taken whose keys can be read.
    pub(super) fn name_found_later(&self) -> Result<String, FileProblem> {
        let problem = |key: &str, message| FileProblem { place: self.place(), key: key.into(), message };
        if let Some(message) = self.in_small_letters() {
            return Err(problem("", message));
        }
        let known = self.section.keys();
        let names = self.rest.rmatch_indices("__").map(|(at, _)| &self.rest[..at]).filter(|name| !name.is_empty());
        let is_key = |keys: &[String]| keys.first().is_some_and(|key| known.contains(&key.as_str()));
        let mut fitting = names.filter_map(|name| Some((name, self.behind(name)?))).filter(|(_, keys)| is_key(keys));
        let can_be_read = |keys: &[String]| match self.section {
            Section::Breaker => BreakerTable::of_variable(&self.name, keys, &self.value).1.is_empty(),
            _ => Table::of_variable(&self.name, keys, &self.value).1.is_empty(),
        };
        let first = fitting.next();
        let others = first.iter().cloned().chain(fitting);
        let readable = others.into_iter().find(|(_, keys)| can_be_read(keys)).map(|(name, _)| name.to_owned());
        if let Some(name) = readable.or_else(|| first.map(|(name, _)| name.to_owned())) {
            return Ok(name);
        }
        let key = self.rest.rsplit("__").next().unwrap_or_default().to_lowercase();
        Err(problem(&key, format!("unknown key `{key}`{}", one_of(&key, &known))))
    }

    /// Returns the problem of a variable with an unknown name, with a suggestion from `known`.
    pub(super) fn unknown_name(&self, known: &[&str]) -> FileProblem {
        let what = self.section.what();
        let place = self.place();
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
        if let Some(message) = self.in_small_letters() {
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
