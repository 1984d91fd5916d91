//! The store of deferred writes: an SQLite file.

use std::{env, error::Error};

use resilient_sqlite::SqliteStore;
use tempfile::{Builder, TempDir};

/// The variable with the path of the file.
const PATH: &str = "RESILIENT_DEFERRED_PATH";

/// Opens the file that `RESILIENT_DEFERRED_PATH` names. Without the variable, the demo uses a temporary folder, which is
/// deleted with the second value.
pub(crate) fn open(demo: bool) -> Result<(SqliteStore, Option<TempDir>), Box<dyn Error>> {
    if !demo || env::var_os(PATH).is_some_and(|path| !path.is_empty()) {
        return Ok((SqliteStore::from_env()?, None));
    }
    let (store, folder) = temporary()?;
    Ok((store, Some(folder)))
}

/// Creates a store in a temporary folder, which is deleted with the second value.
pub(crate) fn temporary() -> Result<(SqliteStore, TempDir), Box<dyn Error>> {
    let folder = private_folder()?;
    Ok((SqliteStore::open(folder.path().join("deferred.db"))?, folder))
}

/// Creates a folder that other users can neither read nor write, as the store requires.
fn private_folder() -> std::io::Result<TempDir> {
    let mut builder = Builder::new();
    builder.prefix("deferred-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}
