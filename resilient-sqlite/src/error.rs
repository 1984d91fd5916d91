//! Errors of SQLite, and what they mean for a store.

use std::io;
use std::path::{Path, PathBuf};

use resilient_runtime::deferred::{StoreError, StoreErrorKind};
use rusqlite::{ErrorCode, ffi};

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the deferred writes in {}: {problem}", path.display())]
pub struct OpenError {
    path: PathBuf,
    #[source]
    problem: OpenProblem,
}

impl OpenError {
    pub(crate) fn new(path: &Path, problem: OpenProblem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why the store could not be opened.
    #[must_use]
    pub const fn problem(&self) -> &OpenProblem {
        &self.problem
    }

    /// Returns why the store could not be opened.
    #[must_use]
    pub fn into_problem(self) -> OpenProblem {
        self.problem
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenProblem {
    /// `RESILIENT_DEFERRED_PATH` is not set, or empty.
    #[error("`RESILIENT_DEFERRED_PATH` is not set")]
    NoPath,
    /// The path has no folder or no file name, or the folder cannot be read.
    #[error("the folder cannot be read: {0}")]
    Folder(#[source] io::Error),
    /// Other users can write the folder, so that they could exchange the file.
    #[error(
        "other users can write the folder (mode {mode:03o}, owner {owner}); use a folder of mode 700 that belongs to \
         the server's user"
    )]
    SharedFolder {
        /// The permissions of the folder.
        mode: u32,
        /// The id of the user that owns it.
        owner: u32,
    },
    /// Other users can read or write the file.
    #[error(
        "other users can read or write the file (mode {mode:03o}, owner {owner}); it needs mode 600 and the server's \
         user as its owner"
    )]
    SharedFile {
        /// The permissions of the file.
        mode: u32,
        /// The id of the user that owns it.
        owner: u32,
    },
    /// The path names something that is not a regular file, such as a link.
    #[error("this is not a regular file")]
    NotAFile,
    /// The file is not an SQLite database.
    #[error("the file is not an SQLite database")]
    NotADatabase,
    /// The file is a database of another application.
    #[error("the file is a database of another application")]
    OtherDatabase,
    /// A newer version of this crate has written the file.
    #[error("a newer version of the server has written the file (format {found}; this version knows {known})")]
    NewerVersion {
        /// The version of the file's format.
        found: i64,
        /// The latest version that this crate knows.
        known: i64,
    },
    /// The file is damaged.
    #[error("the file is corrupt; stop the server and move the file away, or restore it: {0}")]
    Corrupt(String),
    /// The file or its folder cannot be written.
    #[error("the file or its folder is read-only")]
    ReadOnly,
    /// The disk is full, or the file is as large as it may be.
    #[error("there is no space left for the file")]
    Full,
    /// Another process blocked the file for too long.
    #[error("another process blocks the file")]
    Busy,
    /// The file system has no locks or no shared memory, which several processes need.
    #[error("the file system has no locks; use a local disk")]
    NoLocks,
    /// Reading or writing failed in another way.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// SQLite reported another error.
    #[error("{0}")]
    Sqlite(#[source] rusqlite::Error),
}

/// What went wrong during work on a connection.
#[derive(Debug)]
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    /// An error of the turnstile.
    Io(io::Error),
    /// Another process wrote for too long.
    Busy,
    /// The future was dropped.
    Stopped,
    /// A row that this crate did not write.
    Row(&'static str),
    /// An error of the store itself, such as a bound.
    Store(StoreErrorKind, String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The classes of errors of SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Busy,
    ReadOnly,
    Full,
    Corrupt,
    NotADatabase,
    NoLocks,
    Other,
}

pub(crate) fn classify(error: &rusqlite::Error) -> Class {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        // Values of other types than this crate writes.
        return match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => Class::Corrupt,
            _ => Class::Other,
        };
    };
    match (failure.code, failure.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Class::Busy,
        (ErrorCode::ReadOnly, _) => Class::ReadOnly,
        (ErrorCode::DiskFull, _) => Class::Full,
        (ErrorCode::DatabaseCorrupt, _) => Class::Corrupt,
        (ErrorCode::NotADatabase, _) => Class::NotADatabase,
        (ErrorCode::FileLockingProtocolFailed, _)
        | (
            _,
            ffi::SQLITE_IOERR_LOCK
            | ffi::SQLITE_IOERR_RDLOCK
            | ffi::SQLITE_IOERR_UNLOCK
            | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
            | ffi::SQLITE_IOERR_SHMLOCK
            | ffi::SQLITE_IOERR_SHMMAP
            | ffi::SQLITE_IOERR_SHMOPEN
            | ffi::SQLITE_IOERR_SHMSIZE,
        ) => Class::NoLocks,
        _ => Class::Other,
    }
}

impl Fault {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Sqlite(error) => classify(error),
            Self::Busy => Class::Busy,
            Self::Row(_) => Class::Corrupt,
            Self::Io(_) | Self::Stopped | Self::Store(..) => Class::Other,
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let (kind, message) = match fault.class() {
            Class::Busy => (StoreErrorKind::Busy, "another process blocks the deferred writes"),
            Class::ReadOnly => (StoreErrorKind::ReadOnly, "the file of the deferred writes is read-only"),
            Class::Full => (StoreErrorKind::Full, "there is no space left for deferred writes"),
            Class::Corrupt | Class::NotADatabase => {
                (StoreErrorKind::Corrupt, "the file of the deferred writes is corrupt")
            }
            Class::NoLocks => (StoreErrorKind::Unavailable, "the locks of the deferred writes failed"),
            Class::Other => (StoreErrorKind::Unavailable, "the file of the deferred writes cannot be used"),
        };
        match fault {
            Fault::Sqlite(error) => Self::new(kind, message).caused_by(error),
            Fault::Io(error) => Self::new(kind, message).caused_by(error),
            Fault::Row(what) => Self::new(kind, format!("{message}: {what}")),
            Fault::Store(kind, message) => Self::new(kind, message),
            Fault::Busy | Fault::Stopped => Self::new(kind, message),
        }
    }
}

impl From<Fault> for OpenProblem {
    fn from(fault: Fault) -> Self {
        match (fault.class(), fault) {
            (Class::Busy, _) => Self::Busy,
            (Class::ReadOnly, _) => Self::ReadOnly,
            (Class::Full, _) => Self::Full,
            (Class::NotADatabase, _) => Self::NotADatabase,
            (Class::NoLocks, _) => Self::NoLocks,
            (Class::Corrupt, Fault::Sqlite(error)) => Self::Corrupt(error.to_string()),
            (Class::Corrupt, Fault::Row(what)) => Self::Corrupt(what.to_owned()),
            (_, Fault::Sqlite(error)) => Self::Sqlite(error),
            (_, Fault::Io(error)) => Self::Io(error),
            (_, Fault::Store(_, message)) => Self::Io(io::Error::other(message)),
            (_, Fault::Busy | Fault::Stopped | Fault::Row(_)) => Self::Busy,
        }
    }
}
