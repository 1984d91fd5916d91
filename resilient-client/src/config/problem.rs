//! Mistakes in the file, and their positions.

use std::fmt;
use std::sync::Arc;

/// One mistake in the file: its position, the path of the key, and what is wrong. It never contains a value of the file
/// or of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    /// The name of the file.
    pub file: Arc<str>,
    /// The line and the column, both from 1, unless the problem concerns the whole file.
    pub position: Option<(usize, usize)>,
    /// The path of the key, joined by dots. Empty if the problem concerns the whole file.
    pub path: String,
    /// What is wrong and what was expected, in one lower-case sentence.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigProblem {}

/// All mistakes in a file, or in one server of it. `Display` writes one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    /// Returns the problems in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }

    /// Creates an error if there are problems.
    pub(super) fn check(mut problems: Vec<ConfigProblem>) -> Result<(), Self> {
        problems.sort_by_key(|problem| problem.position);
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// Creates the error for a file that cannot be used as a whole.
    pub(super) fn of_file(file_name: &str, message: impl Into<String>) -> Self {
        let (file, message) = (file_name.into(), message.into());
        Self { problems: vec![ConfigProblem { file, position: None, path: String::new(), message }] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects the mistakes in a file.
pub(super) struct Problems<'t> {
    file: Arc<str>,
    text: &'t str,
    pub(super) found: Vec<ConfigProblem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(file_name: &str, text: &'t str) -> Self {
        Self { file: file_name.into(), text, found: Vec::new() }
    }

    /// Adds a problem of a part of the text.
    pub(super) fn add(&mut self, part: &'t str, path: &str, message: impl Into<String>) {
        let problem = self.at(part, path, message);
        self.found.push(problem);
    }

    /// Creates a problem of a part of the text, without adding it.
    pub(super) fn at(&self, part: &'t str, path: &str, message: impl Into<String>) -> ConfigProblem {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.at_offset(offset, path, message)
    }

    /// Creates a problem at an offset in the text, without adding it.
    pub(super) fn at_offset(&self, offset: usize, path: &str, message: impl Into<String>) -> ConfigProblem {
        let position = Some(self.position(offset));
        ConfigProblem { file: Arc::clone(&self.file), position, path: path.into(), message: message.into() }
    }

    /// Returns the line of a part of the text.
    pub(super) fn line_of(&self, part: &'t str) -> usize {
        self.position((part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)).0
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}
