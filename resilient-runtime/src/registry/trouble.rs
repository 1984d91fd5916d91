//! What is wrong with settings: collected for the report at start, and told by the log once nobody
//! reports any more.

use std::collections::HashSet;

#[cfg(feature = "config")]
use resilient_policy::FileProblem;

use super::Registry;
use super::declared::Settings;

/// The most lines that are kept, and told: guards that are made while the server runs may be wrong
/// without end.
const MOST: usize = 100;

#[derive(Default)]
pub(super) struct Trouble {
    /// Whether a report is being made.
    is_reported: bool,
    /// Where the code contradicts itself.
    conflicts: Vec<String>,
    /// What of that was told, whichever function it was found at.
    contradictions: Vec<(&'static str, &'static str, Settings)>,
    #[cfg(feature = "config")]
    problems: Vec<FileProblem>,
    known: HashSet<String>,
    untold: Vec<String>,
    /// What no report at start has said, for the lab of a test.
    #[cfg(feature = "testing")]
    unreported: Vec<String>,
}

impl Trouble {
    /// Whether this is new, and there is room for it.
    fn take(&mut self, line: &str) -> bool {
        let is_new = self.known.len() < MOST && self.known.insert(line.to_owned());
        if is_new && !self.is_reported {
            self.untold.push(line.to_owned());
            #[cfg(feature = "testing")]
            self.unreported.push(line.to_owned());
        }
        is_new
    }
}

impl Registry {
    /// Notes that the code contradicts itself.
    pub(super) fn conflict(&self, conflict: String) {
        let trouble = &mut self.lock().trouble;
        if trouble.take(&conflict) {
            trouble.conflicts.push(conflict);
        }
    }

    /// The same, once for these settings of this thing.
    pub(super) fn contradiction(&self, what: (&'static str, &'static str, Settings), conflict: String) {
        let mut inner = self.lock();
        let told = &mut inner.trouble.contradictions;
        if told.len() < MOST && !told.contains(&what) {
            told.push(what);
            drop(inner);
            self.conflict(conflict);
        }
    }

    /// Notes what is wrong with what was set.
    #[cfg(feature = "config")]
    pub(super) fn note(&self, problems: Vec<FileProblem>) {
        let trouble = &mut self.lock().trouble;
        if trouble.is_reported {
            trouble.problems.extend(problems);
        } else {
            for problem in &problems {
                trouble.take(&problem.to_string());
            }
        }
    }

    /// Logs what nobody has reported. Not to be called while anything is being bound: whoever listens
    /// may call guarded functions.
    pub(crate) fn tell(&self) {
        let untold = std::mem::take(&mut self.lock().trouble.untold);
        for line in untold {
            tracing::error!(event = "config.invalid", "{line}");
        }
    }

    /// What is wrong with the settings of functions, and was in no report.
    #[cfg(feature = "testing")]
    pub(crate) fn unreported(&self) -> Vec<String> {
        self.lock().trouble.unreported.clone()
    }

    /// Keeps everything for a report from now on.
    #[cfg(feature = "config")]
    pub(super) fn begin_report(&self) {
        self.lock().trouble.is_reported = true;
    }

    /// What was wrong so far: with what was set, and with the code.
    #[cfg(feature = "config")]
    pub(crate) fn end_report(&self) -> (Vec<FileProblem>, Vec<String>) {
        let trouble = &mut self.lock().trouble;
        trouble.is_reported = false;
        #[cfg(feature = "testing")]
        trouble.unreported.clear();
        (std::mem::take(&mut trouble.problems), trouble.conflicts.clone())
    }
}
