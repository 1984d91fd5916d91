//! Where the settings of a registry come from, so that they can be read again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use resilient_policy::{File, FileProblem, SourceLocation as Place};

use super::names::DeclaredNames;
use super::variables::CONFIG;

/// The text of a file, or why it cannot be read.
pub(crate) type Content = Result<String, String>;

/// The file that `RESILIENT_CONFIG` names, and the names that it may refer to.
pub(crate) struct Source {
    /// The path of the file, if there is one.
    pub(crate) path: Option<String>,
    pub(crate) known: DeclaredNames,
    contents: Mutex<Contents>,
}

/// What the file contained.
pub(crate) struct Contents {
    /// When it was last read.
    pub(crate) seen: Option<Content>,
    /// When its settings were last accepted.
    pub(crate) accepted: Option<Content>,
}

impl Source {
    pub(crate) fn new(path: Option<String>, known: DeclaredNames, accepted: Option<Content>) -> Self {
        Self { path, known, contents: Mutex::new(Contents { seen: accepted.clone(), accepted }) }
    }

    /// Locked while the file is read and its settings are applied, so that the last content is the last to apply.
    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file.
pub(crate) fn read(path: &str) -> Content {
    std::fs::read_to_string(path).map_err(|error| format!("`{path}` cannot be read: {error}"))
}

/// Returns the settings in a file, and all problems that do not depend on a function.
pub(crate) fn parse(path: &str, content: &Content) -> (File, Vec<FileProblem>) {
    match content {
        Ok(text) => {
            let (file, mut found) = File::parse(path, text);
            if found.is_empty() {
                found = file.check(false);
            }
            (file, found)
        }
        Err(why) => {
            let place = Place::Variable(CONFIG.into());
            (File::default(), vec![FileProblem { place, key: String::new(), message: why.clone() }])
        }
    }
}
