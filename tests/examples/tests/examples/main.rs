//! The example servers as child processes, and each example folder built on its own.

mod api;
mod api_debugger;
mod auditor;
mod common;
mod copies;
mod deploy;
mod ends;
mod http_server;
mod make_server;
mod quickstart;
mod retry_after;
mod scenario_sync;
mod search_server;
mod tools;
mod upstream;
mod wiki_issues;
