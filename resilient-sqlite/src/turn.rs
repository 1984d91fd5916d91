//! The turnstile before the write lock.
//!
//! SQLite's own lock is unfair: a process that writes in a loop takes it again before a waiting one looks. A writer
//! first passes the turnstile, a lock of a second file, and keeps it until it has the write lock. So a
//! process that has just written queues behind the one that waits.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::Fault;

/// The lock of one connection. It is not available on systems without `flock`, where writers are not fair.
#[derive(Debug)]
pub(crate) struct Turnstile {
    #[cfg(unix)]
    file: File,
}

#[cfg(unix)]
impl Turnstile {
    /// Opens the file beside a database, and creates it if it is missing.
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;

        let mut path = database.as_os_str().to_owned();
        path.push("-turn");
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Self { file })
    }

    /// Takes the lock if it is free.
    pub(crate) fn pass(&self) -> Result<Option<Turn<'_>>, Fault> {
        use rustix::fs::{FlockOperation, flock};
        use rustix::io::Errno;

        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Turn(self))),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
            Err(error) => Err(Fault::Io(error.into())),
        }
    }

    /// Returns whether two openings of the file exclude each other, as they must.
    pub(crate) fn works(database: &Path) -> io::Result<bool> {
        let (first, second) = (Self::open(database)?, Self::open(database)?);
        let Ok(held) = first.pass() else { return Ok(false) };
        // If it is held by another process, locks work.
        Ok(held.is_none() || matches!(second.pass(), Ok(None)))
    }
}

#[cfg(not(unix))]
impl Turnstile {
    pub(crate) fn open(_: &Path) -> io::Result<Self> {
        Ok(Self {})
    }

    pub(crate) fn pass(&self) -> Result<Option<Turn<'_>>, Fault> {
        Ok(Some(Turn(self)))
    }

    pub(crate) fn works(_: &Path) -> io::Result<bool> {
        Ok(true)
    }
}

/// The lock while it is held.
#[derive(Debug)]
pub(crate) struct Turn<'a>(#[cfg_attr(not(unix), expect(dead_code, reason = "nothing to release"))] &'a Turnstile);

#[cfg(unix)]
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // The only error is a bad descriptor, and closing the file also releases the lock.
        let _ = rustix::fs::flock(&self.0.file, rustix::fs::FlockOperation::Unlock);
    }
}
