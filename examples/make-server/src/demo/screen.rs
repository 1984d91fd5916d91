//! The output of the demo.

use std::io::{self, IsTerminal, Write};

/// Standard output, with a progress line on a terminal.
pub(super) struct Screen {
    live: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { live: io::stdout().is_terminal() }
    }

    /// Prints a permanent line.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.live {
            write!(out, "\r\x1b[K")?;
        }
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints a line that the next one replaces. Prints nothing if the output is not a terminal.
    pub(super) fn tick(&self, text: &str) -> io::Result<()> {
        if !self.live {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        write!(out, "\r\x1b[K{text}")?;
        out.flush()
    }
}
