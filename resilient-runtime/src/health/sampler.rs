//! The thread that samples CPU and disk for the reports.
//!
//! A thread and not a task, because a file system that hangs blocks its reader, and because a task would get no turn
//! while the CPU is busy. Reports read the last sample.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use resilient_policy::format_duration;
use serde_json::json;

use super::check::CheckResult;
use super::cpu::Reading;
use super::disk::disk;

/// The time between two samples, over which the share of CPU time is computed.
const INTERVAL: Duration = Duration::from_secs(10);
/// The age from which a sample says nothing about the present.
const LONGEST: Duration = Duration::from_secs(60);

/// Samples CPU and disk every 10 s until it is dropped.
pub(super) struct Sampler {
    samples: Arc<Mutex<Samples>>,
    /// Ends the thread when it is dropped.
    _stop: Sender<()>,
}

/// The last samples, each with its time.
struct Samples {
    started: Instant,
    cpu: Option<(Instant, CheckResult)>,
    disk: Option<(Instant, CheckResult)>,
}

impl Sampler {
    /// Starts the thread. Returns `None`, and logs it once, if the system has no `/proc` to sample.
    pub(super) fn start(path: &Path) -> Option<Self> {
        let started = if cfg!(target_os = "linux") { Self::start_in("/".into(), path.into()) } else { None };
        if started.is_none() {
            static LOGGED: Once = Once::new();
            LOGGED.call_once(|| {
                let checks = "cpu, disk";
                tracing::info!(event = "health.absent", checks, "these checks need Linux and its /proc");
            });
        }
        started
    }

    fn start_in(root: PathBuf, path: PathBuf) -> Option<Self> {
        let first = Reading::now(&root)?;
        let samples = Arc::new(Mutex::new(Samples { started: Instant::now(), cpu: None, disk: None }));
        let (stop, stopped) = channel();
        let of_thread = Arc::clone(&samples);
        let run = move || sample(&of_thread, &root, &path, first, &stopped);
        std::thread::Builder::new().name("resilient-health".into()).spawn(run).ok()?;
        Some(Self { samples, _stop: stop })
    }

    /// Returns the results of the checks from the last samples.
    pub(super) fn results(&self) -> [(&'static str, CheckResult); 2] {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        [("cpu", samples.cpu()), ("disk", samples.disk())]
    }
}

impl Samples {
    fn cpu(&self) -> CheckResult {
        match &self.cpu {
            Some((at, result)) if at.elapsed() < LONGEST => result.clone(),
            _ => unknown(),
        }
    }

    fn disk(&self) -> CheckResult {
        match &self.disk {
            Some((at, result)) if at.elapsed() < LONGEST => result.clone(),
            None if self.started.elapsed() < LONGEST => unknown(),
            last => {
                let since = last.as_ref().map_or(self.started, |(at, _)| *at);
                let seconds = Duration::from_secs(since.elapsed().as_secs());
                CheckResult::fail(format!("the file system has not answered for {}", format_duration(seconds)))
            }
        }
    }
}

/// The result of a check without a sample.
fn unknown() -> CheckResult {
    CheckResult::pass("not known yet").details(json!({ "is_known": false }))
}

/// Samples until the sampler is dropped.
fn sample(samples: &Mutex<Samples>, root: &Path, path: &Path, mut before: Reading, stopped: &Receiver<()>) {
    let lock = || samples.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let found = disk(path);
        lock().disk = Some((Instant::now(), found));
        let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) else { return };
        if let Some(now) = Reading::now(root) {
            if let Some(found) = now.since(&before, root) {
                lock().cpu = Some((Instant::now(), found));
            }
            before = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::FakeRoot;
    use super::*;
    use crate::outcomes::CheckStatus::{Fail, Pass, Warn};

    #[test]
    fn without_proc_there_is_nothing_to_sample() {
        let root = FakeRoot::new("no-proc");
        assert!(Sampler::start_in(root.0.clone(), ".".into()).is_none());
    }

    #[test]
    fn the_first_report_says_that_the_cpu_is_not_known_yet_and_the_thread_ends_with_the_sampler() {
        let root = FakeRoot::new("sampler");
        root.write("proc/self/stat", "7 (server) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 3 4 20 0");
        let sampler = Sampler::start_in(root.0.clone(), root.0.clone()).expect("a sampler");
        let [(name, cpu), (other, _)] = sampler.results();
        assert_eq!((name, other), ("cpu", "disk"));
        assert_eq!(cpu, CheckResult::pass("not known yet").details(json!({ "is_known": false })));
        let samples = Arc::downgrade(&sampler.samples);
        drop(sampler);
        let until = Instant::now() + Duration::from_secs(5);
        while samples.strong_count() > 0 {
            assert!(Instant::now() < until, "the thread does not end");
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_old_sample_is_not_shown_and_a_file_system_that_hangs_fails() {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
        let Some((minutes, seconds)) = ago(70).zip(ago(50)) else { return };
        let result = CheckResult::warn("");
        let of = |started, at: Option<Instant>| {
            let sample = at.map(|at| (at, result.clone()));
            let samples = Samples { started, cpu: sample.clone(), disk: sample };
            (samples.cpu().status, samples.disk().status, samples.disk().message)
        };
        assert_eq!(of(minutes, Some(seconds)), (Warn, Warn, String::new()));
        assert_eq!(of(seconds, None), (Pass, Pass, "not known yet".into()));
        let hangs = "the file system has not answered for 70s";
        assert_eq!(of(minutes, None), (Pass, Fail, hangs.into()));
        assert_eq!(of(minutes, Some(minutes)), (Pass, Fail, hangs.into()));
    }
}
