//! Restricts the auditor to one directory.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use tempfile::TempDir;

use super::error::AuditError;

/// The directory below which projects are read.
///
/// It protects against paths from clients. It does not protect against a local process that replaces directories by
/// links while an audit runs.
#[derive(Debug)]
pub struct Root {
    directory: PathBuf,
    /// The demo's project. Dropping it removes the files.
    _sample: Option<TempDir>,
}

impl Root {
    /// Restricts reading to this directory.
    ///
    /// # Errors
    ///
    /// If it is not a directory or cannot be read.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let directory = directory.canonicalize()?;
        directory.read_dir()?;
        Ok(Self { directory, _sample: None })
    }

    pub(super) fn of_sample(sample: TempDir) -> io::Result<Self> {
        let root = Self::new(sample.path())?;
        Ok(Self { _sample: Some(sample), ..root })
    }

    /// Resolves a path from a client to a directory below the root.
    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, AuditError> {
        let outside = || AuditError::Outside { path: path.to_owned() };
        let missing = || AuditError::NoSuchDirectory { path: path.to_owned() };
        let goes_down = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(path).components().all(goes_down) {
            return Err(outside());
        }
        let directory = self.directory.join(path).canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename => missing(),
            _ => error.into(),
        })?;
        // The path may contain a link to the outside.
        if !directory.starts_with(&self.directory) {
            return Err(outside());
        }
        if directory.is_dir() { Ok(directory) } else { Err(missing()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root() -> (TempDir, Root) {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir_all(around.path().join("root/project/src")).unwrap();
        fs::create_dir(around.path().join("secret")).unwrap();
        fs::write(around.path().join("root/file"), "").unwrap();
        let root = Root::new(&around.path().join("root")).unwrap();
        (around, root)
    }

    #[test]
    fn paths_below_the_root_are_resolved() {
        let (_around, root) = root();
        for path in [".", "", "project", "./project/", "project/src"] {
            assert!(root.resolve(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn paths_out_of_the_root_are_rejected() {
        let (around, root) = root();
        let absolute = around.path().join("root/project");
        for path in ["..", "../secret", "project/../../secret", "project/..", "/", "/etc", absolute.to_str().unwrap()] {
            assert!(matches!(root.resolve(path), Err(AuditError::Outside { .. })), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_root_is_rejected() {
        let (around, root) = root();
        std::os::unix::fs::symlink(around.path().join("secret"), around.path().join("root/link")).unwrap();
        assert!(matches!(root.resolve("link"), Err(AuditError::Outside { .. })));
    }

    #[test]
    fn a_path_that_is_not_a_directory_is_an_error() {
        let (_around, root) = root();
        let long = "a".repeat(5_000);
        for path in ["nowhere", "file", "file/below", "nul\0byte", &long] {
            assert!(matches!(root.resolve(path), Err(AuditError::NoSuchDirectory { .. })), "{path}");
        }
    }
}
