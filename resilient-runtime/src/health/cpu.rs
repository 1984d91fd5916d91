//! The check of the CPU time that this process uses against its allowance: the quota of the control groups, or else the
//! number of CPUs that it may run on.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::check::CheckResult;
use super::groups;

const WARNS_PER_CENT: f64 = 90.0;
const FAILS_PER_CENT: f64 = 95.0;

/// The CPU time that this process had used at one time.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    at: Instant,
    used: Duration,
}

impl Reading {
    /// Reads the CPU time of this process. Returns `None` if the system has no `/proc`.
    pub(super) fn now(root: &Path) -> Option<Self> {
        Some(Self { used: used(root)?, at: Instant::now() })
    }

    /// Checks the CPU time that was used since an earlier reading. Returns `None` if no time has passed.
    pub(super) fn since(&self, earlier: &Self, root: &Path) -> Option<CheckResult> {
        let passed = self.at.checked_duration_since(earlier.at)?;
        of(self.used.saturating_sub(earlier.used), passed, allowance(root, cpus()))
    }
}

/// Checks the CPU time that was used within some time, where `allowed` CPUs may be used.
fn of(used: Duration, passed: Duration, allowed: f64) -> Option<CheckResult> {
    let whole = passed.as_secs_f64() * allowed;
    if whole <= 0.0 {
        return None;
    }
    let per_cent = used.as_secs_f64() * 100.0 / whole;
    let message = format!("{:.0} % of the CPU time that this process may use", per_cent.floor());
    let result = CheckResult::below(per_cent, WARNS_PER_CENT, FAILS_PER_CENT, message);
    Some(result.details(json!({
        "used_ms": crate::clock::saturating_millis(used),
        "within_ms": crate::clock::saturating_millis(passed),
        "allowed_cpus": allowed,
    })))
}

/// Returns the CPU time that all threads of this process have used.
fn used(root: &Path) -> Option<Duration> {
    let stat = std::fs::read_to_string(root.join("proc/self/stat")).ok()?;
    // The second field, the name of the program, may contain spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    let ticks = user.saturating_add(system);
    let per_second = ticks_per_second().max(1);
    let millis = (ticks % per_second).saturating_mul(1_000) / per_second;
    Some(Duration::from_secs(ticks / per_second) + Duration::from_millis(millis))
}

/// Returns how many CPUs this process may use at most: the lowest quota of all control groups that contain it, or else
/// the number of CPUs that it may run on.
fn allowance(root: &Path, cpus: usize) -> f64 {
    let quotas = groups::around(root, "cpu").into_iter().filter_map(|group| {
        let (quota, period) = if group.is_v2 {
            let both = group.read("cpu.max")?;
            let (quota, period) = both.trim().split_once(' ')?;
            (quota.parse::<u32>().ok()?, period.parse::<u32>().ok()?)
        } else {
            let read = |file| group.read(file)?.trim().parse::<u32>().ok();
            (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?)
        };
        // For no quota, version 2 has the word "max" and version 1 the number -1.
        (quota > 0 && period > 0).then(|| f64::from(quota) / f64::from(period))
    });
    quotas.fold(f64::from(u32::try_from(cpus).unwrap_or(u32::MAX)), f64::min)
}

/// Returns the number of CPUs that this process may run on.
#[cfg(target_os = "linux")]
fn cpus() -> usize {
    // std rounds the quota of a control group down to a whole number of CPUs.
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => usize::try_from(set.count()).unwrap_or(1).max(1),
        Err(_) => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[cfg(not(target_os = "linux"))]
fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the unit of the times in `/proc/self/stat`.
#[cfg(target_os = "linux")]
fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

#[cfg(not(target_os = "linux"))]
const fn ticks_per_second() -> u64 {
    100
}

#[cfg(test)]
mod tests {
    use super::groups::FakeRoot;
    use super::*;
    use crate::outcomes::CheckStatus::{Fail, Pass, Warn};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_uses_cpu_time_and_may_run_somewhere() {
        let root = Path::new("/");
        let before = Reading::now(root).expect("a reading");
        while used(root).is_some_and(|now| now == before.used) {
            std::hint::spin_loop();
        }
        let result = Reading::now(root).expect("a reading").since(&before, root).expect("a result");
        let details = result.details.expect("details");
        assert!(details["used_ms"].as_u64().is_some_and(|used| used > 0), "{details}");
        assert!(details["allowed_cpus"].as_f64().is_some_and(|cpus| cpus > 0.0), "{details}");
    }

    #[test]
    fn from_90_per_cent_on_it_warns_from_95_on_it_fails() {
        let ms = Duration::from_millis;
        for (used, passed, allowed, expected) in [
            (0, 1_000, 1.0, Some(Pass)),
            (899, 1_000, 1.0, Some(Pass)),
            (900, 1_000, 1.0, Some(Warn)),
            (949, 1_000, 1.0, Some(Warn)),
            (950, 1_000, 1.0, Some(Fail)),
            (3_000, 1_000, 1.0, Some(Fail)),
            (950, 1_000, 2.0, Some(Pass)),
            (1_900, 1_000, 2.0, Some(Fail)),
            (230, 1_000, 0.25, Some(Warn)),
            (0, 0, 1.0, None),
            (10, 0, 1.0, None),
            (10, 1_000, 0.0, None),
        ] {
            let found = of(ms(used), ms(passed), allowed).map(|result| result.status);
            assert_eq!(found, expected, "{used} ms of {passed} ms on {allowed}");
        }
        let result = of(ms(460), ms(1_000), 0.5).expect("a result");
        assert_eq!(result.message, "92 % of the CPU time that this process may use");
        let details = json!({ "used_ms": 460, "within_ms": 1_000, "allowed_cpus": 0.5 });
        assert_eq!(result.details, Some(details));
    }

    #[test]
    fn the_time_of_all_threads_is_read_whatever_the_program_is_called() {
        let root = FakeRoot::new("cpu-times");
        assert_eq!(used(&root.0), None);
        let tick = Duration::from_secs(1) / u32::try_from(ticks_per_second()).expect("few");
        for (stat, expected) in [
            ("7 (server) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 3 4 20 0", Some(tick * 300)),
            ("7 (a) b (c)) R 1 7 7 0 -1 4194304 90 0 0 0 1 0 9 9 20 0", Some(tick)),
            ("7 (server) S 1 7 7 0 -1 4194304 90 0 0 0 250", None),
            ("7 (server) S 1 7 7 0 -1 4194304 90 0 0 0 x 50 3 4", None),
            ("", None),
        ] {
            root.write("proc/self/stat", stat);
            assert_eq!(used(&root.0), expected, "{stat}");
        }
        root.write("proc/self/stat", "7 (server) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 3 4 20 0");
        let reading = Reading::now(&root.0).expect("a reading");
        let same = Reading { at: reading.at, used: reading.used };
        assert!(reading.since(&same, &root.0).is_none());
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "quotients of small numbers")]
    fn the_least_quota_of_all_groups_around_it_or_the_number_of_cpus() {
        let v1 = "5:cpu,cpuacct:/docker/one\n4:memory:/docker/one\n";
        let v1_files =
            |quota| [("cpu/docker/one/cpu.cfs_quota_us", quota), ("cpu/docker/one/cpu.cfs_period_us", "100000\n")];
        for (case, groups, files, expected) in [
            ("no groups", "", vec![], 4.0),
            ("v2, its own", "0::/a/b\n", vec![("a/b/cpu.max", "50000 100000\n")], 0.5),
            (
                "v2, around it",
                "0::/a/b\n",
                vec![("a/b/cpu.max", "max 100000\n"), ("a/cpu.max", "150000 100000\n")],
                1.5,
            ),
            ("v2, in a container", "0::/\n", vec![("cpu.max", "20000 10000\n")], 2.0),
            ("v2, no quota", "0::/a\n", vec![("a/cpu.max", "max 100000\n")], 4.0),
            ("v2, more than there are", "0::/a\n", vec![("a/cpu.max", "900000 100000\n")], 4.0),
            ("v2, nonsense", "0::/a\n", vec![("a/cpu.max", "0 0\n")], 4.0),
            ("v2, another's", "0::/a\n", vec![("b/cpu.max", "10000 100000\n")], 4.0),
            ("v1, its own", v1, v1_files("300000\n").to_vec(), 3.0),
            ("v1, no quota", v1, v1_files("-1\n").to_vec(), 4.0),
            (
                "v1, under both names",
                v1,
                vec![("cpu,cpuacct/cpu.cfs_quota_us", "100000\n"), ("cpu,cpuacct/cpu.cfs_period_us", "100000\n")],
                1.0,
            ),
        ] {
            let root = FakeRoot::new("cpu-quota");
            root.write("proc/self/cgroup", groups);
            for (path, text) in files {
                root.write(&format!("sys/fs/cgroup/{path}"), text);
            }
            assert_eq!(allowance(&root.0, 4), expected, "{case}");
        }
    }
}
