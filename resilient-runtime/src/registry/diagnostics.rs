//! Problems with settings. They are collected for the report at start-up and logged after that.

use std::collections::HashSet;

#[cfg(feature = "config")]
use resilient_policy::FileProblem;

use super::Registry;
use super::declared::Settings;

/// The maximum number of messages that are kept and logged. Guards that are created at run time could cause an
/// unlimited number of them.
const MOST: usize = 100;

#[derive(Default)]
pub(super) struct Diagnostics {
    /// Whether a report is in progress.
    is_reported: bool,
    /// Contradictions between declarations in the code.
    conflicts: Vec<String>,
    /// The declarations that were already reported as a contradiction, for whichever function.
    contradictions: Vec<(&'static str, &'static str, Settings)>,
    #[cfg(feature = "config")]
    problems: Vec<FileProblem>,
    known: HashSet<String>,
    unlogged: Vec<String>,
    /// Messages that no report at start-up contained, for tests.
    #[cfg(feature = "testing")]
    unreported: Vec<String>,
}

impl Diagnostics {
    /// Records a message. Returns whether it is new and there is room for it.
    pub(super) fn record(&mut self, line: &str) -> bool {
        let is_new = self.known.len() < MOST && self.known.insert(line.to_owned());
        if is_new && !self.is_reported {
            self.unlogged.push(line.to_owned());
            #[cfg(feature = "testing")]
            self.unreported.push(line.to_owned());
        }
        is_new
    }
}

impl Registry {
    /// Records a contradiction in the code.
    pub(super) fn conflict(&self, conflict: String) {
        let diagnostics = &mut self.lock().diagnostics;
        if diagnostics.record(&conflict) {
            diagnostics.conflicts.push(conflict);
        }
    }

    /// Like [`conflict`](Self::conflict), but only once for the same declaration.
    pub(super) fn contradiction(&self, what: (&'static str, &'static str, Settings), conflict: String) {
        let mut inner = self.lock();
        let reported = &mut inner.diagnostics.contradictions;
        if reported.len() < MOST && !reported.contains(&what) {
            reported.push(what);
            drop(inner);
            self.conflict(conflict);
        }
    }

    /// Records problems with overrides.
    #[cfg(feature = "config")]
    pub(super) fn note(&self, problems: Vec<FileProblem>) {
        let diagnostics = &mut self.lock().diagnostics;
        if diagnostics.is_reported {
            diagnostics.problems.extend(problems);
        } else {
            for problem in &problems {
                diagnostics.record(&problem.to_string());
            }
        }
    }

    /// Logs the problems that were not reported. Must not be called during a binding, since log subscribers may call
    /// guarded functions.
    pub(crate) fn log_diagnostics(&self) {
        let unlogged = std::mem::take(&mut self.lock().diagnostics.unlogged);
        for line in unlogged {
            tracing::error!(event = "config.invalid", "{line}");
        }
    }

    /// Returns the problems with the settings of functions that no report contained.
    #[cfg(feature = "testing")]
    pub(crate) fn unreported(&self) -> Vec<String> {
        self.lock().diagnostics.unreported.clone()
    }

    /// Begins a report: from now on, problems are collected instead of logged.
    #[cfg(feature = "config")]
    pub(super) fn begin_report(&self) {
        self.lock().diagnostics.is_reported = true;
    }

    /// Ends the report and returns its problems: those of the overrides, and those of the code.
    #[cfg(feature = "config")]
    pub(crate) fn end_report(&self) -> (Vec<FileProblem>, Vec<String>) {
        let diagnostics = &mut self.lock().diagnostics;
        diagnostics.is_reported = false;
        #[cfg(feature = "testing")]
        diagnostics.unreported.clear();
        (std::mem::take(&mut diagnostics.problems), diagnostics.conflicts.clone())
    }
}
