//! A store of deferred writes in an SQLite file, for [`resilient_runtime::deferred`].
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("deferred.db");
//! use resilient_sqlite::SqliteStore;
//!
//! let store = SqliteStore::open(&path)?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```
//!
//! Several processes can open one file: a stdio server is one process for each client. Use a file on a local disk;
//! network file systems often have no reliable locks.
//!
//! # Durability
//!
//! The file is in WAL mode with `synchronous = FULL`: what the store has accepted is on disk, and survives a crash of
//! the process and of the machine. Each change is one short transaction. Processes that write at the same time take
//! turns, so that none starves.
//!
//! # The file
//!
//! The file contains arguments and principals in clear text, which deliveries need. It is created with the permissions
//! 0600. The store refuses a folder that other users can write, and a file that they can read. Beside the file are
//! those of SQLite (`-wal`, `-shm`) and `-turn`, an empty file for locks. To delete a store, stop all its processes and
//! delete all four.
//!
//! Erased data is overwritten with zeros, in the file itself at the latest when the last process closes it.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod link;
mod open;
mod put;
mod queries;
mod rows;
mod schema;
mod store;
mod turn;

pub use error::{OpenError, OpenProblem};
pub use store::SqliteStore;
