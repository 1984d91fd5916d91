//! Misspelled variables: a warning suggests the right name, and the server starts.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::start;

#[derive(Clone)]
struct Warnings {
    /// A part of the messages that are collected.
    about: &'static str,
    found: Arc<Mutex<Vec<String>>>,
}

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{}={value:?} ", field.name());
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        if *event.metadata().level() == tracing::Level::WARN && text.0.contains(self.about) {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
        }
    }
}

/// Returns the warnings of a start with these variables.
pub(crate) fn warnings(about: &'static str, pairs: &[(&str, &str)]) -> Vec<String> {
    let warnings = Warnings { about, found: Arc::default() };
    let subscriber = tracing_subscriber::registry().with(warnings.clone());
    tracing::subscriber::with_default(subscriber, || start(pairs).0.expect("it starts"));
    let found = warnings.found.lock().unwrap_or_else(PoisonError::into_inner);
    found.clone()
}

/// Returns the warnings about this variable.
fn warned(name: &str) -> Vec<String> {
    warnings("not read", &[(name, "3s")])
}

#[test]
fn a_variable_that_is_ours_but_for_its_case_or_its_first_word_is_warned_of_with_the_right_name() {
    for (slip, meant) in [
        ("resilient__tool__x__timeout", "RESILIENT__TOOL__X__TIMEOUT"),
        ("Resilient__Tool__X__Timeout", "RESILIENT__TOOL__X__TIMEOUT"),
        ("resilient_tool__x__timeout", "RESILIENT__TOOL__X__TIMEOUT"),
        ("resilient__tols__x__timeout", "RESILIENT__TOLS__X__TIMEOUT"),
        ("RESILIENCE__TOOL__X__TIMEOUT", "RESILIENT__TOOL__X__TIMEOUT"),
        ("RESILIENCE_TOOL__X__TIMEOUT", "RESILIENT__TOOL__X__TIMEOUT"),
        ("RESILENT__DEFAULT__TIMEOUT", "RESILIENT__DEFAULT__TIMEOUT"),
        ("resiliant__breaker__make__open", "RESILIENT__BREAKER__MAKE__OPEN"),
        ("resilient_disabled", "RESILIENT_DISABLED"),
        ("RESILIENCE_CONFIG", "RESILIENT_CONFIG"),
        ("resilience__profile__make__timeout", "RESILIENT__PROFILE__MAKE__TIMEOUT"),
        ("RESILIENCE__DISABLED", "RESILIENT_DISABLED"),
        ("RESILIENCE_READ_ONLY", "RESILIENT_READ_ONLY"),
        ("resilient_admin_token", "RESILIENT_ADMIN_TOKEN"),
        ("resilient__level", "RESILIENT__LEVEL"),
        ("RESILIENCE__LEVEL__MINIMAL__CONCURRENCY", "RESILIENT__LEVEL__MINIMAL__CONCURRENCY"),
        ("RESILIENCE__FEATURE__EXPORTS__ENABLED", "RESILIENT__FEATURE__EXPORTS__ENABLED"),
    ] {
        let reported = warned(slip);
        assert_eq!(reported.len(), 1, "{slip}: {reported:?}");
        assert!(
            reported[0].contains(slip) && reported[0].contains(&format!("did you mean `{meant}`?")),
            "{slip}: {reported:?}"
        );
        assert!(!reported[0].contains("3s"), "a value may be a secret: {reported:?}");
    }
}

#[test]
fn variables_of_other_programs_are_not_warned_of() {
    for name in [
        "RESILIENTLY",
        "RESILIENT_HOME",
        "resilient_home",
        "RESILIENCE_HOME",
        "RESILIENCE_LEVEL",
        "RESILIO__TOOL",
        "RESILIENCE__PORT",
        "RESTIC_TOOL__X",
    ] {
        assert_eq!(warned(name), Vec::<String>::new(), "{name}");
    }
}
