//! If a tracing layer panics, the client still gets its response, and the call is still counted. In a separate process,
//! because the layer is in the global subscriber.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use resilient_runtime::statistics::AttemptOutcome;
use resilient_runtime::{Outcome, Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::in_process;
use rmcp::model::CallToolRequestParams;
use rmcp::{tool, tool_router};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry as Spans, util::SubscriberInitExt as _};

struct Shop;

#[resilient]
#[tool_router(server_handler)]
impl Shop {
    /// Works.
    #[tool]
    async fn works(&self) -> Result<String, Failure> {
        Ok("done".into())
    }

    /// Fails.
    #[tool]
    async fn fails(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }

    /// Fails while `IS_DOWN` is set. Its next success closes the breaker.
    #[resilient(breaker(name = "listened", failures = 1, open = "100ms", successes = 1))]
    #[tool]
    async fn recovers(&self) -> Result<String, Failure> {
        if IS_DOWN.load(Ordering::SeqCst) { Err(Failure::Down) } else { Ok("done".into()) }
    }

    /// Works, and has only the hook.
    #[resilient(skip)]
    #[tool]
    async fn hooked(&self) -> Result<String, Failure> {
        Ok("done".into())
    }
}

static IS_DOWN: AtomicBool = AtomicBool::new(true);

/// The index in [`PLACES`] at which the layer panics.
static PANICS_AT: AtomicU8 = AtomicU8::new(u8::MAX);

const PLACES: [&str; 10] = [
    "new span",
    "enter",
    "exit",
    "tool.started",
    "tool.ended",
    "tool.error",
    "record",
    "breaker.transition to closed",
    "breaker.transition to half_open",
    "close",
];

fn at(place: &str) {
    let is_now = PLACES.get(usize::from(PANICS_AT.load(Ordering::SeqCst))) == Some(&place);
    assert!(!is_now, "the listener panics at {place}");
}

struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        at("new span");
    }

    fn on_record(&self, _: &Id, _: &tracing::span::Record<'_>, _: Context<'_, S>) {
        at("record");
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        at("enter");
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        // A panic while a guard is dropped by another panic would abort the process.
        if !std::thread::panicking() {
            at("exit");
        }
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        if !std::thread::panicking() {
            at("close");
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Name(String);
        impl Visit for Name {
            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
            fn record_str(&mut self, field: &Field, value: &str) {
                match field.name() {
                    "event" => value.clone_into(&mut self.0),
                    // Fields are visited in order, so the name of the event is known.
                    "to" => self.0 = format!("{} to {value}", self.0),
                    _ => {}
                }
            }
        }
        let mut name = Name(String::new());
        event.record(&mut name);
        at(&name.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_takes_no_answer_and_no_count() {
    if ran_in_a_child() {
        return;
    }
    // The panics are intended.
    std::panic::set_hook(Box::new(|_| {}));
    let ours = filter_fn(|metadata| metadata.target().starts_with("resilient_runtime"));
    Spans::default().with(Panics.with_filter(ours)).init();
    let client = in_process::connect(Shop).await;
    for (n, place) in PLACES.into_iter().enumerate() {
        for tool in ["works", "fails", "hooked"] {
            PANICS_AT.store(u8::try_from(n).expect("few"), Ordering::SeqCst);
            let before = Registry::global().tool(tool).map_or(0, |read| read.calls());
            let asked = client.call_tool(CallToolRequestParams::new(tool));
            let answer = tokio::time::timeout(std::time::Duration::from_secs(60), asked).await;
            PANICS_AT.store(u8::MAX, Ordering::SeqCst);
            assert!(answer.is_ok(), "{tool} at {place}");
            let read = Registry::global().tool(tool).expect("counted");
            assert_eq!((read.calls(), read.in_flight), (before + 1, 0), "{tool} at {place}");
        }
    }
    // A breaker that closes logs its transition while its attempt is counted.
    let attempts = || {
        let series = Registry::global().breaker_series();
        series
            .get("listened")
            .map(|read| AttemptOutcome::ALL.iter().map(|outcome| read.attempts.count(*outcome)).sum::<u64>())
    };
    let _ = client.call_tool(CallToolRequestParams::new("recovers")).await;
    IS_DOWN.store(false, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    PANICS_AT.store(7, Ordering::SeqCst);
    let _ = client.call_tool(CallToolRequestParams::new("recovers")).await;
    PANICS_AT.store(u8::MAX, Ordering::SeqCst);
    let _ = client.call_tool(CallToolRequestParams::new("recovers")).await;
    assert_eq!(attempts(), Some(3));
    // A probe whose transition the layer panics at gives its permit back, so that the next call is a probe.
    IS_DOWN.store(true, Ordering::SeqCst);
    let _ = client.call_tool(CallToolRequestParams::new("recovers")).await;
    IS_DOWN.store(false, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    PANICS_AT.store(8, Ordering::SeqCst);
    let lost = client.call_tool(CallToolRequestParams::new("recovers")).await.expect("an answer");
    PANICS_AT.store(u8::MAX, Ordering::SeqCst);
    assert_eq!(lost.is_error, Some(true));
    let probe = client.call_tool(CallToolRequestParams::new("recovers")).await.expect("an answer");
    assert_eq!(probe.is_error, Some(false), "{probe:?}");
    // Without a panic, the tool works as before.
    let answer = client.call_tool(CallToolRequestParams::new("works")).await.expect("an answer");
    assert_eq!(answer.is_error, Some(false));
    assert!(Registry::global().tool("works").is_some_and(|read| read.outcome(Outcome::Ok) > 0));
}
