//! Reads `mcp_servers.json`.

mod entry;
mod json;
mod problem;
mod server;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;

use resilient_policy::unknown_key;
use serde_json::value::RawValue;

pub use self::entry::{ServerEntry, ServerSettings, Transport};
use self::json::{Member, list, members, parse, shown, text};
use self::problem::Problems;
pub use self::problem::{ConfigError, ConfigProblem};

/// The bytes that a file may have.
const LARGEST: usize = 1024 * 1024;
const KEYS: &[&str] = &["mcpServers", "alternatives"];

/// The servers of a file in the format that clients share.
///
/// ```json
/// {
///   "mcpServers": {
///     "search": {
///       "command": "npx",
///       "args": ["-y", "tavily-mcp"],
///       "env": { "TAVILY_API_KEY": "${TAVILY_KEY}" },
///       "timeout": "30s"
///     },
///     "wiki": {
///       "type": "http",
///       "url": "https://${WIKI_HOST:-wiki.example.com}/mcp",
///       "headers": { "Authorization": "Bearer ${WIKI_TOKEN}" },
///       "trust_annotations": true
///     }
///   },
///   "alternatives": { "tavily-search": ["brave-search"] }
/// }
/// ```
///
/// A server has either `command`, with `args`, `env` and `cwd`, or `url`, with `headers`; `type` is `stdio`, `http` or
/// `streamable-http` and may be left out. A server with `"disabled": true` is checked and left out. The timeout of a call
/// is a number and a unit. `alternatives` lists the tools to try if a tool is not available.
///
/// All texts of a server except `type` and `timeout` may contain references to variables, as
/// [`expand_variables`](crate::expand_variables) describes. Unknown keys, keys that appear twice and wrong types are
/// errors at every depth.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The servers that are not disabled, in the order of the file.
    pub servers: Vec<ServerEntry>,
    /// For each tool, the tools to try instead, in this order.
    pub alternatives: BTreeMap<String, Vec<String>>,
}

impl Config {
    /// Reads a file of at most 1 MiB.
    ///
    /// `variables` returns the values of environment variables. Pass `|name| std::env::var_os(name)` for those of this
    /// process.
    ///
    /// # Errors
    /// Returns all problems that the file alone shows, or one problem if the file cannot be read. A problem that depends
    /// on variables is in the [`ServerEntry`].
    ///
    /// ```no_run
    /// use resilient_client::Config;
    ///
    /// let config = Config::read("mcp_servers.json".as_ref(), |name| std::env::var_os(name))?;
    /// for entry in &config.servers {
    ///     if let Err(error) = &entry.server {
    ///         eprintln!("{error}");
    ///     }
    /// }
    /// # Ok::<(), resilient_client::ConfigError>(())
    /// ```
    pub fn read(path: &Path, variables: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let file_name = path.display().to_string();
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            // One more byte than is allowed shows that the file is too large.
            .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| ConfigError::of_file(&file_name, format!("cannot read the file: {error}")))?;
        if bytes.len() > LARGEST {
            return Err(ConfigError::of_file(&file_name, TOO_LARGE));
        }
        let text =
            String::from_utf8(bytes).map_err(|_| ConfigError::of_file(&file_name, "the file is not valid UTF-8"))?;
        Self::parse(&text, &file_name, variables)
    }

    /// Reads the text of a file. `file_name` is its name in problems.
    ///
    /// # Errors
    /// Returns all problems that the text alone shows.
    pub fn parse(
        text: &str,
        file_name: &str,
        variables: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        if text.len() > LARGEST {
            return Err(ConfigError::of_file(file_name, TOO_LARGE));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(ConfigError::of_file(file_name, "the file is empty; expected an object with `mcpServers`"));
        }
        let mut problems = Problems::new(file_name, text);
        let mut config = Self { servers: Vec::new(), alternatives: BTreeMap::new() };
        if let Some(root) = parse(text, &mut problems) {
            config.fill(root, &variables, &mut problems);
        }
        ConfigError::check(problems.found)?;
        Ok(config)
    }

    fn fill<'t>(
        &mut self,
        root: &'t RawValue,
        variables: &dyn Fn(&str) -> Option<OsString>,
        problems: &mut Problems<'t>,
    ) {
        let Some(sections) = members(root, "", "keys", problems) else { return };
        for section in &sections {
            match section.key.as_str() {
                "mcpServers" => {
                    let servers = members(section.value, &section.path, "servers", problems).unwrap_or_default();
                    self.servers = servers.iter().filter_map(|each| server::read(each, variables, problems)).collect();
                }
                "alternatives" => {
                    let tools = members(section.value, &section.path, "tools", problems).unwrap_or_default();
                    self.alternatives =
                        tools.into_iter().map(|tool| (tool.key.clone(), alternatives(&tool, problems))).collect();
                }
                _ => problems.add(section.raw_key, "", unknown_key(&shown(&section.key), KEYS)),
            }
        }
        if !sections.iter().any(|section| section.key == "mcpServers") {
            problems.add(root.get(), "", "the key `mcpServers` is missing");
        }
    }
}

const TOO_LARGE: &str = "the file is larger than 1 MiB";

/// Reads the alternatives of one tool.
fn alternatives<'t>(tool: &Member<'t>, problems: &mut Problems<'t>) -> Vec<String> {
    if tool.key.is_empty() {
        problems.add(tool.raw_key, &tool.path, "the name of a tool must not be empty");
    }
    let Some(values) = list(tool.value, &tool.path, problems) else { return Vec::new() };
    if values.is_empty() {
        problems.add(tool.value.get(), &tool.path, "expected the name of at least one other tool");
    }
    let mut names: Vec<String> = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let path = format!("{}[{index}]", tool.path);
        let Some(name) = text(value, &path, problems) else { continue };
        let message = match name.as_str() {
            "" => "the name of a tool must not be empty",
            name if name == tool.key => "a tool is no alternative to itself",
            name if names.iter().any(|other| other == name) => "the tool appears twice",
            _ => {
                names.push(name);
                continue;
            }
        };
        problems.add(value.get(), &path, message);
    }
    names
}

#[cfg(test)]
mod tests;
