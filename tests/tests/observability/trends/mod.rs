//! A day of errors in paused time, at rates that change every hour. After every ten minutes, operators read the trends
//! that follow from a list of all errors.

#[cfg(target_os = "linux")]
mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::health::Health;
use resilient_runtime::{Registry, mcp, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, Client, call};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    how: String,
}

struct Shop;

#[resilient]
#[tool_router]
impl Shop {
    /// Ends as its argument says.
    #[tool]
    async fn trends_read(&self, Parameters(Ask { how }): Parameters<Ask>) -> Result<String, ShopError> {
        end(&how)
    }

    /// Ends as its argument says.
    #[tool]
    async fn trends_write(&self, Parameters(Ask { how }): Parameters<Ask>) -> Result<String, ShopError> {
        end(&how)
    }
}

#[resilient]
#[tool_handler(router = Self::tool_router() + mcp::operator_tools(&Arc::new(Health::new())))]
impl ServerHandler for Shop {}

fn end(how: &str) -> Result<String, ShopError> {
    match how {
        "SHOP_DOWN" => Err(ShopError::Down("password=hunter2".into())),
        "SHOP_FULL" => Err(ShopError::Full),
        "SHOP_MISSING" => Err(ShopError::Missing("such thing".into())),
        _ => Ok(how.into()),
    }
}

/// A tool and a code.
type Pair = (&'static str, &'static str);

/// The number of errors in each hour of the day.
const RATES: [(Pair, [u64; 24]); 4] = [
    // Two outages, the first of which comes and goes slowly.
    (
        ("trends_read", "SHOP_DOWN"),
        [0, 0, 5, 10, 20, 40, 80, 120, 120, 120, 100, 60, 30, 10, 5, 0, 0, 0, 0, 240, 240, 60, 0, 0],
    ),
    // Callers' mistakes at an even rate.
    (("trends_write", "SHOP_MISSING"), [15; 24]),
    // Too few to say anything, however they vary.
    (("trends_read", "SHOP_FULL"), [1, 9, 2, 8, 0, 9, 0, 7, 1, 9, 0, 0, 3, 9, 1, 1, 8, 2, 6, 0, 9, 9, 0, 4]),
    // Up and down.
    (
        ("trends_write", "SHOP_DOWN"),
        [12, 24, 12, 30, 12, 18, 12, 40, 12, 4, 12, 24, 48, 96, 48, 24, 12, 6, 3, 1, 2, 4, 8, 16],
    ),
];

/// What operators have to read after these hours.
const EXPECTED: [(u64, Pair, &str); 10] = [
    (6, ("trends_read", "SHOP_DOWN"), "rising"),
    (10, ("trends_read", "SHOP_DOWN"), "steady"),
    (14, ("trends_read", "SHOP_DOWN"), "falling"),
    (20, ("trends_read", "SHOP_DOWN"), "rising"),
    (21, ("trends_read", "SHOP_DOWN"), "steady"),
    (23, ("trends_read", "SHOP_DOWN"), "falling"),
    (12, ("trends_write", "SHOP_MISSING"), "steady"),
    (14, ("trends_read", "SHOP_FULL"), "steady"),
    (14, ("trends_write", "SHOP_DOWN"), "rising"),
    (19, ("trends_write", "SHOP_DOWN"), "steady"),
];

/// The number of errors in the given minute of the day, if those of an hour are spread evenly.
fn errors_in(minute: u64, rates: &[u64; 24]) -> u64 {
    let rate = usize::try_from(minute / 60).ok().and_then(|hour| rates.get(hour)).expect("an hour of the day");
    let until = |minutes: u64| minutes * rate / 60;
    until(minute % 60 + 1) - until(minute % 60)
}

/// Computes a trend from the minutes of all errors. The hours move on in steps of five minutes, the first of which had
/// begun `phase` minutes before the first error.
fn reference(errors: &[u64], now: u64, phase: u64) -> (String, u64, u64, u64) {
    let step = |minute: u64| (minute + phase) / 5;
    let between = |from: u64, to: u64| {
        let ages = errors.iter().map(|at| step(now) - step(*at));
        ages.map(|age| u64::from((from..to).contains(&age))).sum::<u64>()
    };
    let (last, before, day) = (between(0, 12), between(12, 24), between(0, 288));
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let ratio = if before == 0 { f64::INFINITY } else { last as f64 / before as f64 };
    let name = match (last, before) {
        (10.., _) if ratio > 1.5 => "rising",
        (_, 10..) if ratio < 0.5 => "falling",
        _ => "steady",
    };
    (name.into(), last, before, day)
}

/// Returns the trends that the tool `recent_errors` shows of a tool, by code.
async fn shown(client: &Client, tool: &'static str) -> BTreeMap<String, (String, u64, u64, u64)> {
    let answer = call(client, "recent_errors", &json!({ "tool": tool })).await.structured_content.expect("structured");
    let trends = answer["trends"].as_array().expect("trends").iter().map(|trend| {
        let text = |key: &str| trend[key].as_str().expect("a text").to_owned();
        let number = |key: &str| trend[key].as_u64().expect("a number");
        assert_eq!(trend["tool"], tool);
        let hours: Vec<_> = trend["hours"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        assert_eq!((hours.len(), hours.iter().sum()), (24, number("last_24_hours")));
        assert_eq!(hours[22..], [number("hour_before"), number("last_hour")]);
        (text("code"), (text("trend"), number("last_hour"), number("hour_before"), number("last_24_hours")))
    });
    trends.collect()
}

#[tokio::test(start_paused = true)]
async fn the_trends_of_a_day_are_those_of_a_list_of_its_errors_and_an_idle_day_has_none() {
    let client = in_process::connect(Shop).await;
    let start = Instant::now();
    let mut errors: BTreeMap<Pair, Vec<u64>> = BTreeMap::new();
    // The steps are those of the runtime's clock, whose origin the test does not know.
    let mut phases: Vec<u64> = (0..5).collect();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for minute in 0..24 * 60 {
        sleep_until(start + Duration::from_secs(60 * minute)).await;
        for (pair @ (tool, code), rates) in RATES {
            for _ in 0..errors_in(minute, &rates) {
                call(&client, tool, &json!({ "how": code })).await;
                errors.entry(pair).or_default().push(minute);
            }
        }
        call(&client, "trends_read", &json!({ "how": "well" })).await;
        if minute % 10 != 9 {
            continue;
        }
        let now = minute + 1;
        let mut seen = BTreeMap::new();
        for tool in ["trends_read", "trends_write"] {
            let shown = shown(&client, tool).await;
            let of_tool = RATES.iter().filter(|((of, _), _)| *of == tool);
            seen.extend(of_tool.map(|(pair, _)| (*pair, shown.get(pair.1).cloned())));
        }
        let expected = |pair: Pair, phase: u64| errors.get(&pair).map(|errors| reference(errors, minute, phase));
        phases.retain(|phase| seen.iter().all(|(pair, seen)| *seen == expected(*pair, *phase)));
        assert!(!phases.is_empty(), "after {now} minutes, no phase explains {seen:?}");
        for (pair, seen) in seen {
            let Some((name, ..)) = seen else { continue };
            let mut expected = EXPECTED.iter().filter(|(hour, of, _)| (hour * 60, *of) == (now, pair));
            assert!(expected.all(|(_, _, expected)| *expected == name), "after {now} minutes, {pair:?} is {name}");
            *names.entry(name).or_default() += 1;
        }
    }
    assert!(names.len() == 3 && names.values().all(|count| *count >= 20), "{names:?}");

    // A machine that slept: the clock jumps.
    tokio::time::advance(Duration::from_secs(7 * 60 * 60)).await;
    call(&client, "trends_read", &json!({ "how": "SHOP_DOWN" })).await;
    let hours = Registry::global().errors_by_hour("trends_read");
    assert_eq!((hours[17..23].iter().sum::<u64>(), hours[23]), (0, 1), "{hours:?}");
    tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
    for tool in ["trends_read", "trends_write"] {
        assert_eq!((shown(&client, tool).await.len(), Registry::global().errors_by_hour(tool)), (0, [0; 24]));
    }
    let groups = Registry::global().error_groups();
    let counted = |(tool, code): Pair| groups.iter().find(|group| (&*group.tool, &*group.code) == (tool, code));
    let all = errors[&("trends_read", "SHOP_DOWN")].len() as u64 + 1;
    assert_eq!(counted(("trends_read", "SHOP_DOWN")).map(|group| group.count), Some(all));
}
