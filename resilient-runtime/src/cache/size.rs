//! The size of an answer.

use std::io::{self, Write};

use serde::Serialize;

/// Returns the size of a value in bytes: of its JSON, which is not built, and of the value itself.
pub(crate) fn serialized<T: Serialize>(value: &T) -> u64 {
    let mut counted = Count(0);
    // What was counted before an error is a lower bound.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0.saturating_add(size_of_val(value) as u64)
}

/// Counts what is written.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
