//! The command that starts a server.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The command that starts a server process: a program, its arguments, and what its environment has in addition to that
/// of this process. No shell reads it.
///
/// ```
/// use resilient_client::Command;
///
/// let command = Command::new("npx").arg("-y").arg("some-server").env("API_KEY", "secret");
/// assert_eq!(command.program(), "npx");
/// assert!(!format!("{command:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
    variables: BTreeMap<String, String>,
    folder: Option<PathBuf>,
}

impl Command {
    /// Creates a command without arguments. A program without a path is searched in `PATH`.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), variables: BTreeMap::new(), folder: None }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory. Default: that of this process.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Returns the program.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Returns the arguments.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Returns the variables that are set.
    #[must_use]
    pub const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Returns the working directory, if one is set.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

impl fmt::Debug for Command {
    /// Shows the names of variables and not their values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        let mut shown = f.debug_struct("Command");
        shown.field("program", &self.program).field("arguments", &self.arguments.len()).field("variables", &names);
        shown.field("folder", &self.folder).finish()
    }
}
