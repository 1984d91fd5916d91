//! Servers with arguments of each shape.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use resilient_runtime::{ResilienceError, mcp, resilient};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::JsonObject;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _, Unexpected};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Item {
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

/// Its message contains the value, as custom messages of serde often do.
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

/// Its message is about the number in the text.
fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
    u8::try_from(number).map_err(|_| D::Error::invalid_value(Unexpected::Unsigned(number), &"u8"))
}

/// The block cannot see that these are arguments.
type Alias = Parameters<Listing>;

/// A type without serde's derive.
#[derive(Debug, Clone, JsonSchema)]
struct ByHand {}

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = BTreeMap::<String, Value>::deserialize(deserializer)?;
        assert!(!object.contains_key("panic"), "on purpose");
        Err(D::Error::custom("by hand, nothing fits"))
    }
}

/// Rejects the first value, and panics at the next.
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

pub(super) struct Shop<T>(pub(super) PhantomData<fn(T)>);

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

pub(super) struct Plain {
    router: ToolRouter<Self>,
}

impl Plain {
    pub(super) fn new() -> Self {
        Self { router: mcp::instrument(Self::tool_router()) }
    }
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
