//! Levels that the settings at start set or describe.

use std::sync::Arc;

use resilient_runtime::gate::{Level, LevelSource};
use resilient_runtime::health::{CheckResult, Health, HealthCheck};
use resilient_runtime::{Registry, Resilience};

use super::unread::warnings;
use super::{TempFile, problems, start, variables};

fn checked() -> Arc<Health> {
    Arc::new(Health::new().check(HealthCheck::new("database", || async { CheckResult::pass("answers") })))
}

fn automatic() -> Resilience {
    variables(&[("RESILIENT__LEVEL__AUTOMATIC", "true")])
}

#[test]
fn the_variable_sets_the_level_before_the_file() {
    let file = TempFile::new("[level]\nstart = \"degraded\"\n[level.minimal]\nconcurrency = 7\n");
    let level = |pairs: &[(&str, &str)]| {
        let (started, registry) = start(pairs);
        started.expect("nothing is wrong");
        let state = registry.gate().state();
        (state.level, state.level_source, state.concurrency)
    };
    assert_eq!(level(&[]), (Level::Normal, LevelSource::Default, None));
    let config = ("RESILIENT_CONFIG", file.path());
    assert_eq!(level(&[config]), (Level::Degraded, LevelSource::Settings, Some(50)));
    assert_eq!(level(&[config, ("RESILIENT__LEVEL", "minimal")]), (Level::Minimal, LevelSource::Settings, Some(7)));
    let all = [config, ("RESILIENT__LEVEL", "minimal"), ("RESILIENT__LEVEL__MINIMAL__CONCURRENCY", "3")];
    assert_eq!(level(&all), (Level::Minimal, LevelSource::Settings, Some(3)));
    assert_eq!(level(&[config, ("RESILIENT__LEVEL", "normal")]), (Level::Normal, LevelSource::Settings, None));
}

#[test]
fn a_level_takes_features_away() {
    let file = TempFile::new("[feature.exports]\n[feature.search]\n[level.degraded]\ndisable = [\"exports\"]\n");
    let disabled = |pairs: &[(&str, &str)]| {
        let (started, registry) = start(pairs);
        started.expect("nothing is wrong");
        let state = registry.gate().state();
        assert_eq!(state.features, ["exports", "search"]);
        state.features_off.into_iter().map(|feature| feature.name).collect::<Vec<_>>()
    };
    let config = ("RESILIENT_CONFIG", file.path());
    assert_eq!(disabled(&[config]), Vec::<String>::new());
    assert_eq!(disabled(&[config, ("RESILIENT__LEVEL", "emergency")]), ["exports"]);
    let replaced = [config, ("RESILIENT__LEVEL", "degraded"), ("RESILIENT__LEVEL__DEGRADED__DISABLE", "search")];
    assert_eq!(disabled(&replaced), ["search"]);
}

// rule 65
#[test]
fn a_declared_feature_that_no_tool_has_is_warned_of() {
    let file = TempFile::new("[feature.exports]\n");
    let found = warnings("no known tool", &[("RESILIENT_CONFIG", file.path())]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("feature=\"exports\"") && found[0].contains(&format!("{}:1:10", file.path())),
        "{found:?}"
    );
}

// rules 65 and 66
#[test]
fn mistakes_in_levels_are_refused_where_they_are() {
    let file = TempFile::new(
        "[level]\nstart = \"degarded\"\n[level.normal]\n[level.degraded]\nconcurrency = 0\ncashe_only = true\n",
    );
    let path = file.path();
    assert_eq!(
        problems(&[
            ("RESILIENT_CONFIG", path),
            ("RESILIENT__LEVEL", "Minimal"),
            ("RESILIENT__LEVEL__START", "minimal"),
            ("RESILIENT__LEVEL__minimal__CONCURRENCY", "3"),
            ("RESILIENT__LEVEL__MINIMAL__DISABLE", "exports"),
            ("RESILIENT__LEVEL__NORMAL__CONCURRENCY", "3"),
            ("RESILIENT_LEVEL", "minimal"),
        ]),
        [
            "RESILIENT_LEVEL: unknown variable; did you mean `RESILIENT__LEVEL`?".to_owned(),
            "RESILIENT__LEVEL: `level`: unknown level `Minimal`; did you mean `minimal`?".into(),
            "RESILIENT__LEVEL__NORMAL__CONCURRENCY: `level.normal`: the level `normal` takes nothing away, so nothing \
             can be set for it; expected one of `degraded`, `minimal`, `emergency`"
                .into(),
            "RESILIENT__LEVEL__START: `level.start`: in a variable the level stands without this key".into(),
            "RESILIENT__LEVEL__minimal__CONCURRENCY: names are written in capitals: \
             `RESILIENT__LEVEL__MINIMAL__CONCURRENCY`"
                .into(),
            format!("{path}:2:9: `level.start`: unknown level `degarded`; did you mean `degraded`?"),
            format!(
                "{path}:3:8: `level.normal`: the level `normal` takes nothing away, so nothing can be set for it; \
                 expected one of `degraded`, `minimal`, `emergency`"
            ),
            format!("{path}:5:15: `level.degraded.concurrency`: expected at least 1, found 0"),
            format!("{path}:6:1: `level.degraded.cashe_only`: unknown key `cashe_only`; did you mean `cache_only`?"),
            "RESILIENT__LEVEL__MINIMAL__DISABLE: `level.minimal.disable`: no feature `exports`; declare it with \
             `[feature.exports]`"
                .into(),
        ]
    );
}

#[test]
fn a_level_that_all_sources_together_make_less_strict_than_the_one_before_is_refused() {
    let file = TempFile::new("[level.minimal]\nconcurrency = 30\n");
    let config = ("RESILIENT_CONFIG", file.path());
    start(&[config]).0.expect("50 before 30");
    assert_eq!(
        problems(&[config, ("RESILIENT__LEVEL__DEGRADED__CONCURRENCY", "25")]),
        [format!(
            "{}:2:15: `level.minimal.concurrency`: this is less strict than the level `degraded`, which has \
             `concurrency = 25`; expected at most 25",
            file.path()
        )]
    );
}

#[test]
fn a_level_that_follows_the_health_needs_a_check_of_the_authors_and_a_runtime() {
    let refused = |resilience: Resilience| {
        let refused = resilience.start_with(&Arc::default()).expect_err("refused");
        refused.problems().to_vec()
    };
    assert_eq!(
        refused(automatic()),
        ["RESILIENT__LEVEL__AUTOMATIC: `level.automatic`: the level cannot follow the health of the server, which is \
          unknown here; pass it to `Resilience::health`"]
    );
    assert_eq!(
        refused(automatic().health(&Arc::new(Health::new()))),
        [
            "RESILIENT__LEVEL__AUTOMATIC: `level.automatic`: the level follows your own checks of the health, and there are \
          none; add one with `Health::check`"
        ]
    );
    assert_eq!(
        refused(automatic().health(&checked())),
        ["RESILIENT__LEVEL__AUTOMATIC: `level.automatic`: the level follows the health in a Tokio runtime; call \
          `Resilience::start` within one"]
    );
    // Without `automatic` none of it is needed.
    variables(&[]).health(&Arc::new(Health::new())).start_with(&Arc::default()).expect("nothing is wrong");
}

#[tokio::test(start_paused = true)]
async fn the_level_follows_the_health() {
    let failing = HealthCheck::new("database", || async { CheckResult::fail("is down") });
    let registry = Arc::new(Registry::new());
    let health = Arc::new(Health::of(&registry).check(failing.critical()));
    automatic().health(&health).start_with(&registry).expect("nothing is wrong");
    let mut level = registry.gate().subscribe();
    assert_eq!(*level.borrow_and_update(), Level::Normal);
    level.changed().await.expect("a change");
    assert!(*level.borrow() > Level::Normal);
    assert_eq!(registry.gate().state().level_source, LevelSource::Health);
}
