//! Which source holds, and since when, for random sequences of changes.

use std::time::Duration;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = String> {
    "[abc]"
}

fn level() -> impl Strategy<Value = Level> {
    (0..Level::ALL.len()).prop_map(|at| Level::ALL[at])
}

fn settings() -> impl Strategy<Value = GateSettings> {
    let switches = (any::<bool>(), btree_set(name(), 0..3), btree_set(name(), 0..3));
    let disabled = vec(btree_set(name(), 0..2), 4);
    (switches, disabled, proptest::option::of(level()), any::<bool>()).prop_map(
        |((read_only, tools, features), disabled, level, automatic)| {
            let mut levels = Levels::default();
            for (level, disabled) in Level::ALL.iter().zip(disabled) {
                levels.effect_mut(*level).disabled = disabled;
            }
            let switches = Switches { read_only, tools, features };
            GateSettings { switches, levels, level, automatic, ..GateSettings::default() }
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Reload(Box<GateSettings>),
    Admin(Option<Level>),
    Health(Level),
    Tool(String, bool),
    Feature(String, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        settings().prop_map(|settings| Step::Reload(settings.into())),
        proptest::option::of(level()).prop_map(Step::Admin),
        level().prop_map(Step::Health),
        (name(), any::<bool>()).prop_map(|(name, on)| Step::Tool(name, on)),
        (name(), any::<bool>()).prop_map(|(name, on)| Step::Feature(name, on)),
    ]
}

fn apply(sources: &mut Sources, step: Step, now: SystemTime) {
    let mut switch = |switch: Switch, on: bool| {
        if on {
            sources.admin.remove(&switch);
        } else {
            sources.admin.insert(switch, now);
        }
    };
    match step {
        Step::Reload(settings) => sources.reload(*settings, now),
        Step::Admin(level) => sources.admin_level = level,
        Step::Health(level) => sources.health = level,
        Step::Tool(name, on) => switch(Switch::Tool(name), on),
        Step::Feature(name, on) => switch(Switch::Feature(name), on),
    }
}

fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn what_is_off_keeps_the_time_since_when_it_is_and_what_a_reload_adds_has_its_own() {
    let settings = |disabled: &[&str], tools: &[&str]| {
        let mut settings = GateSettings { level: Some(Level::Degraded), ..GateSettings::default() };
        settings.switches.tools = tools.iter().map(ToString::to_string).collect();
        settings.levels.effect_mut(Level::Degraded).disabled = disabled.iter().map(ToString::to_string).collect();
        settings
    };
    let mut sources = Sources::new(moment(0));
    let mut change = |change: &dyn Fn(&mut Sources, SystemTime), at| {
        let (before, _) = sources.level();
        change(&mut sources, moment(at));
        sources.note_level(before, moment(at));
        Effective::of(&sources)
    };
    let since = |all: &BTreeMap<String, Cause>| -> Vec<_> {
        all.iter().map(|(name, cause)| (name.clone(), cause.since)).collect()
    };
    change(&|sources, now| sources.start(settings(&["b"], &["x"]), now), 1);
    let held = change(&|sources, now| sources.start(settings(&["b"], &["x", "y"]), now), 2);
    assert_eq!(since(&held.tools), [("x".into(), moment(1)), ("y".into(), moment(2))]);
    let held = change(&|sources, now| sources.reload(settings(&["a", "b"], &["x"]), now), 3);
    assert_eq!(since(&held.features), [("a".into(), moment(3)), ("b".into(), moment(1))]);
    assert_eq!(held.level_since, moment(1));
    let held = change(&|sources, _| sources.admin_level = Some(Level::Emergency), 4);
    assert_eq!(since(&held.features), [("a".into(), moment(4)), ("b".into(), moment(4))], "as the level has it");
    let by_level = Some(Cause { by: SwitchedBy::Level, since: moment(4) });
    assert_eq!((held.read_only, held.cache_only), (by_level, by_level));
}

proptest! {
    #[test]
    fn the_strictest_source_holds_and_nothing_lifts_what_the_start_settings_turn_off(
        start in settings(),
        steps in vec(step(), 0..12),
    ) {
        let mut sources = Sources::new(moment(0));
        sources.start(start.clone(), moment(1));
        for (at, step) in (2..).zip(steps) {
            apply(&mut sources, step, moment(at));
            let held = Effective::of(&sources);
            let (level, _) = sources.level();
            let reloaded = &sources.settings.switches;
            let effects: Vec<_> =
                Level::ALL.iter().filter(|it| **it <= level).map(|it| sources.settings.levels.effect(*it)).collect();
            prop_assert_eq!(
                held.read_only.is_some(),
                start.switches.read_only || reloaded.read_only || level >= Level::Emergency
            );
            prop_assert_eq!(held.cache_only.is_some(), level >= Level::Minimal);
            prop_assert_eq!(held.concurrency, sources.settings.levels.effect(level).concurrency);
            for name in ["a", "b", "c"].map(str::to_owned) {
                let by_admin = |switch| sources.admin.contains_key(&switch);
                prop_assert_eq!(
                    held.tools.contains_key(&name),
                    start.switches.tools.contains(&name)
                        || reloaded.tools.contains(&name)
                        || by_admin(Switch::Tool(name.clone()))
                );
                prop_assert_eq!(
                    held.features.contains_key(&name),
                    start.switches.features.contains(&name)
                        || reloaded.features.contains(&name)
                        || by_admin(Switch::Feature(name.clone()))
                        || effects.iter().any(|effect| effect.disabled.contains(&name))
                );
                if start.switches.tools.contains(&name) {
                    let by_start = Cause { by: SwitchedBy::Start, since: moment(1) };
                    prop_assert_eq!(held.tools.get(&name), Some(&by_start));
                }
            }
        }
    }

    #[test]
    fn a_reload_reports_each_switch_that_differs_from_the_start_and_no_other(
        start in settings(),
        reloads in vec(settings(), 1..4),
    ) {
        let mut sources = Sources::new(moment(0));
        sources.start(start.clone(), moment(1));
        for settings in reloads {
            sources.reload(settings.clone(), moment(2));
            let (before, now) = (Switch::all_of(&start.switches), Switch::all_of(&settings.switches));
            let reports = sources.needs_restart();
            prop_assert_eq!(reports.len(), before.symmetric_difference(&now).count());
            prop_assert!(reports.iter().all(|text| text.contains("next restart")), "{:?}", reports);
        }
    }

    #[test]
    fn the_operator_sets_the_level_before_the_settings_and_those_before_the_health(
        settings in settings(),
        admin in proptest::option::of(level()),
        health in level(),
    ) {
        let mut sources = Sources::new(moment(0));
        sources.start(settings.clone(), moment(1));
        (sources.admin_level, sources.health) = (admin, health);
        let expected = match (admin, settings.level, settings.automatic) {
            (Some(level), _, _) => (level, LevelSource::Admin),
            (None, Some(level), _) => (level, LevelSource::Settings),
            (None, None, true) => (health, LevelSource::Health),
            (None, None, false) => (Level::Normal, LevelSource::Default),
        };
        prop_assert_eq!(sources.level(), expected);
    }
}
