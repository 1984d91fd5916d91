//! What a reload must not do: wait for what is no file, apply half a file, trust its listeners, or repeat its news.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::gate::{Level, LevelSource};
use resilient_runtime::policy::{BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse};
use resilient_runtime::startup::Handle;
use resilient_runtime::{Guard, Policy, Registry, ResilienceError};
use resilient_tests::logs::{Events, listen};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Make, SECOND, TempFile, policy, variables};

fn start(file: &TempFile) -> (Handle, Arc<Registry>) {
    let registry = Arc::new(Registry::new());
    let resilience = variables(&[("RESILIENT_CONFIG", file.path())]).tools(Make::tool_router);
    (resilience.start_with(&registry).expect("nothing is wrong"), registry)
}

#[test]
fn a_listener_that_panics_stops_no_part_of_a_reload() {
    struct Panics;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panics {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            assert_eq!(event.metadata().level(), &tracing::Level::TRACE, "the listener panics");
        }
    }
    let file = TempFile::new("");
    let (handle, registry) = start(&file);
    let _listening = listen(tracing_subscriber::registry().with(Panics));
    file.write("[level]\nstart = \"minimal\"\n[tool.describe]\ntimeout = \"1s\"\n");
    let report = handle.reload().expect("nothing is wrong");
    assert_eq!(report.changes.len(), 2, "{report:?}");
    assert_eq!((registry.gate().level(), policy(&registry, "describe").policy.timeout), (Level::Minimal, SECOND));
    file.write("[level]\nstart = 1\n");
    assert!(handle.reload().is_err());
}

#[test]
fn the_gate_has_the_new_settings_before_the_first_event_of_the_reload() {
    /// Records the level of the gate at each event.
    struct Looks(Arc<Registry>, Arc<std::sync::Mutex<Vec<Level>>>);
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Looks {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.1.lock().expect("no panic").push(self.0.gate().level());
        }
    }
    // Bound by the reload, which reports that the code contradicts itself.
    let shared = |failures| {
        let breaker = BreakerUse::with("off_at_first", BreakerSettings::new().failures(failures));
        Guard::new(if failures == 3 { "three" } else { "four" }, Policy::new().breaker(breaker))
    };
    let file = TempFile::new("[breaker.off_at_first]\nenabled = false\n");
    let registry = Arc::new(Registry::new());
    let guards: &'static [Guard; 2] = Box::leak(Box::new([shared(3), shared(4)]));
    let resilience = variables(&[("RESILIENT_CONFIG", file.path())]).guard(&guards[0]).guard(&guards[1]);
    let handle = resilience.start_with(&registry).expect("nothing is wrong");
    let seen = Arc::default();
    let _listening = listen(tracing_subscriber::registry().with(Looks(Arc::clone(&registry), Arc::clone(&seen))));
    file.write("[level]\nstart = \"minimal\"\n");
    handle.reload().expect("nothing is wrong");
    let seen = seen.lock().expect("no panic").clone();
    assert!(seen.len() >= 3, "the contradiction, the level and the report: {seen:?}");
    assert!(seen.iter().all(|level| *level == Level::Minimal), "{seen:?}");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_or_too_large_is_refused_and_not_waited_for() {
    let file = TempFile::new("");
    let (handle, _) = start(&file);
    let refused = || handle.reload().expect_err("refused").problems().to_vec();
    file.write(&"#".repeat((1 << 20) + 1));
    assert!(refused()[0].ends_with("it has more than 1 MiB"), "{:?}", refused());
    file.write(&"#".repeat(1 << 20));
    handle.reload().expect("as large as a file may be");
    std::fs::write(file.path(), b"# \xff").expect("the file is written");
    assert!(refused()[0].ends_with("it is not text in UTF-8"), "{:?}", refused());
    std::fs::remove_file(file.path()).expect("it was there");
    let made = std::process::Command::new("mkfifo").arg(file.path()).status().expect("`mkfifo` runs");
    assert!(made.success());
    // Nothing writes to the pipe.
    assert!(refused()[0].ends_with("it is not a regular file"), "{:?}", refused());
}

#[tokio::test(start_paused = true)]
async fn a_content_that_does_not_stay_is_not_applied() {
    let file = TempFile::new("");
    let (handle, registry) = start(&file);
    handle.reload_every(30 * SECOND).expect("there is a runtime");
    let timeout = || policy(&registry, "describe").policy.timeout;
    file.write("[tool.describe]\ntimeout = \"1s\"\n");
    tokio::time::sleep(30 * SECOND + Duration::from_millis(100)).await;
    assert_eq!(timeout(), 20 * SECOND, "it may be half of a file");
    file.write("[tool.describe]\ntimeout = \"1s\"\n[tool.run.scenario]\n");
    tokio::time::sleep(SECOND).await;
    assert_eq!(timeout(), 20 * SECOND, "it was another one");
    file.write("[tool.describe]\ntimeout = \"2s\"\n");
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(timeout(), 2 * SECOND);
    handle.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_declaration_that_contradicts_the_first_one_has_no_say_in_a_reload() {
    let guard = |name, max| {
        let bulkhead = BulkheadUse::new(BulkheadSettings::new(max).queue(0)).named("contradicted");
        Guard::new(name, Policy::new().bulkhead(bulkhead))
    };
    let guards: &'static [Guard; 2] = Box::leak(Box::new([guard("a_first", 1), guard("b_second", 9)]));
    let [first, second] = guards;
    let file = TempFile::new("");
    let (handle, registry) = start(&file);
    let call = |guard: &'static Guard| {
        let (registry, call) = (Arc::clone(&registry), guard.call(std::future::pending::<Result<(), ResilienceError>>));
        registry.scope(call)
    };
    // Bound after the start, in this order.
    for guard in guards {
        let ended = tokio::time::timeout(SECOND, call(guard)).await;
        assert!(ended.is_err(), "it hangs");
    }
    file.write("[level]\nstart = \"normal\"\n");
    handle.reload().expect("nothing is wrong");
    let mut held = Box::pin(call(first));
    assert!(tokio::time::timeout(SECOND, &mut held).await.is_err());
    let refused = tokio::time::timeout(SECOND, call(second)).await.expect("at once");
    assert!(matches!(refused, Err(ResilienceError::Overloaded { .. })), "{refused:?}");
}

#[test]
fn what_needs_a_restart_is_logged_once_and_the_level_does_not_follow_the_health_until_then() {
    let events = Events::default();
    let file = TempFile::new("");
    let (handle, registry) = start(&file);
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    file.write("[level]\nautomatic = true\n");
    for _ in 0..3 {
        let report = handle.reload().expect("nothing is wrong");
        assert!(report.needs_restart[0].starts_with("level.automatic"), "as long as it is owed: {report:?}");
    }
    let logged = events.seen().iter().filter(|event| event.contains("settings.changed")).count();
    assert_eq!(logged, 1, "{:?}", events.seen());
    assert_eq!(registry.gate().state().level_source, LevelSource::Default);
}

#[test]
fn a_level_that_the_file_sets_cannot_follow_the_health() {
    let file = TempFile::new("[level]\nstart = \"normal\"\nautomatic = true\n");
    let refused = variables(&[("RESILIENT_CONFIG", file.path())]).start_with(&Arc::default());
    let problems = refused.expect_err("refused").problems().to_vec();
    assert!(problems[0].starts_with(&format!("{}:2:9: `level.start`", file.path())), "{problems:?}");
}
