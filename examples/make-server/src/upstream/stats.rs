//! The counters of the upstream, such as requests and abandoned requests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::phase::{Fault, Phase};

/// Counters of one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests to Make's routes that arrived.
    pub requests: u64,
    /// Requests whose client disconnected before the response.
    pub abandoned: u64,
    /// Requests to run a scenario, executed or not.
    pub runs: u64,
    /// Responses with the header that makes the tool panic.
    pub panics: u64,
}

/// The body of `GET /demo/stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The current phase.
    pub phase: String,
    /// The number of phase changes. The data depend on it.
    pub revision: u64,
    /// Running requests.
    pub in_flight: u64,
    /// Counters over all phases.
    pub total: Counts,
    /// Counters by the phase in which the request arrived.
    pub phases: BTreeMap<String, Counts>,
    /// Execution id and scenario of each executed run.
    pub executions: BTreeMap<String, u64>,
}

/// The counters and the phase behind them.
pub(super) struct Ledger {
    book: Mutex<Book>,
}

struct Book {
    phase: Phase,
    revision: u64,
    in_flight: u64,
    phases: BTreeMap<Phase, Counts>,
    executions: BTreeMap<String, u64>,
    /// The execution of each scenario and key.
    keys: BTreeMap<(u64, String), String>,
}

/// One recorded request.
pub(super) struct Entry {
    pub(super) phase: Phase,
    /// Its number in its phase, from 0.
    pub(super) number: u64,
}

impl Ledger {
    pub(super) fn new(phase: Phase) -> Self {
        let (phases, executions, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let book = Book { phase, revision: 0, in_flight: 0, phases, executions, keys };
        Self { book: Mutex::new(book) }
    }

    /// Changes the phase and returns the new revision.
    pub(super) fn enter(&self, phase: Phase) -> u64 {
        let mut book = self.book();
        book.phase = phase;
        book.revision += 1;
        book.revision
    }

    pub(super) fn revision(&self) -> u64 {
        self.book().revision
    }

    pub(super) fn arrived(&self, run: bool) -> Entry {
        let mut book = self.book();
        let phase = book.phase;
        book.in_flight += 1;
        let counts = book.phases.entry(phase).or_default();
        let number = counts.requests;
        counts.requests += 1;
        counts.runs += u64::from(run);
        Entry { phase, number }
    }

    pub(super) fn done(&self, entry: &Entry, fault: Fault) {
        let mut book = self.book();
        book.in_flight -= 1;
        book.phases.entry(entry.phase).or_default().panics += u64::from(fault == Fault::ToolPanic);
    }

    pub(super) fn abandoned(&self, entry: &Entry) {
        let mut book = self.book();
        book.in_flight -= 1;
        book.phases.entry(entry.phase).or_default().abandoned += 1;
    }

    /// Records an executed run, unless one with the same key was executed. The id proves the execution to the client.
    pub(super) fn executed(&self, scenario: u64, key: Option<&str>) -> String {
        let mut book = self.book();
        let key = key.map(|key| (scenario, key.to_owned()));
        if let Some(known) = key.as_ref().and_then(|key| book.keys.get(key)) {
            return known.clone();
        }
        let number = u64::try_from(book.executions.len()).unwrap_or(u64::MAX);
        let id = super::data::execution_id(scenario, number);
        book.executions.insert(id.clone(), scenario);
        if let Some(key) = key {
            book.keys.insert(key, id.clone());
        }
        id
    }

    pub(super) fn stats(&self) -> Stats {
        let book = self.book();
        let mut total = Counts::default();
        for counts in book.phases.values() {
            total.requests += counts.requests;
            total.abandoned += counts.abandoned;
            total.runs += counts.runs;
            total.panics += counts.panics;
        }
        Stats {
            phase: book.phase.to_string(),
            revision: book.revision,
            in_flight: book.in_flight,
            total,
            phases: book.phases.iter().map(|(phase, counts)| (phase.to_string(), counts.clone())).collect(),
            executions: book.executions.clone(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic leaves no counter half updated, so poisoning is ignored.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
