//! The check of resident memory against the limit of the control group.

use std::path::Path;

use serde_json::json;

use super::check::CheckResult;
use super::groups;

const WARNS_PER_CENT: u64 = 80;
const FAILS_PER_CENT: u64 = 95;

/// Checks the memory. Returns `None` if no limit is set or the system does not report one.
pub(super) fn memory() -> Option<CheckResult> {
    Some(of(resident()?, limit(Path::new("/"))?))
}

/// Returns the limit of the memory of this process in bytes. `None` if no limit is set or the system does not report one.
#[cfg(all(feature = "prometheus", target_os = "linux"))]
pub(crate) fn memory_limit() -> Option<u64> {
    limit(Path::new("/"))
}

/// Returns the resident memory as a share of the limit, or of the memory of the machine if no limit is set. `None` if the
/// system does not report them.
#[cfg(feature = "alerts")]
pub(crate) fn memory_share() -> Option<f64> {
    let limit = limit(Path::new("/")).or_else(|| kib_of("/proc/meminfo", "MemTotal:"))?;
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = resident()? as f64 / limit.max(1) as f64;
    Some(share)
}

fn of(resident: u64, limit: u64) -> CheckResult {
    let per_cent = resident.saturating_mul(100) / limit.max(1);
    let message = format!("{per_cent} % of the memory that this process may have");
    let result = CheckResult::below(per_cent, WARNS_PER_CENT, FAILS_PER_CENT, message);
    result.details(json!({ "resident_bytes": resident, "limit_bytes": limit }))
}

/// Returns the resident memory of this process in bytes, as reported by Linux.
fn resident() -> Option<u64> {
    kib_of("/proc/self/status", "VmRSS:")
}

/// Reads a size in KiB, and returns it in bytes.
fn kib_of(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

/// Returns the lowest limit of all control groups (version 1 or 2) that contain this process.
fn limit(root: &Path) -> Option<u64> {
    let limits = groups::around(root, "memory").into_iter().filter_map(|group| {
        let file = if group.is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        group.read(file)?.trim().parse().ok()
    });
    // For no limit, version 2 has the word "max" and version 1 the largest number of pages.
    limits.min().filter(|limit| *limit < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::groups::FakeRoot;
    use super::*;
    use crate::outcomes::CheckStatus::{Fail, Pass, Warn};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_memory() {
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn from_80_per_cent_on_it_warns_from_95_on_it_fails() {
        for (resident, limit, expected) in [
            (0, 1_000, Pass),
            (799, 1_000, Pass),
            (800, 1_000, Warn),
            (949, 1_000, Warn),
            (950, 1_000, Fail),
            (2_000, 1_000, Fail),
            (1, 0, Fail),
        ] {
            let found = of(resident, limit);
            assert_eq!(found.status, expected, "{resident} of {limit}: {found:?}");
        }
        assert_eq!(of(79, 100).message, "79 % of the memory that this process may have");
    }

    #[test]
    fn the_least_limit_of_all_groups_around_it_holds() {
        const NONE: &str = "9223372036854771712\n";
        let v1 = "5:cpu,cpuacct:/other\n4:hugetlb,memory:/docker/one\n1:name=systemd:/docker/one\n";
        for (case, groups, files, expected) in [
            ("no groups", "", &[][..], None),
            ("v2, its own", "0::/a/b\n", &[("a/b/memory.max", "300\n")][..], Some(300)),
            ("v2, around it", "0::/a/b\n", &[("a/b/memory.max", "max\n"), ("a/memory.max", "200\n")], Some(200)),
            ("v2, the least", "0::/a/b\n", &[("a/b/memory.max", "300\n"), ("a/memory.max", "400\n")], Some(300)),
            ("v2, in a container", "0::/\n", &[("memory.max", "100\n")], Some(100)),
            ("v2, without a limit", "0::/a\n", &[("a/memory.max", "max\n")], None),
            ("v2, another's", "0::/a\n", &[("b/memory.max", "100\n"), ("a/memory.high", "50\n")], None),
            ("v1, its own", v1, &[("memory/docker/one/memory.limit_in_bytes", "300\n")], Some(300)),
            ("v1, around it", v1, &[("memory/docker/memory.limit_in_bytes", "200\n")], Some(200)),
            ("v1, in a container", v1, &[("memory/memory.limit_in_bytes", "100\n")], Some(100)),
            ("v1, without a limit", v1, &[("memory/memory.limit_in_bytes", NONE)], None),
            ("v1, another's", v1, &[("memory/other/memory.limit_in_bytes", "100\n")], None),
            (
                "both",
                "1:memory:/a\n0::/b\n",
                &[("memory/a/memory.limit_in_bytes", NONE), ("b/memory.max", "100\n")],
                Some(100),
            ),
        ] {
            let root = FakeRoot::new("memory");
            root.write("proc/self/cgroup", groups);
            for (path, text) in files {
                root.write(&format!("sys/fs/cgroup/{path}"), text);
            }
            let found = limit(&root.0);
            assert_eq!(found, expected, "{case}");
        }
    }
}
