//! The macros of [`resilient-runtime`](https://docs.rs/resilient-runtime), which re-exports them. Depend only on
//! that crate.

#[cfg(test)]
mod fuzz;
mod krate;
mod latest;
mod manifest;
mod mcp_error;
mod parse;
mod project;
mod resilient;

use proc_macro::TokenStream;

/// Guards an `async fn`, or every tool of an `impl` block above `#[tool_router]`.
///
/// ```
/// use resilient_runtime::{ResilienceError, resilient};
/// use rmcp::{tool, tool_router};
///
/// struct Shop;
///
/// #[resilient(timeout = "30s", breaker = "shop")] // applies to every tool of the block
/// #[tool_router(server_handler)]
/// impl Shop {
///     /// List the orders.
///     #[resilient(retry = 3, fallback = cached)] // applies to this tool
///     #[tool(annotations(read_only_hint = true))]
///     async fn list_orders(&self) -> Result<String, ResilienceError> {
///         Ok("none yet".into())
///     }
/// }
///
/// // A function that is not a tool.
/// #[resilient(timeout = "2s", retry(max = 2, base = "100ms"), read_only)]
/// async fn price(of: u32) -> Result<u32, ResilienceError> {
///     Ok(of * 2)
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// #     assert_eq!(Shop.list_orders().await, Ok("none yet".into()));
/// #     assert_eq!(price(21).await, Ok(42));
/// # }
/// ```
///
/// | key | value | without it |
/// |---|---|---|
/// | `timeout` | `"30s"`: queueing, attempts and delays together, or `timeout(max = "120s", from = req.wait)`: a limit that the parameters request | 30 s |
/// | `attempt_timeout` | `"10s"`: one attempt | none; with `retry` the smaller of 10 s and half the timeout |
/// | `retry` | `3`, or `retry(max, base, factor, cap, jitter = off\|equal\|full, on(kind, ..), budget = "20%", before = path)` | no retries; base 1 s, factor 2, cap 30 s, equal jitter (50–100 %); one retry for five first calls in ten seconds, and one a second |
/// | `breaker` | `"name"`, the path of a `static Breaker`, or `breaker(name, failures, open, probes, successes, key, max_keys, distributed)`, or with `rate = 0.5`, `window = 100` or `"60s"`, `min_calls`, `slow = "2s"`, `slow_rate` instead of `failures` | no breaker; 5 failures in a row, open 60 s, 1 probe at a time, 2 successes close; with `rate` the last 100 results, from 20 on |
/// | `bulkhead` | `20`: attempts at a time, or `bulkhead(max, queue, wait = "1s", name, key, max_keys)` | any number; without `queue` no call waits for a permit; without `wait` a call waits for its remaining time |
/// | `rate_limit` | `"100/1s"`: calls, not attempts, or `rate_limit(rate, burst, key = expr\|caller, max_keys, name, distributed)` | any number; a burst of the number of calls in the rate |
/// | `fallback` | `cached`, `path::to::function`, `value(expr)`, `deferred`, or a list of these, tried in order | none |
/// | `cache` | `cache(fresh = "30s", stale_while_revalidate, stale_if_error, max, max_bytes = "64MiB", key, scope = caller\|shared)`, with `fresh` or for `fallback = cached` | with `fallback = cached`: no `fresh`, 1 h after an error; 1,024 answers, 64 MiB, per caller |
/// | `deferred` | `deferred(tries = 8, base = "30s", cap = "30m", ttl = "24h", key = req.id, on_exhausted = dead_letter\|discard\|notify)`, for `fallback = deferred` on a tool that writes | 8 tries, 30 s to 30 min apart, within 24 h, then a dead letter; the arguments of an idempotent tool are the key |
/// | `invalidates` | `"list"`, or `["list", "search"]`, on a tool that writes: the tools of the block whose cached answers a call makes outdated | none |
/// | `classify` | `path::to::function`, or `tool_error` for a `CallToolResult`: which good answers are failures | an `Ok` is good |
/// | `read_only`, `idempotent` | alone: what repeating the function does, if no annotation declares it | from `#[tool(annotations(..))]` |
/// | `retry_unsafe` | `"reason"`: why a function that writes may be repeated | |
/// | `profile` | `"name"`: a table of `resilient.toml`; the keys beside it override it | |
/// | `feature` | `"name"`, or `["name", "other"]`, on a tool of a block or on the block: what an operator can switch off together | none |
/// | `critical` | alone, on a tool of a block: it may use the reserve of the limit on calls in flight, and while it is unhealthy, the server is | |
/// | `authorize` | `path::to::f`, on a tool of a block or on the block: an `async fn(&self, &RequestContext<RoleServer>, &JsonObject) -> Result<(), E>` that lets a call through or refuses it, before everything else; a tool's own runs in addition | none |
/// | `log_args` | `log_args(req.team_id, req.limit)`: the arguments that the log shows | none of them |
/// | `name` | `"name"`: its name in statistics and logs | the tool's name, or the function's path |
/// | `skip` | alone, on a tool: only the hook | |
/// | `crate` | `::path`: the path of the runtime | the name that `Cargo.toml` gives to `resilient-runtime` |
///
/// A method's key replaces the key of the block as a whole; `key = none` removes it. A tool whose return type cannot
/// carry an error (neither a `Result` nor a `CallToolResult` or `CallToolResponse`) has the hook and, if it is
/// `async`, the `timeout`; of the other keys of the block it inherits `feature` and `authorize` alone. A tool that is not
/// `async` has only the hook, the `feature` and `authorize`.
///
/// Above `impl ServerHandler`, every request of the server is answered. The keys of the block are then `timeout` (30 s
/// unless written), `rate_limit`, `bulkhead`, `authorize` and `crate`, those of a method `timeout`, `retry`, `breaker`,
/// `rate_limit`, `bulkhead`, `idempotent` and `retry_unsafe`, and on `read_resource` also `cache(fresh ..)`, without `key`,
/// `stale_if_error` and `stale_while_revalidate`. A `#[prompt_router]` block takes the attribute like a `#[tool_router]`
/// block.
///
/// A fallback function has the signature `async fn(the parameters.., &E) -> Result<T, E>`; a path `Self::f` in a
/// method gets `self` first. Its timeout is the smaller of the call's timeout and 5 s.
///
/// The expression of `timeout(from = ..)` is an `Option<Duration>` and takes the parameters by reference. The limit of the
/// call is that time and a tenth of it, at most 5 s, but never more than `max`; with `None`, or if the expression panics,
/// it is `max`. The function of `classify` has the signature `fn(&T) -> Option<ErrorKind>` for the `T` of `Result<T, E>`.
/// That of `before` has the signature `async fn(&E) -> Result<(), E>`; a path `Self::f` in a method gets `self` first. It
/// runs before each retry, and its error is the answer of the call.
///
/// A bulkhead or a rate limit rejects a call with `ResilienceError::Overloaded`. Only the fallbacks `cached` and
/// `value(..)` answer such a call. A rate limit never waits, except with `distributed`: then it waits at most 50 ms for
/// Redis. Limits on a block apply per tool; limits with the same `name` are shared. With `distributed` all replicas of
/// a server share a named rate limit, and learn of the openings of a breaker: it needs the crate `resilient-redis`.
/// With `key = expr` each value of the expression has a separate limit. The expression takes the parameters by
/// reference, is evaluated once, before the first attempt, and is `Hash`; that of `deferred` is `Serialize`, and a call
/// whose key is `None` is not deferred. `rate_limit` needs the runtime's feature `rate-limit`, and
/// `fallback = deferred` the feature `deferred`.
///
/// The arguments of `log_args` are formatted with `Display` into the span of the call, masked and cut, only if
/// a subscriber records the span. `plain(req.session)` shows a value that has the name of a secret but is not one.
///
/// The runtime's guide, on the page about settings, describes what a file beside `Cargo.toml` can set, and what an
/// operator can change at start.
///
/// Place the attribute above `#[tool]` or `#[prompt]`: below them it cannot see the function's annotations.
/// Configuration that cannot work does not compile, and neither does `retry` on a function that does not declare
/// that repeating it is harmless.
///
/// The future may be dropped at any time: this drops the running attempt and releases every permit.
#[proc_macro_attribute]
pub fn resilient(attribute: TokenStream, item: TokenStream) -> TokenStream {
    resilient::expand(attribute.into(), &item.into()).into()
}

#[doc = include_str!("mcp_error/derive.md")]
#[proc_macro_derive(McpError, attributes(mcp))]
pub fn derive_mcp_error(input: TokenStream) -> TokenStream {
    mcp_error::derive(input.into()).into()
}
