//! The status page: the answer of `GET /status` to a browser.
//!
//! It is rendered here, without a script, and contains only what the other routes show: no arguments, callers or
//! secrets. The page reloads itself, which would clear what an operator types. The forms are therefore on `?edit=1`,
//! which does not.

#[cfg(feature = "alerts")]
mod alerts;
mod breakers;
mod changes;
mod connections;
#[cfg(feature = "deferred")]
mod deferred;
mod errors;
mod head;
mod level;
mod problem;
mod spark;
mod style;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod tools;
mod trends;

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;

use super::Shared;
use super::reads;
use super::refusal::Refusal;
use crate::export::accepted_quality;
use crate::registry::Registry;
use crate::statistics::AdminRefusal;

use head::Facts;
pub(super) use problem::Reader;

/// The interval in seconds at which a browser loads the page again.
const REFRESH: u8 = 30;

/// What the sections of one page have in common.
struct Page<'a> {
    registry: &'a Registry,
    /// When the page is made.
    now: SystemTime,
    /// Whether the page stays as it is until its reader loads it again.
    is_still: bool,
    /// Whether it has forms.
    has_forms: bool,
    /// The tool whose errors are listed; `None`: all tools.
    tool: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    tool: Option<String>,
    edit: Option<String>,
}

impl PageQuery {
    fn is_expected(&self) -> bool {
        self.edit.as_deref().is_none_or(|edit| edit == "1")
    }
}

/// Answers with the page, or with JSON if the request does not prefer HTML.
pub(super) async fn status(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    let mut response = if !prefers_page(&headers) {
        reads::state(&shared)
    } else if let Some(Query(query)) = query.ok().filter(|Query(query)| query.is_expected()) {
        show(&shared, &query).await
    } else {
        let text = "expected `tool`, a tool's name, and `edit=1`, or neither";
        Refusal::new(AdminRefusal::Query, StatusCode::BAD_REQUEST, text).respond(shared.registry())
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    response
}

#[cfg_attr(not(feature = "deferred"), expect(clippy::unused_async, reason = "only deferred writes are awaited"))]
async fn show(shared: &Shared, query: &PageQuery) -> Response {
    #[cfg(feature = "deferred")]
    let found = deferred::Found::of(shared).await;
    // After the store has answered, so that all sections show the same moment.
    let page = Page {
        registry: shared.registry(),
        now: SystemTime::now(),
        is_still: query.edit.is_some(),
        has_forms: query.edit.is_some() && shared.has_changes,
        tool: query.tool.as_deref().filter(|tool| !tool.is_empty()),
    };
    let connections = page.registry.connections();
    let (state, trends) = (page.registry.gate.state(), page.registry.error_trends());
    let facts = Facts::of(&page, &shared.health, &state);
    #[cfg(feature = "deferred")]
    let deferred = found.map_or_else(|| html! {}, |found| found.section(&page));
    #[cfg(not(feature = "deferred"))]
    let deferred = html! {};
    #[cfg(feature = "alerts")]
    let alerts = alerts::section(&page);
    #[cfg(not(feature = "alerts"))]
    let alerts = html! {};
    let body = html! {
        (head::header(&page, &facts, shared.has_changes))
        main {
            @if page.has_forms { (changes::bar(shared.reload.is_some())) }
            (alerts)
            (level::section(&page, &state))
            (tools::section(&page, &state, &trends))
            (breakers::section(&page))
            (connections::section(&page, &connections))
            (deferred)
            (errors::section(&page, &trends))
        }
    };
    respond(StatusCode::OK, document(&facts.title(), !page.is_still, &body))
}

/// Returns whether a request prefers HTML to JSON.
fn prefers_page(headers: &HeaderMap) -> bool {
    let accept: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    let (html, names_html) = accepted_quality(&accept, "text", "html");
    let (json, names_json) = accepted_quality(&accept, "application", "json");
    html > json || (html == json && html > 0 && names_html && !names_json)
}

fn document(title: &str, reloads: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if reloads { meta http-equiv="refresh" content=(REFRESH); }
                title { (title) }
                // Without this, browsers ask for an icon, which the content security policy forbids.
                link rel="icon" href="data:,";
                style { (PreEscaped(style::STYLE)) }
            }
            body { (body) }
        }
    }
}

fn respond(status: StatusCode, document: Markup) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(style::POLICY)),
    ];
    (status, headers, document.into_string()).into_response()
}
