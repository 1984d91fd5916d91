//! Resources that are read from a cache, as a client sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::{CallContext, Registry, resilient};
use resilient_tests::in_process::{Client, authenticate, connect};
use resilient_tests::wire::CALL;
use rmcp::model::{
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, RequestMetaObject, ResourceContents,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData as McpError, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::time::sleep;

use super::refused;

/// How long a read takes.
const TAKES: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Default)]
struct Library {
    reads: Arc<AtomicU32>,
}

impl Library {
    async fn read(&self, uri: String) -> Result<ReadResourceResponse, McpError> {
        let read = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(TAKES).await;
        let text = match &*uri {
            "missing" => return Err(McpError::resource_not_found("no such book", None)),
            "panic" => panic!("a private text"),
            "large" => "x".repeat(5_000),
            "warn" => {
                CallContext::current().expect("a context").warn("cut at 10");
                format!("read {read}")
            }
            _ => format!("read {read}"),
        };
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri)]).into())
    }
}

#[resilient(timeout = "30s")]
impl ServerHandler for Library {
    #[resilient(cache(fresh = "10s", max = 4, max_bytes = "4KiB"))]
    async fn read_resource(
        &self,
        ReadResourceRequestParams { uri, .. }: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        self.read(uri).await
    }
}

/// The same, for every client.
#[derive(Debug, Clone, Default)]
struct Public(Library);

#[resilient]
impl ServerHandler for Public {
    #[resilient(cache(fresh = "10s", scope = shared), retry = 1)]
    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        self.0.read(request.uri).await
    }
}

/// Takes the principal of a request from the member `user` of its `_meta`.
#[derive(Debug, Clone, Default)]
struct Authenticated<S> {
    registry: Arc<Registry>,
    inner: S,
}

impl<S: ServerHandler> ServerHandler for Authenticated<S> {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_resources().build())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        authenticate(&mut context);
        self.registry.clone().scope(self.inner.read_resource(request, context)).await
    }
}

impl<S> Authenticated<S> {
    /// Returns how often the cache had this for a read.
    fn cache(&self, result: &str) -> String {
        let text = prometheus::text(&self.registry);
        let line = text.lines().find(|line| line.starts_with("resilient_cache_total") && line.contains(result));
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or(&text).to_owned()
    }
}

async fn served<S: ServerHandler + Clone + Default>() -> (Authenticated<S>, Arc<Client>) {
    let server = Authenticated::<S>::default();
    let client = connect(server.clone()).await;
    (server, Arc::new(client))
}

fn of(user: &str, uri: &str) -> ReadResourceRequestParams {
    let mut request = ReadResourceRequestParams::new(uri);
    let mut meta = RequestMetaObject::new();
    if !user.is_empty() {
        meta.0.0.insert("user".into(), user.into());
    }
    request.meta = Some(meta);
    request
}

/// Reads, and returns the text and what `_meta` has about the call.
async fn read(client: &Client, user: &str, uri: &str) -> (String, Value) {
    let result = client.read_resource(of(user, uri)).await.expect("an answer");
    let Some(ResourceContents::TextResourceContents { text, .. }) = result.contents.first() else {
        panic!("{result:?}")
    };
    (text.clone(), result.meta.map(|meta| meta.0[CALL].clone()).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_was_read_is_answered_from_the_cache_while_it_is_fresh() {
    let (server, client) = served::<Library>().await;
    assert_eq!(read(&client, "ada", "a").await, ("read 1".into(), Value::Null), "nothing to tell");
    sleep(Duration::from_secs(2)).await;
    let (text, call) = read(&client, "ada", "a").await;
    assert_eq!((&*text, &call["source"], &call["age_ms"]), ("read 1", &"cache".into(), &2_000.into()), "{call}");
    assert_eq!((&call["attempts"], call.get("degraded")), (&0.into(), None), "{call}");
    assert!(call["correlation_id"].is_string(), "{call}");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(read(&client, "ada", "a").await.0, "read 2");
    assert_eq!((&*server.cache("hit"), &*server.cache("miss")), ("1", "2"));
}

#[tokio::test(start_paused = true)]
async fn the_key_is_the_parameters_and_the_principal() {
    let (server, client) = served::<Library>().await;
    read(&client, "ada", "a").await;
    let mut more = of("ada", "a");
    more.request_state = Some("state".into());
    client.read_resource(more).await.expect("an answer");
    for (user, uri, expected) in [
        ("ada", "b", "read 3"),
        ("bob", "a", "read 4"),
        ("ada", "a", "read 1"),
        ("bob", "a", "read 4"),
        // The only client without HTTP is known.
        ("", "a", "read 5"),
        ("", "a", "read 5"),
    ] {
        assert_eq!(read(&client, user, uri).await.0, expected, "{user} {uri}");
    }
    let second = connect(server.clone()).await;
    for (client, expected) in [(&second, "read 6"), (&second, "read 7"), (&*client, "read 8")] {
        assert_eq!(read(client, "", "a").await.0, expected, "nothing is kept without a principal");
    }
    assert_eq!(server.inner.reads.load(Ordering::Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn a_shared_answer_is_for_every_client_and_two_handlers_share_nothing() {
    let (server, client) = served::<Public>().await;
    assert_eq!(read(&client, "ada", "a").await.0, "read 1");
    assert_eq!(read(&client, "bob", "a").await.0, "read 1");
    assert_eq!(read(&client, "", "a").await.0, "read 1");
    let both = Authenticated { registry: server.registry.clone(), inner: Library::default() };
    let other = connect(both).await;
    assert_eq!(read(&other, "ada", "a").await, ("read 1".into(), Value::Null));
}

#[tokio::test(start_paused = true)]
async fn concurrent_reads_are_one_read_and_each_error_has_its_own_id() {
    let (server, client) = served::<Library>().await;
    let at_once = async |uri: &'static str| {
        let reads = (0..20).map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.read_resource(of("ada", uri)).await })
        });
        let mut answers = Vec::new();
        for read in reads.collect::<Vec<_>>() {
            answers.push(read.await.expect("no panic"));
        }
        answers
    };
    assert!(at_once("a").await.iter().all(Result::is_ok));
    assert_eq!((server.inner.reads.load(Ordering::Relaxed), &*server.cache("shared")), (1, "19"));
    for (uri, expected) in [("missing", -32002), ("panic", -32603)] {
        let mut ids: Vec<_> = Vec::new();
        for answer in at_once(uri).await {
            let (code, error) = refused(answer);
            assert_eq!(code, expected, "{uri}: {error}");
            ids.push(error["correlation_id"].as_str().expect("an id").to_owned());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 20, "{uri}");
    }
    assert_eq!(server.inner.reads.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_resource_larger_than_the_cache_is_not_kept_and_a_kept_one_has_its_warnings() {
    let (server, client) = served::<Library>().await;
    for _ in 0..2 {
        assert_eq!(read(&client, "ada", "large").await.0.len(), 5_000);
    }
    assert_eq!(server.inner.reads.load(Ordering::Relaxed), 2);
    for source in [Value::Null, "cache".into()] {
        let (text, call) = read(&client, "ada", "warn").await;
        assert_eq!((&*text, &call["warnings"][0]), ("read 3", &"cut at 10".into()), "{call}");
        assert_eq!(call.get("source").cloned().unwrap_or_default(), source, "{call}");
    }
}
