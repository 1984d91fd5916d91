//! Errors by code and by OpenTelemetry error type. A tool has few of either.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use resilient_policy::{ErrorKind, Severity};

use super::histogram::{Histogram, HistogramSnapshot};
use super::last_day::{Hours, LastDay, add};
use crate::clock::Moment;
use crate::outcomes::Outcome;

/// The maximum number of codes, or of types, that are counted separately per tool.
const MOST: usize = 64;

/// The label for codes and types beyond [`MOST`].
const OTHER: &str = "_OTHER";

/// The type of an operation's error, as defined by the OpenTelemetry conventions for MCP.
///
/// ```
/// assert_eq!(resilient_runtime::statistics::ErrorType::Code(-32603).as_text(), "-32603");
/// assert_eq!(resilient_runtime::statistics::ErrorType::ToolError.as_text(), "tool_error");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorType {
    /// The tool's response reports an error.
    ToolError,
    /// The call timed out.
    Timeout,
    /// The client cancelled the call.
    Cancelled,
    /// A JSON-RPC error whose code does not blame the caller.
    Code(i32),
    /// Any code beyond those that are counted separately.
    Other,
}

impl ErrorType {
    /// Returns the type for an operation that ended without a JSON-RPC error, or `None` if the outcome is no error.
    pub(crate) const fn of_outcome(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Ok | Outcome::Fallback | Outcome::Deferred => None,
            Outcome::Timeout => Some(Self::Timeout),
            Outcome::Cancelled => Some(Self::Cancelled),
            Outcome::Error | Outcome::Rejected | Outcome::Panic => Some(Self::ToolError),
        }
    }

    /// Returns the type of a JSON-RPC error, or `None` if the caller is at fault: the conventions do not count that
    /// as an error of the server.
    pub(crate) const fn of_code(code: i32) -> Option<Self> {
        match code {
            -32700 | -32600 | -32601 | -32602 | -32002 => None,
            code => Some(Self::Code(code)),
        }
    }

    /// Returns the word used in spans and metrics.
    #[must_use]
    pub fn as_text(self) -> Cow<'static, str> {
        match self {
            Self::ToolError => "tool_error".into(),
            Self::Timeout => "timeout".into(),
            Self::Cancelled => "cancelled".into(),
            Self::Code(code) => code.to_string().into(),
            Self::Other => OTHER.into(),
        }
    }
}

/// The number of calls of a tool that ended with a given error code.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// # use resilient_runtime::{Registry, ResilienceError, resilient};
/// # #[resilient(name = "counts")]
/// # async fn ask() -> Result<u32, ResilienceError> { panic!("a bug") }
/// # std::panic::set_hook(Box::new(|_| {}));
/// # ask().await.unwrap_err();
/// let counted = Registry::global().function("counts").unwrap();
/// assert_eq!((&*counted.errors[0].code, counted.errors[0].count), ("INTERNAL", 1));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorCount {
    /// The code of the error, or `_OTHER`.
    pub code: Arc<str>,
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The severity of the error.
    pub severity: Severity,
    /// The number of calls.
    pub count: u64,
    /// The time of the first error.
    pub first: SystemTime,
    /// The time of the last error.
    pub last: SystemTime,
}

/// The errors of one tool.
#[derive(Default)]
pub(super) struct Failures(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    errors: Vec<CountedError>,
    durations: Vec<(ErrorType, Arc<Histogram>)>,
}

/// The errors with one code, kind and severity.
struct CountedError {
    count: ErrorCount,
    last_day: Box<LastDay>,
}

impl Inner {
    /// Counts an error and returns the code that it is counted under, and its time.
    fn count(&mut self, code: &str, kind: ErrorKind, severity: Severity, now: Moment) -> (&Arc<str>, SystemTime) {
        let is = |known: &CountedError, code: &str| {
            let known = &known.count;
            &*known.code == code && known.kind == kind && known.severity == severity
        };
        let find = |errors: &[CountedError], code: &str| errors.iter().position(|known| is(known, code));
        // A code that is known was checked when it was first counted.
        let index = find(&self.errors, code).or_else(|| find(&self.errors, self.label(code)));
        let at = SystemTime::now();
        let index = index.unwrap_or_else(|| {
            let count = ErrorCount { code: self.label(code).into(), kind, severity, count: 0, first: at, last: at };
            self.errors.push(CountedError { count, last_day: Box::new(LastDay::new(now)) });
            self.errors.len() - 1
        });
        let CountedError { count: known, last_day } = &mut self.errors[index];
        known.count += 1;
        // The wall clock can go backwards.
        (known.first, known.last) = (known.first.min(at), known.last.max(at));
        last_day.count(now);
        (&known.code, at)
    }

    /// Returns the code that a new error is counted under. Codes made up at run time can fill the list. After that, there
    /// is one [`OTHER`] per kind and severity.
    fn label<'c>(&self, code: &'c str) -> &'c str {
        if self.errors.len() < MOST { label(code) } else { OTHER }
    }

    /// Returns the histogram for operations that failed like this, and the type that they are counted under.
    fn durations_of(&mut self, error: ErrorType) -> &(ErrorType, Arc<Histogram>) {
        let find =
            |durations: &[(ErrorType, Arc<Histogram>)], error| durations.iter().position(|(known, _)| *known == error);
        let index = find(&self.durations, error).unwrap_or_else(|| {
            // Only codes are unbounded.
            let is_full = self.durations.len() >= MOST && matches!(error, ErrorType::Code(_));
            let error = if is_full { ErrorType::Other } else { error };
            find(&self.durations, error).unwrap_or_else(|| {
                self.durations.push((error, Arc::new(Histogram::new())));
                self.durations.len() - 1
            })
        });
        &self.durations[index]
    }
}

impl Failures {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Inner { errors: Vec::new(), durations: Vec::new() }))
    }

    /// Counts an error and returns the code that it is counted under, and its time.
    pub(super) fn count(&self, code: &str, kind: ErrorKind, severity: Severity, now: Moment) -> (Arc<str>, SystemTime) {
        let mut inner = self.lock();
        let (code, at) = inner.count(code, kind, severity, now);
        (Arc::clone(code), at)
    }

    /// Counts an error.
    pub(super) fn count_only(&self, code: &str, kind: ErrorKind, severity: Severity, now: Moment) {
        self.lock().count(code, kind, severity, now);
    }

    pub(super) fn errors(&self) -> Vec<ErrorCount> {
        self.lock().errors.iter().map(|error| error.count.clone()).collect()
    }

    /// Returns the errors, and those of the last 24 hours by hour.
    pub(super) fn by_hour(&self, now: Moment) -> Vec<(ErrorCount, Hours)> {
        let inner = self.lock();
        inner.errors.iter().map(|error| (error.count.clone(), error.last_day.hours(now))).collect()
    }

    /// Returns the number of all errors in each of the last 24 hours.
    pub(super) fn hours(&self, now: Moment) -> Hours {
        let mut hours = Hours::default();
        self.lock().errors.iter().for_each(|error| add(&mut hours, &error.last_day.hours(now)));
        hours
    }

    /// Returns the histogram for operations that failed like this, and the type that they are counted under.
    pub(super) fn durations_of(&self, error: ErrorType) -> (ErrorType, Arc<Histogram>) {
        self.lock().durations_of(error).clone()
    }

    /// Returns the durations by type of error, with those of calls that were rejected at once: their number, and the sum of
    /// their durations in microseconds.
    pub(super) fn durations(&self, rejected_at_once: (u64, u64)) -> Vec<(ErrorType, HistogramSnapshot)> {
        let mut inner = self.lock();
        if rejected_at_once.0 > 0 {
            inner.durations_of(ErrorType::ToolError);
        }
        let durations = inner.durations.clone();
        drop(inner);
        let mut read: Vec<_> = durations.iter().map(|(error, histogram)| (*error, histogram.read())).collect();
        if let Some((_, rejected)) = read.iter_mut().find(|(error, _)| *error == ErrorType::ToolError) {
            rejected.add_shortest(rejected_at_once);
        }
        read.sort_by_key(|(error, _)| *error);
        read
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a code as a label, or `OTHER` if it is not short and plain: codes may come from user input.
fn label(code: &str) -> &str {
    const LONGEST: usize = 100;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    if (1..=LONGEST).contains(&code.len()) && code.bytes().all(is_plain) { code } else { OTHER }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_a_text_is_no_label() {
        let failures = Failures::new();
        for code in ["X password=hunter2", "", &"Y".repeat(101)] {
            assert_eq!(&*failures.count(code, ErrorKind::Internal, Severity::Low, Moment::now()).0, OTHER);
        }
        assert_eq!(&*failures.count("MAKE_DOWN", ErrorKind::Internal, Severity::Low, Moment::now()).0, "MAKE_DOWN");
    }

    #[test]
    fn codes_without_end_fill_a_list_that_has_one() {
        let failures = Failures::new();
        for n in 0..10_000 {
            failures.count(&format!("CODE_{n}"), ErrorKind::Internal, Severity::Low, Moment::now());
            failures.durations_of(ErrorType::Code(n)).1.record(std::time::Duration::ZERO);
        }
        failures.count("CODE_3", ErrorKind::Internal, Severity::Low, Moment::now());
        let errors = failures.errors();
        assert_eq!(errors.len(), MOST + 1);
        assert_eq!(errors.iter().map(|error| error.count).sum::<u64>(), 10_001);
        assert_eq!(errors.iter().find(|error| &*error.code == "CODE_3").map(|error| error.count), Some(2));
        // The named types are few and always counted, however many codes there have been.
        assert_eq!(failures.durations_of(ErrorType::Timeout).0, ErrorType::Timeout);
        let durations = failures.durations((0, 0));
        assert_eq!(
            (durations.len() - 1, durations.iter().map(|(_, read)| read.count()).sum::<u64>()),
            (MOST + 1, 10_000)
        );
    }

    #[test]
    fn what_the_caller_did_wrong_is_no_error_of_the_server() {
        for code in [-32700, -32600, -32601, -32602, -32002] {
            assert_eq!(ErrorType::of_code(code), None);
        }
        assert_eq!(ErrorType::of_code(-32603).map(ErrorType::as_text).as_deref(), Some("-32603"));
        assert_eq!(ErrorType::of_outcome(Outcome::Panic), Some(ErrorType::ToolError));
        assert_eq!(ErrorType::of_outcome(Outcome::Fallback), None);
    }
}
