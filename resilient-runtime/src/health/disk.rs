//! The check of the space that is used on a file system.

use std::io;
use std::path::Path;

use serde_json::json;

use super::check::CheckResult;

const WARNS_PER_CENT: u128 = 95;
const FAILS_PER_CENT: u128 = 98;

/// The space of a file system, in bytes. Space that only the superuser may use counts for neither.
struct Space {
    used: u64,
    available: u64,
}

/// Checks the file system of this path. Blocks as long as the file system does.
pub(super) fn disk(path: &Path) -> CheckResult {
    match space(path) {
        Ok(space) => of(&space),
        Err(error) => CheckResult::warn(format!("the file system cannot be read: {error}")),
    }
}

// Clients of the tools for operators read the result, so that it does not contain the path.
fn of(&Space { used, available }: &Space) -> CheckResult {
    let whole = u128::from(used) + u128::from(available);
    // Some file systems have no blocks.
    let per_cent = u128::from(used) * 100 / whole.max(1);
    let message = format!("{per_cent} % of the file system is used");
    let result = CheckResult::below(per_cent, WARNS_PER_CENT, FAILS_PER_CENT, message);
    result.details(json!({ "used_bytes": used, "available_bytes": available }))
}

#[cfg(target_os = "linux")]
fn space(path: &Path) -> io::Result<Space> {
    let read = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(read.f_frsize);
    Ok(Space { used: bytes(read.f_blocks.saturating_sub(read.f_bfree)), available: bytes(read.f_bavail) })
}

#[cfg(not(target_os = "linux"))]
fn space(_: &Path) -> io::Result<Space> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcomes::CheckStatus::{Fail, Pass, Warn};

    #[test]
    fn from_95_per_cent_on_it_warns_from_98_on_it_fails() {
        for (used, available, expected) in [
            (0, 0, Pass),
            (0, 1_000, Pass),
            (949, 51, Pass),
            (950, 50, Warn),
            (979, 21, Warn),
            (980, 20, Fail),
            (1, 0, Fail),
            (u64::MAX, u64::MAX, Pass),
        ] {
            let found = of(&Space { used, available });
            assert_eq!(found.status, expected, "{used}, {available}: {found:?}");
        }
        let found = of(&Space { used: 97, available: 3 });
        assert_eq!(found.message, "97 % of the file system is used");
        let details = json!({ "used_bytes": 97, "available_bytes": 3 });
        assert_eq!(found.details, Some(details));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_file_system_of_a_path_has_space_and_one_that_is_not_there_is_a_warning() {
        let here = disk(Path::new("."));
        let details = here.details.expect("details");
        assert!(details["used_bytes"].as_u64().is_some_and(|used| used > 0), "{details}");
        let none = disk(Path::new("/no/such/path"));
        assert_eq!(none.status, Warn);
        assert!(none.message.contains("No such file"), "{}", none.message);
    }
}
