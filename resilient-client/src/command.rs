//! The command that starts a server.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A command that starts a server which talks over stdin and stdout.
///
/// `Debug` shows the names of variables, but neither their values nor the arguments, because both may be secrets.
///
/// ```
/// use resilient_client::Command;
///
/// let command = Command::new("npx").args(["-y", "tavily-mcp"]).env("TAVILY_API_KEY", "tvly-1").current_dir("/srv");
/// assert_eq!(
///     format!("{command:?}"),
///     r#"Command { program: "npx", args: [2 hidden], env: {"TAVILY_API_KEY": ***}, cwd: Some("/srv") }"#,
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// The program: a path, or a name that is searched in `PATH`.
    pub program: String,
    /// The arguments.
    pub args: Vec<String>,
    /// Variables that are added to the environment of this process. They replace variables of the same name.
    pub env: BTreeMap<String, String>,
    /// The working directory, if it is not that of this process.
    pub cwd: Option<PathBuf>,
}

impl Command {
    /// Creates a command without arguments.
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: BTreeMap::new(), cwd: None }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.args.push(argument.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable in the environment of the server.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, args, env, cwd } = self;
        f.debug_struct("Command")
            .field("program", program)
            .field("args", &format_args!("[{} hidden]", args.len()))
            .field("env", &Masked(env))
            .field("cwd", cwd)
            .finish()
    }
}

/// Shows the names of a map, and hides its values.
pub(crate) struct Masked<'m>(pub(crate) &'m BTreeMap<String, String>);

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, format_args!("***")))).finish()
    }
}
