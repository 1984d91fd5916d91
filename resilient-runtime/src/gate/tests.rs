//! Decisions of the gate, without a router.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use resilient_policy::Switches;

use super::*;
use crate::outcomes::Rejected;

const READS: Gated<'static> = Gated {
    names: ["look", "shop.look"],
    features: &["search", "beta"],
    writes: false,
    reads: true,
    is_critical: false,
};
const WRITES: Gated<'static> =
    Gated { names: ["buy", "buy"], features: &[], writes: true, reads: false, is_critical: true };

fn reason(gate: &Gate, tool: &Gated<'_>) -> Option<Rejected> {
    gate.admit(tool, false).err().map(Refusal::rejected)
}

fn switched_off(tools: &[&str], features: &[&str], read_only: bool) -> GateSettings {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let switches = Switches { read_only, tools: owned(tools), features: owned(features) };
    GateSettings { switches, ..GateSettings::default() }
}

#[test]
fn a_tool_is_off_by_either_of_its_names_and_by_each_of_its_features() {
    for (tools, features) in [(vec!["look"], vec![]), (vec!["shop.look"], vec![]), (vec![], vec!["beta"])] {
        let gate = Gate::default();
        gate.start(switched_off(&tools, &features, false)).log();
        assert_eq!(reason(&gate, &READS), Some(Rejected::Disabled), "{tools:?} {features:?}");
        assert_eq!(reason(&gate, &WRITES), None);
        assert!(gate.is_off_at_start(&READS) && !gate.is_off_at_start(&WRITES));
    }
}

#[test]
fn read_only_refuses_what_is_not_known_to_read_alone() {
    let gate = Gate::default();
    gate.start(switched_off(&[], &[], true)).log();
    assert_eq!((reason(&gate, &READS), reason(&gate, &WRITES)), (None, Some(Rejected::ReadOnly)));
    assert!(gate.is_off_at_start(&WRITES) && !gate.is_off_at_start(&READS));
    assert_eq!(gate.state().read_only.map(|off| off.by), Some(SwitchedBy::Start));
}

#[test]
fn a_level_disables_its_features_and_those_of_the_levels_before_it() {
    let gate = Gate::default();
    let mut settings = switched_off(&[], &[], false);
    settings.levels.effect_mut(Level::Degraded).disabled.insert("search".into());
    settings.levels.effect_mut(Level::Minimal).cache_only = false;
    gate.start(settings).log();
    for (level, expected) in Level::ALL.iter().zip([None, Some(Rejected::Disabled), Some(Rejected::Disabled)]) {
        gate.set_level(Some(*level)).expect("set");
        assert_eq!(reason(&gate, &READS), expected, "{level}");
        assert!(!gate.is_off_at_start(&READS), "a level takes no tool off the list");
    }
}

#[test]
fn a_fifth_of_the_calls_in_flight_is_reserved_for_critical_tools_and_nested_calls_do_not_count() {
    let gate = Gate::default();
    gate.set_level(Some(Level::Degraded)).expect("set");
    let mut running: Vec<_> = (0..40).map(|_| gate.admit(&READS, false).expect("admitted")).collect();
    assert_eq!(reason(&gate, &READS), Some(Rejected::Concurrency));
    running.extend((0..10).map(|_| gate.admit(&WRITES, false).expect("the reserve")));
    assert_eq!(reason(&gate, &WRITES), Some(Rejected::Concurrency));
    assert!(gate.admit(&READS, true).expect("its outer call is counted").is_none());
    assert_eq!(gate.state().in_flight, 50);
    gate.set_level(None).expect("set");
    assert_eq!(reason(&gate, &READS), None);
    running.clear();
    assert_eq!(gate.state().in_flight, 0);
}

#[test]
fn what_the_settings_turn_off_stays_off_and_a_name_that_no_tool_has_is_unknown() {
    Gate::knows(&READS);
    let gate = Gate::default();
    gate.start(switched_off(&["look"], &[], false)).log();
    assert!(matches!(gate.switch_tool("look", true), Err(GateError::Forbidden { .. })));
    gate.reload(switched_off(&["look"], &["search"], false)).1.log();
    let forbidden = gate.switch_feature("search", true).expect_err("a reload turned it off");
    assert_eq!(forbidden.to_string(), "the settings turn the feature `search` off, and nothing at run time lifts that");
    let unknown = gate.switch_tool("lok", false).expect_err("unknown");
    assert_eq!(unknown.to_string(), "there is no `lok`; did you mean `look`?");
    gate.switch_feature("beta", false).expect("known");
    let (needs_restart, _) = gate.reload(switched_off(&[], &[], false));
    assert_eq!(needs_restart, ["the tool `look` was off at start and stays so until the next restart"]);
    let off: Vec<_> = gate.state().features_off.into_iter().map(|off| (off.name, off.by)).collect();
    assert_eq!(off, [("beta".to_owned(), SwitchedBy::Admin)]);
}

#[test]
fn the_level_follows_the_health_only_if_it_is_automatic_and_nothing_else_sets_it() {
    let gate = Gate::default();
    let mut changes = gate.subscribe();
    gate.level_by_health(Level::Minimal);
    assert_eq!((gate.level(), changes.has_changed().expect("open")), (Level::Normal, false));
    gate.reload(GateSettings { automatic: true, ..GateSettings::default() }).1.log();
    assert_eq!(*changes.borrow_and_update(), Level::Minimal);
    let state = gate.set_level(Some(Level::Degraded)).expect("set");
    assert_eq!((state.level, state.level_source), (Level::Degraded, LevelSource::Admin));
    let state = gate.set_level(None).expect("set");
    assert_eq!((state.level, state.level_source), (Level::Minimal, LevelSource::Health));
    gate.reload(GateSettings { automatic: true, level: Some(Level::Normal), ..GateSettings::default() }).1.log();
    assert_eq!(gate.state().level_source, LevelSource::Settings);
}

#[test]
fn a_subscriber_that_borrows_the_level_stalls_no_call_and_gets_the_changes_in_their_order() {
    let gate = Arc::new(Gate::default());
    let levels = gate.subscribe();
    let borrowed = levels.borrow();
    let changing = Arc::clone(&gate);
    let change = thread::spawn(move || changing.set_level(Some(Level::Degraded)));
    let (ended, end) = channel();
    let calling = Arc::clone(&gate);
    thread::spawn(move || {
        while calling.level() != Level::Degraded {
            thread::yield_now();
        }
        let _ = ended.send((calling.admit(&READS, false).is_ok(), calling.state().level));
    });
    assert_eq!(end.recv_timeout(Duration::from_secs(10)), Ok((true, Level::Degraded)));
    drop(borrowed);
    change.join().expect("no panic").expect("set");
    assert_eq!(*levels.borrow(), Level::Degraded);
    // Two changes at a time may end in the other order.
    gate.send(3, Level::Emergency);
    gate.send(2, Level::Minimal);
    assert_eq!(*levels.borrow(), Level::Emergency);
}

#[test]
fn a_tool_that_may_read_and_may_write_is_refused_by_either_switch() {
    let either = Gated { writes: true, ..READS };
    let gate = Gate::default();
    gate.set_level(Some(Level::Minimal)).expect("set");
    assert_eq!(reason(&gate, &either), Some(Rejected::CacheOnly));
    let gate = Gate::default();
    gate.start(switched_off(&[], &[], true)).log();
    assert_eq!(reason(&gate, &either), Some(Rejected::ReadOnly));
}

#[test]
fn a_call_that_has_waited_is_refused_by_a_switch_and_not_by_the_limit_that_it_is_counted_in() {
    let gate = Gate::default();
    let mut settings = GateSettings { level: Some(Level::Degraded), ..GateSettings::default() };
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    gate.start(settings).log();
    let _running = gate.admit(&READS, false).expect("admitted");
    assert_eq!(reason(&gate, &READS), Some(Rejected::Concurrency));
    assert_eq!(gate.refusal(&READS), None);
    gate.set_level(Some(Level::Minimal)).expect("set");
    assert_eq!(gate.refusal(&READS).map(Refusal::rejected), Some(Rejected::CacheOnly));
}
