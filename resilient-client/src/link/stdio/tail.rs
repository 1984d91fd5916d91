//! The last lines that a process has written to its standard error.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use resilient_runtime::redact;

/// The number of lines that are kept.
const LINES: usize = 8;
/// The maximum length of a line that is kept, in characters.
const LENGTH: usize = 300;

/// The last lines, masked.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    /// Adds a line. Secrets in it are masked.
    pub(super) fn push(&self, line: &str) -> String {
        let line: String = redact::text(line.trim_end()).chars().filter(|it| !it.is_control()).take(LENGTH).collect();
        if !line.is_empty() {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(line.clone());
        }
        line
    }

    /// Returns the last lines, in order and in one line.
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<&str> = lines.iter().map(String::as_str).collect();
        let text = all.join(" | ");
        // The end says why.
        let skipped = text.chars().count().saturating_sub(2 * LENGTH);
        text.chars().skip(skipped).collect()
    }
}
