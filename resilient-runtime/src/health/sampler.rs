//! The threads that sample CPU and disk for the reports.
//!
//! Threads and not tasks, because a file system that hangs blocks its reader, and because a task would get no turn while
//! the CPU is busy. Reports read the last samples.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
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
    root: PathBuf,
    path: PathBuf,
    threads: Mutex<Threads>,
}

/// The threads that run. Dropping the sender ends the thread.
#[derive(Default)]
struct Threads {
    cpu: Option<Sender<()>>,
    disk: Option<Sender<()>>,
}

/// The last samples, each with its time.
struct Samples {
    started: Instant,
    cpu: Option<(Instant, CheckResult)>,
    disk: Option<(Instant, CheckResult)>,
}

/// What a thread does.
type Work = Box<dyn FnOnce() + Send>;

impl Sampler {
    /// Prepares the threads. Returns `None`, and logs it once, if the system has no `/proc` to sample.
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
        Reading::now(&root)?;
        let samples = Arc::new(Mutex::new(Samples { started: Instant::now(), cpu: None, disk: None }));
        Some(Self { samples, root, path, threads: Mutex::default() })
    }

    /// Returns the results of the checks from the last samples.
    pub(super) fn results(&self) -> [(&'static str, CheckResult); 2] {
        self.begin(|name, work| std::thread::Builder::new().name(name.into()).spawn(work).map(drop));
        let samples = lock(&self.samples);
        [("cpu", samples.cpu()), ("disk", samples.disk())]
    }

    /// Starts the threads that do not run. If the system has none left, the next report tries it again.
    fn begin(&self, spawn: impl Fn(&'static str, Work) -> io::Result<()>) {
        let mut threads = lock(&self.threads);
        let samples = || Arc::clone(&self.samples);
        if threads.cpu.is_none()
            && let Some(first) = Reading::now(&self.root)
        {
            let (stop, stopped) = channel();
            let (samples, root) = (samples(), self.root.clone());
            let work = move || sample_cpu(&samples, &root, first, &stopped);
            threads.cpu = spawn("resilient-cpu", Box::new(work)).ok().map(|()| stop);
        }
        if threads.disk.is_none() {
            let (stop, stopped) = channel();
            let (samples, path) = (samples(), self.path.clone());
            let work = move || sample_disk(&samples, &path, &stopped);
            threads.disk = spawn("resilient-disk", Box::new(work)).ok().map(|()| stop);
        }
    }
}

impl Samples {
    fn cpu(&self) -> CheckResult {
        match &self.cpu {
            Some((at, result)) if at.elapsed() < LONGEST => result.clone(),
            None if self.started.elapsed() < LONGEST => unknown(),
            last => CheckResult::warn(format!("not known for {}", self.without(last.as_ref())))
                .details(json!({ "is_known": false })),
        }
    }

    fn disk(&self) -> CheckResult {
        match &self.disk {
            Some((at, result)) if at.elapsed() < LONGEST => result.clone(),
            None if self.started.elapsed() < LONGEST => unknown(),
            last => {
                let time = self.without(last.as_ref());
                CheckResult::fail(format!("the file system has not answered for {time}"))
            }
        }
    }

    /// Returns the time without a sample.
    fn without(&self, last: Option<&(Instant, CheckResult)>) -> String {
        let since = last.map_or(self.started, |(at, _)| *at);
        format_duration(Duration::from_secs(since.elapsed().as_secs()))
    }
}

/// The result of a check without a sample.
fn unknown() -> CheckResult {
    CheckResult::pass("not known yet").details(json!({ "is_known": false }))
}

/// Samples the CPU until the sampler is dropped.
fn sample_cpu(samples: &Mutex<Samples>, root: &Path, mut before: Reading, stopped: &Receiver<()>) {
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        if let Some(now) = Reading::now(root) {
            if let Some(found) = now.since(&before, root) {
                lock(samples).cpu = Some((Instant::now(), found));
            }
            before = now;
        }
    }
}

/// Samples the disk until the sampler is dropped.
fn sample_disk(samples: &Mutex<Samples>, path: &Path, stopped: &Receiver<()>) {
    loop {
        let found = disk(path);
        lock(samples).disk = Some((Instant::now(), found));
        if stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let of_thread = Arc::downgrade(&sampler.samples);
        drop(sampler);
        let until = Instant::now() + Duration::from_secs(5);
        while of_thread.strong_count() > 0 {
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
        assert_eq!(of(minutes, None), (Warn, Fail, hangs.into()));
        assert_eq!(of(minutes, Some(minutes)), (Warn, Fail, hangs.into()));
        let samples = Samples { started: minutes, cpu: Some((minutes, CheckResult::pass(""))), disk: None };
        assert_eq!(samples.cpu().message, "not known for 70s");
    }

    #[test]
    fn a_file_system_that_hangs_has_its_own_thread_and_a_thread_that_the_system_refuses_is_tried_again() {
        let root = FakeRoot::new("threads");
        root.write("proc/self/stat", "7 (server) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 3 4 20 0");
        let sampler = Sampler::start_in(root.0.clone(), root.0.clone()).expect("a sampler");
        let begun = Mutex::new(Vec::new());
        let spawn = |refused: &'static str| {
            let begun = &begun;
            move |name: &'static str, _: Work| {
                lock(begun).push(name);
                if name == refused { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            }
        };
        sampler.begin(spawn("resilient-cpu"));
        sampler.begin(spawn("none"));
        sampler.begin(spawn("none"));
        assert_eq!(*lock(&begun), ["resilient-cpu", "resilient-disk", "resilient-cpu"]);
    }
}
