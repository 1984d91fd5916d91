//! The arguments of a call that `log_args` writes to the log.

use std::fmt::{self, Display, Write};

use crate::panics::catch_panic;
use crate::redact;

/// The maximum number of bytes that are formatted before masking and cutting: the client controls the length of
/// arguments.
const MOST: usize = 4_096;

/// A value that can be logged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shown to the log",
    label = "expected something that is `Display`",
    note = "write something of it that is, such as an id: `log_args(request.id)`, or `format!(\"{{:?}}\", ..)`"
)]
pub trait LogValue {
    /// Writes the value, as far as there is room.
    ///
    /// # Errors
    /// If there is no more room.
    fn show(&self, to: &mut LogFields) -> fmt::Result;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> LogValue for T {
    fn show(&self, to: &mut LogFields) -> fmt::Result {
        write!(to, "{self}")
    }
}

/// The arguments to log: names and values, with secrets masked.
#[derive(Debug, Default)]
pub struct LogFields(String);

impl LogFields {
    /// Adds an argument.
    pub fn add<T: LogValue + ?Sized>(&mut self, name: &str, value: &T) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // On an error, the part that was written is kept.
        let _ = write!(self, "{separator}{name}=").and_then(|()| value.show(self));
    }

    /// Returns the arguments that `arguments` adds, masked and cut for the log. Returns `None` if it panics.
    pub(crate) fn of(arguments: impl FnOnce(&mut Self)) -> Option<Box<str>> {
        let mut shown = Self::default();
        catch_panic(|| arguments(&mut shown))?;
        Some(redact::fit(&shown.0).into())
    }
}

impl Write for LogFields {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MOST.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(text.get(..end).unwrap_or_default());
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_named_masked_and_cut() {
        let shown = LogFields::of(|shown| {
            shown.add("req.team_id", &7);
            shown.add("url", "https://example.org/?token=abcdef");
        });
        assert_eq!(shown.as_deref(), Some("req.team_id=7 url=https://example.org/?token=***"));
        let long = LogFields::of(|shown| shown.add("x", &"é".repeat(2_000))).expect("no panic");
        assert_eq!(long.chars().count(), 1_001);
    }

    #[test]
    fn what_is_long_is_not_even_written() {
        struct Endless(std::cell::Cell<u32>);
        impl Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    self.0.set(self.0.get() + 1);
                    f.write_str("0123456789")?;
                }
            }
        }
        let endless = Endless(std::cell::Cell::new(0));
        let shown = LogFields::of(|shown| shown.add("x", &endless)).expect("no panic");
        assert_eq!((shown.chars().count(), endless.0.get()), (1_001, 410));
        assert_eq!(
            LogFields::of(|shown| shown.add("x", "pass\u{200b}word=hunter2")).as_deref(),
            Some("x=password=***")
        );
    }

    #[test]
    fn an_argument_that_panics_is_not_shown() {
        struct Panics;
        impl Display for Panics {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("on purpose")
            }
        }
        assert_eq!(LogFields::of(|shown| shown.add("x", &Panics)), None);
    }
}
