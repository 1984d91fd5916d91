//! Levels, switches and features that are valid, and the problems of those that are not.

use std::collections::BTreeSet;

use super::*;
use crate::file::File;

fn read(text: &str) -> GateTables {
    let (file, found) = File::parse("f.toml", text);
    assert_eq!((found, file.check(false)), (vec![], vec![]));
    file.gate
}

fn settings(text: &str) -> GateSettings {
    read(text).settings()
}

/// Returns the messages about all problems in a complete file.
fn problems(text: &str) -> Vec<String> {
    let (file, mut found) = File::parse("f.toml", text);
    if found.is_empty() {
        found = file.check(true);
    }
    found.iter().map(ToString::to_string).collect()
}

fn concurrencies(settings: &GateSettings) -> Vec<Option<u32>> {
    Level::ALL.iter().map(|level| settings.levels.effect(*level).concurrency).collect()
}

fn variable(keys: &str, value: &str) -> GateTables {
    let keys: Vec<String> = keys.split('.').filter(|key| !key.is_empty()).map(ToOwned::to_owned).collect();
    let (tables, found) = GateTables::of_level_variable(&"V".into(), &keys, value);
    assert_eq!(found, []);
    tables
}

#[test]
fn levels_switches_and_features_are_read() {
    let text = r#"
        read_only = true
        [level]
        start = "degraded"
        automatic = false
        [level.degraded]
        disable = ["analytics", "exports"]
        concurrency = 40
        [level.minimal]
        read_only = true
        [level.emergency]
        disable = ["search"]
        cache_only = true
        [feature.analytics]
        [feature.exports]
        description = "Files for download"
        enabled = false
        [feature.search]
        enabled = true
        [tool."run.scenario"]
        enabled = false
        timeout = "5s"
        [tool.other]
        enabled = true
    "#;
    assert_eq!(problems(text), Vec::<String>::new());
    let read = settings(text);
    assert!(read.is_configured && !read.automatic && read.switches.read_only);
    assert_eq!(read.level, Some(Level::Degraded));
    assert_eq!(read.switches.tools.iter().collect::<Vec<_>>(), ["run.scenario"]);
    assert_eq!(read.switches.features.iter().collect::<Vec<_>>(), ["exports"]);
    assert_eq!(read.features["exports"].as_deref(), Some("Files for download"));
    assert_eq!(read.features.keys().collect::<Vec<_>>(), ["analytics", "exports", "search"]);
    let disabled = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let effect = |level| read.levels.effect(level).clone();
    assert_eq!(effect(Level::Normal), LevelEffect::default());
    let degraded = LevelEffect {
        read_only: false,
        cache_only: false,
        concurrency: Some(40),
        disabled: disabled(&["analytics", "exports"]),
    };
    assert_eq!(effect(Level::Degraded), degraded);
    let minimal = LevelEffect { read_only: true, cache_only: true, concurrency: Some(20), ..degraded };
    assert_eq!(effect(Level::Minimal), minimal);
    let emergency =
        LevelEffect { concurrency: Some(5), disabled: disabled(&["analytics", "exports", "search"]), ..minimal };
    assert_eq!(effect(Level::Emergency), emergency);
    let (file, _) = File::parse("f.toml", text);
    assert!(file.tools["run.scenario"].timeout.is_some() && file.tools["other"].any_place().is_none());
}

#[test]
fn a_file_that_contains_none_of_them_configures_no_gate() {
    let read = settings("[default]\ntimeout = \"5s\"\n[tool.x]\n[profile.y]\n[breaker.z]\nenabled = false\n");
    assert_eq!(read, GateSettings::default());
}

#[test]
fn a_word_that_is_not_written_is_as_strict_as_the_level_before() {
    let read = settings("[level.degraded]\nconcurrency = 3\ncache_only = true\nread_only = true\n");
    assert_eq!(concurrencies(&read), [None, Some(3), Some(3), Some(3)]);
    assert!(read.levels.effect(Level::Minimal).read_only && read.levels.effect(Level::Minimal).cache_only);
    let read = settings("[level.emergency]\nread_only = false\nconcurrency = 20\n");
    assert!(!read.levels.effect(Level::Emergency).read_only);
    assert_eq!(concurrencies(&read), [None, Some(50), Some(20), Some(20)]);
}

#[test]
fn a_stronger_source_replaces_words_and_switches_add_up() {
    let mut all = read(
        r#"
        read_only = true
        [level]
        automatic = true
        [level.degraded]
        disable = ["a", "b"]
        concurrency = 40
        [feature.a]
        description = "first"
        enabled = false
        [feature.b]
        [tool.x]
        enabled = false
        [tool.y]
        enabled = true
        "#,
    );
    all.add(&read(
        r#"
        read_only = false
        [level]
        start = "minimal"
        [level.degraded]
        disable = ["b"]
        cache_only = true
        [feature.a]
        enabled = true
        [feature.b]
        description = "second"
        enabled = false
        [tool.x]
        enabled = true
        [tool.y]
        enabled = false
        "#,
    ));
    all.add(&variable("", "normal"));
    all.add(&variable("degraded.concurrency", "30"));
    all.add(&variable("degraded.disable", "a, c"));
    let settings = all.settings();
    assert_eq!((settings.level, settings.automatic), (Some(Level::Normal), true), "a stronger source pins the level");
    assert!(settings.switches.read_only && !settings.switches.is_empty());
    assert_eq!(settings.switches.tools.iter().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(settings.switches.features.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(settings.features["a"].as_deref(), Some("first"));
    assert_eq!(settings.features["b"].as_deref(), Some("second"));
    let degraded = settings.levels.effect(Level::Degraded);
    assert_eq!((degraded.concurrency, degraded.cache_only), (Some(30), true));
    assert_eq!(degraded.disabled.iter().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn mistakes_are_reported_where_they_are() {
    let reported = problems(
        r#"
        read_only = "yes"
        read_onyl = true
        level.start = "degarded"
        level.automatic = 1
        level.strat = "minimal"
        level.minimal = 3
        level.normal.concurrency = 3
        level.degraded.concurrency = 0
        level.degraded.cache_only = "true"
        level.degraded.disabled = ["x"]
        level.degraded.disable = "x"
        level.emergency.disable = ["a b", "", "ok"]
        level.degarded.concurrency = 5
        tool.x.enabled = "no"
        tool.x.read_only = true
        tool.x.enabeld = true
        default.enabled = false
        feature.a.enabled = 0
        feature.a.description = 1
        feature.a.descripton = ""
        feature.none = {}
        feature."a b" = {}
        feature.b = true
        "#,
    );
    let expected = [
        "f.toml:2:21: `read_only`: expected `true` or `false`",
        "f.toml:3:9: `read_onyl`: unknown key `read_onyl`; did you mean `read_only`?",
        "f.toml:4:23: `level.start`: unknown level `degarded`; did you mean `degraded`?",
        "f.toml:5:27: `level.automatic`: expected `true` or `false`",
        "f.toml:6:15: `level.strat`: unknown key `strat`; did you mean `start`?",
        "f.toml:7:25: `level.minimal`: expected a table: `[level.minimal]`",
        "f.toml:8:15: `level.normal`: the level `normal` takes nothing away, so nothing can be set for it; expected one \
         of `degraded`, `minimal`, `emergency`",
        "f.toml:9:38: `level.degraded.concurrency`: expected at least 1, found 0",
        "f.toml:10:37: `level.degraded.cache_only`: this stands without quotes; write `true`",
        "f.toml:11:24: `level.degraded.disabled`: unknown key `disabled`; did you mean `disable`?",
        "f.toml:12:34: `level.degraded.disable`: expected features in a list: `disable = [\"analytics\"]`",
        "f.toml:13:36: `level.emergency.disable`: ` ` is not allowed in a name; expected letters, digits, `_`, `.` or \
         `-`",
        "f.toml:13:43: `level.emergency.disable`: a name must not be empty",
        "f.toml:14:15: `level.degarded`: unknown key `degarded`; did you mean `degraded`?",
        "f.toml:15:26: `tool.x.enabled`: expected `true` or `false`",
        "f.toml:16:28: `tool.x.read_only`: this is set for the whole server: before the first table of the file, or \
         with `RESILIENT_READ_ONLY`",
        "f.toml:17:16: `tool.x.enabeld`: unknown key `enabeld`; did you mean `enabled`?",
        "f.toml:18:17: `default.enabled`: unknown key `enabled`; expected one of `timeout`, `attempt_timeout`, `retry`, \
         `breaker`, `bulkhead`, `rate_limit`, `cache`, `deferred`",
        "f.toml:19:29: `feature.a.enabled`: expected `true` or `false`",
        "f.toml:20:33: `feature.a.description`: expected a text in quotes",
        "f.toml:21:19: `feature.a.descripton`: unknown key `descripton`; did you mean `description`?",
        "f.toml:22:17: `feature.none`: `none` takes something away and cannot be a name",
        "f.toml:23:17: `feature.a b`: ` ` is not allowed in a name; expected letters, digits, `_`, `.` or `-`",
        "f.toml:24:21: `feature.b`: expected a table: `[feature.b]`",
    ];
    assert_eq!(reported.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    assert_eq!(
        problems("level = \"minimal\"\n"),
        ["f.toml:1:9: `level`: expected a table: `[level]` with `start = \"minimal\"`"]
    );
    assert_eq!(problems("feature = []\n"), ["f.toml:1:11: `feature`: expected tables with names: `[feature.NAME]`"]);
}

// rule 66
#[test]
fn a_level_that_the_file_sets_does_not_follow_the_health() {
    let message = "`level.start`: `start` sets the level, so that it cannot follow the health; remove `start` or \
                   `automatic`";
    for (text, place) in [
        ("[level]\nstart = \"normal\"\nautomatic = true\n", "f.toml:2:9"),
        ("[level]\nautomatic = true\n\nstart = \"minimal\"\n", "f.toml:4:9"),
    ] {
        assert_eq!(problems(text), [format!("{place}: {message}")], "{text}");
    }
    assert!(settings("[level]\nautomatic = true\n").automatic);
    assert_eq!(settings("[level]\nstart = \"minimal\"\nautomatic = false\n").level, Some(Level::Minimal));
}

#[test]
fn what_can_refuse_no_call_configures_no_gate() {
    for text in ["[feature.exports]\n", "read_only = false\n", "[tool.x]\nenabled = true\n"] {
        assert!(!settings(text).is_configured, "{text}");
    }
    for text in [
        "[feature.exports]\nenabled = false\n",
        "read_only = true\n",
        "[level]\nautomatic = true\n",
        "[level.minimal]\n",
        "level.start = \"normal\"\n",
    ] {
        assert!(settings(text).is_configured, "{text}");
    }
}

#[test]
fn two_files_set_the_same_policies_whatever_their_lines() {
    let file = |text: &str| File::parse("f.toml", text).0;
    let text = "[default]\ntimeout = \"5s\"\n[tool.x]\nretry = { max = 3 }\n[profile.y]\nbulkhead = 4\n\
                [breaker.z]\nopen = \"5s\"\n";
    let same = format!("# A comment.\n\n{text}# Another one.\n[level]\nstart = \"minimal\"\n");
    assert!(file(text).sets_policies_of(&file(&same)));
    for (from, to) in [("5s", "6s"), ("3", "4"), ("bulkhead = 4", ""), ("tool.x", "tool.w"), ("open = \"5s\"", "")] {
        assert!(!file(text).sets_policies_of(&file(&text.replace(from, to))), "{from}");
    }
}

// rule 66
#[test]
fn a_level_is_at_least_as_strict_as_the_one_before() {
    assert_eq!(
        problems(
            "[level.degraded]\nconcurrency = 10\ncache_only = true\n[level.minimal]\nconcurrency = 11\ncache_only = \
             false\n"
        ),
        [
            "f.toml:5:15: `level.minimal.concurrency`: this is less strict than the level `degraded`, which has \
             `concurrency = 10`; expected at most 10",
            "f.toml:6:14: `level.minimal.cache_only`: this is less strict than the level `degraded`, which has \
             `cache_only = true`; remove this",
        ]
    );
    // The default of the level before counts.
    assert_eq!(
        problems("[level.minimal]\nconcurrency = 60\n[level.emergency]\ncache_only = false\n"),
        [
            "f.toml:2:15: `level.minimal.concurrency`: this is less strict than the level `degraded`, which has \
             `concurrency = 50`; expected at most 50",
            "f.toml:4:14: `level.emergency.cache_only`: this is less strict than the level `minimal`, which has \
             `cache_only = true`; remove this",
        ]
    );
    assert_eq!(problems("[level.degraded]\nread_only = false\n[level.minimal]\ncache_only = false\n").len(), 0);
}

// rule 65
#[test]
fn a_level_disables_declared_features_alone() {
    assert_eq!(
        problems("[level.degraded]\ndisable = [\"analytcs\"]\n[feature.analytics]\n"),
        ["f.toml:2:12: `level.degraded.disable`: no feature `analytcs`; did you mean `analytics`?"]
    );
    assert_eq!(
        problems("[level.degraded]\ndisable = [\"analytics\"]\n"),
        ["f.toml:2:12: `level.degraded.disable`: no feature `analytics`; declare it with `[feature.analytics]`"]
    );
    let (file, _) = File::parse("f.toml", "[feature.analytics]\n");
    assert_eq!(file.knows_feature("analytics", ""), Ok(()));
    let unknown = file.knows_feature("analytcs", " in `resilient.toml`");
    assert_eq!(unknown, Err("no feature `analytcs` in `resilient.toml`; did you mean `analytics`?".into()));
    assert_eq!(File::default().knows_feature("any", ""), Ok(()));
}

#[test]
fn variables_below_level_are_read_like_the_table() {
    let reported = |keys: &str, value: &str| {
        let keys: Vec<String> = keys.split('.').filter(|key| !key.is_empty()).map(ToOwned::to_owned).collect();
        let (_, found) = GateTables::of_level_variable(&"V".into(), &keys, value);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(variable("automatic", "on").settings().automatic);
    assert_eq!(concurrencies(&variable("minimal.concurrency", " 7 ").settings())[2], Some(7));
    assert_eq!(variable("degraded.disable", "").levels[&Level::Degraded].disable, Some(vec![]));
    assert_eq!(reported("", "minmal"), ["V: `level`: unknown level `minmal`; did you mean `minimal`?"]);
    assert_eq!(
        reported("minimal.concurrency", "many"),
        ["V: `level.minimal.concurrency`: expected a whole number, found `many`"]
    );
    assert_eq!(
        reported("minimal.cache", "1"),
        ["V: `level.minimal.cache`: unknown key `cache`; did you mean `cache_only`?"]
    );
    assert_eq!(reported("start", "minimal"), ["V: `level.start`: in a variable the level stands without this key"]);
}

proptest::proptest! {
    #[test]
    fn no_level_is_less_strict_than_the_one_before_unless_it_is_reported(
        words in proptest::collection::vec(
            (0_usize..3, "concurrency = [1-9][0-9]?|cache_only = (true|false)|read_only = (true|false)"), 0..6
        ),
    ) {
        let mut text = String::new();
        for (at, level) in ["degraded", "minimal", "emergency"].iter().enumerate() {
            text.extend(["[level.", level, "]\n"]);
            let mut seen = BTreeSet::new();
            for (_, word) in words.iter().filter(|(of, _)| *of == at) {
                if seen.insert(word.split(' ').next()) {
                    text.extend([word, "\n"]);
                }
            }
        }
        let (file, _) = File::parse("f.toml", &text);
        let levels = file.gate.settings().levels;
        let is_monotonic = Level::ALL.windows(2).all(|pair| {
            let (before, after) = (levels.effect(pair[0]), levels.effect(pair[1]));
            before.concurrency.is_none_or(|most| after.concurrency.is_some_and(|own| own <= most))
                && (after.cache_only || !before.cache_only)
                && (after.read_only || !before.read_only)
        });
        proptest::prop_assert_eq!(is_monotonic, file.check(true).is_empty(), "{}", text);
    }
}
