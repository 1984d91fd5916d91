//! The message and location of a failing assertion.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// The location of an expected panic, after it occurred.
    static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// An expected panic.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// Runs a closure that must panic.
pub(crate) fn refusal<T>(run: impl FnOnce() -> T) -> Refusal {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| (place.file().to_owned(), place.line())).unwrap_or_default();
            let is_expected = PLACE.with_borrow_mut(|expected| expected.as_mut().map(|seen| *seen = place).is_some());
            if !is_expected {
                before(info);
            }
        }));
    });
    PLACE.set(Some(Default::default()));
    let ended = panic::catch_unwind(AssertUnwindSafe(run));
    let place = PLACE.take();
    let Err(payload) = ended else { panic!("it was accepted") };
    let (file, line) = place.expect("a place");
    Refusal { message: text(&*payload), file, line }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).expect("a text")
}
