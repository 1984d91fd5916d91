//! Real MCP servers written with `resilient-runtime`, and the demo that puts one to the test.
//!
//! * [`quickstart`]: every key of `#[resilient]` once, in [one file](quickstart::server). A first lesson.
//! * [`api_debugger`]: sends HTTP requests to hosts on a list, with a breaker for each.
//! * [`make`]: a server for [Make](https://www.make.com), useful to somebody with an account. Start
//!   reading at [`make::server`]: it is what a user of the macros writes.
//! * [`http_server`]: the same tools over HTTP, with health, metrics and a graceful end.
//! * [`search`]: web search with a second engine for when the first has no answer.
//! * [`auditor`]: findings in Rust code, with a parser, from the last good answer, or by patterns.
//! * [`wiki_issues`]: Confluence and Jira; what cannot be done is told with the steps to do it by hand.
//! * [`upstream`]: a stand-in for Make's API on a loopback port that misbehaves by a script.
//! * [`demo`]: drives both builds of the server through that script and compares them.
//!
//! It is a library so that one executable can be both the demo and the server that it drives (`cargo run --bin demo` builds no other
//! binary), and so that tests can start the same server as a child process.

pub mod api_debugger;
pub mod auditor;
pub mod demo;
pub mod embedded;
pub mod http;
pub mod http_server;
pub mod make;
mod process;
pub mod quickstart;
mod schema;
pub mod search;
pub mod stdio;
mod stop;
pub mod upstream;
pub mod wiki_issues;
