//! Where the settings of a registry come from, so that they can be read again.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use resilient_policy::{File, FileProblem, SourceLocation as Place};

use super::names::DeclaredNames;
use super::variables::CONFIG;

/// The maximum size of a file, in bytes.
const LARGEST: u64 = 1 << 20;

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
    /// What needed a restart when its settings were last applied.
    pub(crate) owed: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: Option<String>, known: DeclaredNames, seen: Option<Content>) -> Self {
        Self { path, known, contents: Mutex::new(Contents { seen, owed: Vec::new() }) }
    }

    /// Locked while the file is read and its settings are applied, so that the last content is the last to apply.
    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file. It does not wait for what is no file, such as a pipe that nothing writes to.
pub(crate) fn read(path: &str) -> Content {
    read_text(path).map_err(|error| format!("`{path}` cannot be read: {error}"))
}

fn read_text(path: &str) -> io::Result<String> {
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    // Opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(refused("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    options().open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(refused("it has more than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| refused("it is not text in UTF-8"))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    // In case that the file is replaced by a pipe after the check.
    #[cfg(target_os = "linux")]
    if let Ok(flags) = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()) {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    options
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
