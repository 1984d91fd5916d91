//! What the model reads of arguments that do not fit, over rmcp's own client.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use resilient_runtime::{Registry, ResilienceError, mcp, resilient};
use resilient_tests::in_process::{Client, call, connect, meta, text};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::JsonObject;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _, Unexpected};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

const ERROR: &str = "io.crates.resilient-runtime/error";

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    #[expect(dead_code, reason = "it is read, and that is all")]
    id: u64,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are read, and that is all")]
struct Listing {
    #[serde(rename = "teamId")]
    team_id: u64,
    #[serde(default)]
    limit: Option<u8>,
    #[serde(default)]
    order: Option<Order>,
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    labels: HashMap<String, bool>,
    #[serde(default)]
    pair: Option<(u8, u8)>,
    #[serde(default)]
    api_key: Option<u64>,
    #[serde(default, deserialize_with = "even")]
    even: u64,
    #[serde(default, deserialize_with = "a_key")]
    key: Option<String>,
    #[serde(default)]
    headers: Vec<Header>,
    #[serde(default)]
    api_keys: HashMap<String, u64>,
    #[serde(default)]
    credentials: Option<Item>,
    #[serde(default)]
    session: Vec<Item>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are read, and that is all")]
struct Header {
    name: String,
    value: u64,
}

/// Its words show the value, as such words do.
fn a_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.contains('-') { Ok(Some(text)) } else { Err(D::Error::custom(format!("`{text}` is none, as `K-7` is"))) }
}

fn even<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number % 2 == 0 { Ok(number) } else { Err(D::Error::custom(format!("{number} is odd"))) }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are read, and that is all")]
struct Flat {
    team: u64,
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are read, and that is all")]
struct Page {
    offset: u64,
    pin: Option<u64>,
    password: Option<u64>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are read, and that is all")]
struct Buffered {
    team: u64,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are read, and that is all")]
struct Rest {
    #[serde(deserialize_with = "from_text")]
    small: u8,
}

/// Its words are about the number that the text holds.
fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
    u8::try_from(number).map_err(|_| D::Error::invalid_value(Unexpected::Unsigned(number), &"u8"))
}

/// The block does not see that these are arguments.
type Alias = Parameters<Listing>;

/// No type of serde's derive.
#[derive(Debug, Clone, JsonSchema)]
struct ByHand {}

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = BTreeMap::<String, Value>::deserialize(deserializer)?;
        assert!(!object.contains_key("panic"), "on purpose");
        Err(D::Error::custom("by hand, nothing fits"))
    }
}

/// Refuses the first value, and panics at every other.
#[derive(Debug, Clone, JsonSchema)]
struct Once {}

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static IS_READ: AtomicBool = AtomicBool::new(false);
        let object = BTreeMap::<String, String>::deserialize(deserializer)?;
        assert!(!IS_READ.swap(true, Ordering::Relaxed), "on purpose");
        Err(D::Error::custom(format!("{object:?} came too early")))
    }
}

mod nested {
    pub(super) use rmcp::handler::server::wrapper;
}

struct Shop<T>(std::marker::PhantomData<fn(T)>);

#[resilient(timeout = "2s")]
#[tool_router]
impl<T: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static> Shop<T> {
    #[tool]
    async fn list(&self, Parameters(listing): Parameters<Listing>) -> Result<String, ResilienceError> {
        Ok(format!("{listing:?}"))
    }

    #[tool]
    async fn hooked(&self, Parameters(listing): Parameters<Listing>) -> String {
        format!("{listing:?}")
    }

    #[resilient(skip)]
    #[tool]
    async fn skipped(&self, Parameters(listing): Parameters<Listing>) -> Result<String, ResilienceError> {
        Ok(format!("{listing:?}"))
    }

    #[tool(name = "a-sync")]
    fn sync(&self, Parameters(listing): nested::wrapper::Parameters<Listing>) -> String {
        let Self(_) = self;
        format!("{listing:?}")
    }

    #[resilient(fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn kept(&self, Parameters(listing): Parameters<Listing>) -> Result<String, ResilienceError> {
        Ok(format!("{listing:?}"))
    }

    #[tool]
    async fn generic(&self, _: Parameters<T>) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    #[tool]
    async fn flat(&self, Parameters(flat): Parameters<Flat>) -> Result<String, ResilienceError> {
        Ok(format!("{flat:?}"))
    }

    #[tool]
    async fn buffered(&self, Parameters(buffered): Parameters<Buffered>) -> Result<String, ResilienceError> {
        Ok(format!("{buffered:?}"))
    }

    #[tool]
    async fn alias(&self, Parameters(listing): Alias) -> Result<String, ResilienceError> {
        Ok(format!("{listing:?}"))
    }

    #[tool]
    async fn map(&self, Parameters(map): Parameters<JsonObject>) -> Result<String, ResilienceError> {
        Ok(Value::Object(map).to_string())
    }

    #[tool]
    async fn by_hand(&self, _: Parameters<ByHand>) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    #[tool]
    async fn once(&self, _: Parameters<Once>) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// The first takes all of the arguments.
    #[tool]
    async fn two(&self, _: JsonObject, _: Parameters<Item>) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[tool_handler(router = Self::tool_router())]
impl<T: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static> ServerHandler for Shop<T> {}

struct Plain {
    router: ToolRouter<Self>,
}

#[tool_router]
impl Plain {
    #[tool]
    async fn list(&self, Parameters(listing): Parameters<Listing>) -> String {
        format!("{listing:?}")
    }
}

#[tool_handler(router = self.router)]
impl ServerHandler for Plain {}

/// The error without its code and its id.
async fn told(client: &Client, tool: &'static str, arguments: Value) -> String {
    let result = call(client, tool, &arguments).await;
    assert_eq!(result.is_error, Some(true), "{tool} {arguments}: {}", text(&result));
    assert_eq!(meta(&result, ERROR)["code"], "INVALID_ARGUMENTS", "{tool} {arguments}");
    let text = text(&result);
    let message = text.strip_prefix("INVALID_ARGUMENTS: ").expect("the code first");
    let end = message.find(". Correct the arguments").expect("the hint last");
    message[..end].to_owned()
}

async fn shop() -> Client {
    connect(Shop::<Item>(std::marker::PhantomData)).await
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_are_told_by_path_with_what_was_expected_first() {
    let client = shop().await;
    let item = |id: Value| json!({ "teamId": 1, "items": [{ "id": 1 }, id] });
    for (arguments, expected) in [
        (json!({ "teamId": "x", "limit": 5 }), "argument `teamId`: expected u64, received string \"x\""),
        (json!({ "limit": 5 }), "argument `teamId` is missing"),
        (json!({ "teamId": 1, "limit": 300 }), "argument `limit`: expected u8, received integer `300`"),
        (json!({ "teamId": -1 }), "argument `teamId`: expected u64, received integer `-1`"),
        (json!({ "teamId": 1.5 }), "argument `teamId`: expected u64, received floating point `1.5`"),
        (json!({ "teamId": null }), "argument `teamId`: expected u64, received null"),
        (json!({ "teamId": [1] }), "argument `teamId`: expected u64, received an array"),
        (json!({ "teamId": 1, "items": 7 }), "argument `items`: expected an array, received integer `7`"),
        (
            json!({ "teamId": 1, "order": "latest" }),
            "argument `order`: expected `newest` or `oldest`, received string \"latest\"",
        ),
        (item(json!({ "id": "2" })), "argument `items[1].id`: expected u64, received string \"2\""),
        (item(json!({})), "argument `items[1].id` is missing"),
        (item(json!({ "id": 2, "nr": 3 })), "argument `items[1].nr` is unknown: expected `id`"),
        (item(json!("two")), "argument `items[1]`: expected an object, received string \"two\""),
        (
            json!({ "teamId": 1, "labels": { "a.b": "yes" } }),
            "argument `labels.a.b`: expected a boolean, received string \"yes\"",
        ),
        (json!({ "teamId": 1, "pair": [1] }), "argument `pair`: expected a tuple of size 2, received length 1"),
        (json!({ "teamId": 1, "even": 3 }), "argument `even`: 3 is odd"),
    ] {
        assert_eq!(told(&client, "list", arguments).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn every_tool_of_a_block_explains_its_arguments_whatever_guards_it() {
    let client = shop().await;
    for tool in ["list", "hooked", "skipped", "a-sync", "kept"] {
        // Once more, when it is known whether the tool keeps answers.
        for _ in 0..2 {
            let told = told(&client, tool, json!({ "teamId": "x" })).await;
            assert_eq!(told, "argument `teamId`: expected u64, received string \"x\"", "{tool}");
            let good = call(&client, tool, &json!({ "teamId": 1 })).await;
            assert_eq!(good.is_error, Some(false), "{tool}");
        }
    }
    assert_eq!(told(&client, "generic", json!({})).await, "argument `id` is missing");
}

#[tokio::test(start_paused = true)]
async fn a_long_value_is_shortened_in_the_middle_and_pushes_nothing_out() {
    let client = shop().await;
    let long = format!("begins{}ends", "-".repeat(1_200));
    for tool in ["list", "kept"] {
        let told = told(&client, tool, json!({ "teamId": long })).await;
        assert!(told.starts_with("argument `teamId`: expected u64, received string \"begins---"), "{told}");
        assert!(told.ends_with("---ends\"") && told.contains("-…-") && told.chars().count() < 200, "{told}");
    }
    let key = "k".repeat(1_200);
    let told = told(&client, "list", json!({ "teamId": 1, "labels": { key: "no" } })).await;
    assert!(told.ends_with("kk`: expected a boolean, received string \"no\""), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_value_under_the_name_of_a_secret_is_never_shown() {
    let client = shop().await;
    for (tool, arguments, expected) in [
        (
            "list",
            json!({ "teamId": 1, "api_key": "hunter-two" }),
            "argument `api_key`: expected u64, received string ***",
        ),
        (
            "list",
            json!({ "teamId": 1, "api_key": 7_771.5 }),
            "argument `api_key`: expected u64, received floating point ***",
        ),
        (
            "list",
            json!({ "teamId": 1, "api_key": { "is": "hunter-two" } }),
            "argument `api_key`: expected u64, received an object",
        ),
        (
            "list",
            json!({ "teamId": 1, "headers": [{ "name": "x-api-key", "value": "hunter-two" }] }),
            "argument `headers[0].value`: expected u64, received string ***",
        ),
        ("list", json!({ "teamId": 1, "key": "HUNTER" }), "argument `key`: `***` is none, as `K-7` is"),
        ("list", json!({ "teamId": 1, "key": "one" }), "argument `key`: the value was not accepted"),
        (
            "flat",
            json!({ "team": 1, "offset": 2, "password": "hunter \"two\"" }),
            "argument `password`: expected u64, received string ***",
        ),
        (
            "list",
            json!({ "teamId": "Bearer abcdef0123456789" }),
            "argument `teamId`: expected u64, received string \"Bearer ***\"",
        ),
    ] {
        let told = told(&client, tool, arguments).await;
        assert_eq!(told, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_below_the_name_of_a_secret_are_never_shown() {
    let client = shop().await;
    let with = |name: &str, value: Value| json!({ "teamId": 1, name: value });
    for (arguments, expected) in [
        (
            with("api_keys", json!({ "hunter2-the-key": "x" })),
            "argument `api_keys.***`: expected u64, received string ***",
        ),
        (with("credentials", json!({ "hunter2": 1 })), "argument `credentials.***` is unknown: expected `id`"),
        (with("credentials", json!({})), "argument `credentials.id` is missing"),
        (with("session", json!([{ "id": 1 }, {}])), "argument `session[1].id` is missing"),
        (with("session", json!([{ "hunter2": 1 }])), "argument `session[0].***` is unknown: expected `id`"),
        (
            json!({ "teamId": 1, "api_keys": { "hunter2": 1 }, "key": "Hunter2" }),
            "argument `key`: `***` is none, as `K-7` is",
        ),
        (
            json!({ "teamId": "hunter2", "api_keys": { "hunter2": 1 } }),
            "argument `teamId`: expected u64, received string ***",
        ),
    ] {
        assert_eq!(told(&client, "list", arguments).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_under_the_name_of_a_secret_is_not_shown_where_arguments_are_not_explained() {
    let by_hand = connect(Plain { router: mcp::instrument(Plain::tool_router()) }).await;
    let client = shop().await;
    let long = "x".repeat(1 << 16);
    for (arguments, expected) in [
        (json!({ "api_key": "hunter2" }), "invalid type: string ***, expected u64"),
        (json!({ "api_key": "x1" }), "invalid type: string ***, expected u64"),
        (json!({ "api_key": 7_771.5 }), "invalid type: floating point ***, expected u64"),
        (json!({ "key": "hunter2" }), "`***` is none, as `K-7` is"),
        (json!({ "key": "one" }), "the value was not accepted"),
        (json!({ "credentials": { "hunter2": 1 } }), "unknown field `***`, expected `id`"),
        (json!({ "limit": "many" }), "invalid type: string \"many\", expected u8"),
        (json!({ "api_key": "hunter2", "long": long }), "invalid type: string ***, expected u64"),
        (json!({ "api_key": ["hunter2"], "long": long }), "invalid type: sequence, expected u64"),
        (json!({ "key": "hunter2", "long": long }), "the value was not accepted"),
        (json!({ "order": "hunter2", "long": long }), "unknown variant ***, expected `newest` or `oldest`"),
        (json!({ "credentials": { "hunter2": 1 }, "long": long }), "unknown field ***, expected `id`"),
        (json!({ "credentials": {}, "long": long }), "missing field `id`"),
    ] {
        let mut arguments = arguments;
        arguments["teamId"] = 1.into();
        for (client, tool) in [(&client, "alias"), (&by_hand, "list")] {
            let told = told(client, tool, arguments.clone()).await;
            assert_eq!(told, format!("failed to deserialize parameters: {expected}"), "{tool}");
        }
    }
    let panicked = told(&client, "once", json!({ "password": "hunter2" })).await;
    assert_eq!(panicked, "failed to deserialize parameters: {\"password\": \"***\"} came too early");
    let kept = format!("{:?}", Registry::global().recent_errors());
    assert!(kept.contains("expected u64") && !kept.to_lowercase().contains("hunter2"), "{kept}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_only_looks_like_the_wrong_one_is_not_blamed() {
    let client = shop().await;
    let wrong = told(&client, "buffered", json!({ "team": 300, "small": "300" })).await;
    assert_eq!(wrong, "the arguments: expected u8, received integer `300`");
    let right = told(&client, "buffered", json!({ "team": "x", "small": "3" })).await;
    assert_eq!(right, "argument `team`: expected u64, received string \"x\"");
    let negative = told(&client, "flat", json!({ "team": 1, "offset": -1 })).await;
    assert_eq!(negative, "argument `offset`: expected u64, received integer `-1`");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_serde_read_into_a_buffer_is_found_by_its_value() {
    let client = shop().await;
    let found = told(&client, "flat", json!({ "team": 1, "offset": "y" })).await;
    assert_eq!(found, "argument `offset`: expected u64, received string \"y\"");
    let twice = told(&client, "flat", json!({ "team": 1, "offset": "y", "other": "y" })).await;
    assert_eq!(twice, "the arguments: expected u64, received string \"y\"", "two could be meant");
    assert_eq!(told(&client, "flat", json!({ "team": 1 })).await, "argument `offset` is missing");
}

#[tokio::test(start_paused = true)]
async fn types_with_their_own_way_of_reading_are_told_in_their_own_words() {
    let client = shop().await;
    assert_eq!(told(&client, "by_hand", json!({})).await, "the arguments: by hand, nothing fits");
    let panicked = call(&client, "by_hand", &json!({ "panic": 1 })).await;
    assert_eq!(meta(&panicked, ERROR)["kind"], "internal");
    assert_eq!(told(&client, "two", json!({ "id": 1 })).await, "argument `id` is missing");
    let anything = call(&client, "map", &json!({ "a": [1] })).await;
    assert_eq!(text(&anything), r#"{"a":[1]}"#);
}

#[tokio::test(start_paused = true)]
async fn very_long_arguments_and_routers_instrumented_by_hand_are_told_in_the_words_of_rmcp() {
    let client = shop().await;
    let much = "x".repeat(1 << 16);
    // The last good answers of a tool go by arguments of any length.
    for tool in ["list", "kept", "kept"] {
        let told_of_much = told(&client, tool, json!({ "teamId": true, "much": much })).await;
        assert_eq!(told_of_much, "failed to deserialize parameters: invalid type: boolean ***, expected u64");
        call(&client, tool, &json!({ "teamId": 1 })).await;
    }
    let by_hand = connect(Plain { router: mcp::instrument(Plain::tool_router()) }).await;
    let told_by_hand = told(&by_hand, "list", json!({ "teamId": true })).await;
    assert_eq!(told_by_hand, "failed to deserialize parameters: invalid type: boolean `true`, expected u64");
}
