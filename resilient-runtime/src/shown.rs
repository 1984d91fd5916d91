//! What `log_args` shows of a call's arguments.

use std::fmt::{Display, Write as _};

use crate::pipeline::barrier;
use crate::redact;

/// The most characters of all arguments together that a log is shown.
const LONGEST: usize = 1_000;

/// What a log can show.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shown to the log",
    label = "expected something that is `Display`",
    note = "write something of it that is, such as an id: `log_args(request.id)`, or `format!(\"{{:?}}\", ..)`"
)]
pub trait Showing {
    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn show(&self, to: &mut String) -> std::fmt::Result;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Showing for T {
    fn show(&self, to: &mut String) -> std::fmt::Result {
        write!(to, "{self}")
    }
}

/// The arguments that a log may show: names and values, what looks like a secret masked.
#[derive(Debug, Default)]
pub struct Shown(String);

impl Shown {
    /// Adds an argument.
    pub fn add<T: Showing + ?Sized>(&mut self, name: &str, value: &T) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(name);
        self.0.push('=');
        // Whatever it has written until it failed is shown.
        let _ = value.show(&mut self.0);
    }

    /// What `arguments` adds, fit for a log. `None` where that panics.
    pub(crate) fn of(arguments: impl FnOnce(&mut Self)) -> Option<Box<str>> {
        let mut shown = Self::default();
        barrier(|| arguments(&mut shown))?;
        let mut masked = redact::text(&shown.0);
        if let Some((end, _)) = masked.char_indices().nth(LONGEST) {
            masked.truncate(end);
            masked.push('…');
        }
        Some(masked.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_named_masked_and_cut() {
        let shown = Shown::of(|shown| {
            shown.add("req.team_id", &7);
            shown.add("url", "https://example.org/?token=abcdef");
        });
        assert_eq!(shown.as_deref(), Some("req.team_id=7 url=https://example.org/?token=***"));
        let long = Shown::of(|shown| shown.add("x", &"é".repeat(2_000))).expect("no panic");
        assert_eq!(long.chars().count(), 1_001);
    }

    #[test]
    fn an_argument_that_panics_is_not_shown() {
        struct Panics;
        impl Display for Panics {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("on purpose")
            }
        }
        assert_eq!(Shown::of(|shown| shown.add("x", &Panics)), None);
    }
}
