//! A simulated Atlassian site: a wiki with two pages, a project with a few issues and its workflow, and a script of
//! failures.
//!
//! The response to a request with a number from 400 to 599 in its address or body (`get_issue DEMO-503`, a search for
//! `503`) has that status. Two numbers execute the request first: with 408 the response never arrives, with 499 it
//! breaks off.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use serde_json::{Value, json};

use super::document;

/// The only account of the site.
pub const EMAIL: &str = "demo@example.com";
/// Its token.
pub const TOKEN: &str = "demo-token";
/// The `Authorization` header of the account.
pub const BASIC: &str = "Basic ZGVtb0BleGFtcGxlLmNvbTpkZW1vLXRva2Vu";

const PAGES: [(u64, &str, &str); 2] = [
    (1, "Fire drill", "Leave by the stairs.\nMeet at the gate."),
    (2, "Onboarding", "Ask for a badge.\nRead about the fire drill."),
];

/// The workflow: each status, and the transitions from it with their targets.
const WORKFLOW: [(&str, &[(&str, &str)]); 3] =
    [("To Do", &[("11", "In Progress")]), ("In Progress", &[("21", "Done"), ("31", "To Do")]), ("Done", &[])];

/// The issues of the project. The first is `DEMO-1`.
struct Issue {
    summary: String,
    description: Value,
    status: &'static str,
    comments: usize,
}

type Issues = Arc<Mutex<Vec<Issue>>>;

/// The routes that the server uses.
pub fn routes() -> Router {
    let issue = |summary: &str| Issue {
        summary: summary.to_owned(),
        description: document::from_text("It prints nothing."),
        status: "To Do",
        comments: 0,
    };
    Router::new()
        .route("/wiki/rest/api/search", get(search_pages))
        .route("/wiki/api/v2/pages/{id}", get(page))
        .route("/rest/api/3/search/jql", get(search_issues))
        .route("/rest/api/3/issue", post(create))
        .route("/rest/api/3/issue/{key}", get(show))
        .route("/rest/api/3/issue/{key}/transitions", get(transitions).post(transition))
        .route("/rest/api/3/issue/{key}/comment", post(comment))
        .layer(from_fn(misbehave))
        .with_state(Issues::new(Mutex::new(vec![issue("Printer on fire"), issue("Printer out of paper")])))
}

/// Checks the credentials and runs the script of failures.
async fn misbehave(request: Request, next: Next) -> Response {
    if request.headers().get(AUTHORIZATION).is_none_or(|header| header != BASIC) {
        return complain(StatusCode::UNAUTHORIZED, "Client must be authenticated to access this resource.");
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 100_000).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let query: Vec<(String, String)> = Query::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
    let values = query.iter().map(|(_, value)| value.as_str());
    let texts = values.chain([parts.uri.path(), str::from_utf8(&body).unwrap_or_default()]);
    let Some(status) = texts.flat_map(|text| text.split(|c: char| !c.is_ascii_digit())).find_map(scripted) else {
        return next.run(Request::from_parts(parts, body.into())).await;
    };
    match status.as_u16() {
        408 => {
            next.run(Request::from_parts(parts, body.into())).await;
            pending().await
        }
        499 => {
            next.run(Request::from_parts(parts, body.into())).await;
            Body::from_stream(stream::iter([Err::<&str, _>(io::Error::other("as scripted"))])).into_response()
        }
        429 => ([("retry-after", "30")], complain(status, "Rate limit exceeded.")).into_response(),
        _ => complain(status, "As scripted."),
    }
}

fn scripted(number: &str) -> Option<StatusCode> {
    let status = number.parse().ok().filter(|status| (400..600).contains(status));
    status.and_then(|status| StatusCode::from_u16(status).ok())
}

fn complain(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "errorMessages": [message], "errors": {} }))).into_response()
}

async fn search_pages(Query(query): Query<Vec<(String, String)>>) -> Response {
    let cql = parameter(&query, "cql");
    let text = cql.split('"').nth(1).unwrap_or_default().to_lowercase();
    let found = PAGES.iter().filter(|(_, title, body)| format!("{title} {body}").to_lowercase().contains(&text));
    let hit = |(id, title, body): &(u64, &str, &str)| {
        json!({
            "content": { "id": id.to_string(), "type": "page", "title": title },
            "excerpt": format!("@@@hl@@@{body}@@@endhl@@@"),
            "url": format!("/spaces/DEMO/pages/{id}"),
        })
    };
    Json(json!({ "results": found.map(hit).collect::<Vec<_>>() })).into_response()
}

async fn page(Path(id): Path<u64>) -> Response {
    let Some((_, title, text)) = PAGES.iter().find(|page| page.0 == id) else {
        let error = json!({ "status": 404, "code": "NOT_FOUND", "title": "Not Found" });
        return (StatusCode::NOT_FOUND, Json(json!({ "errors": [error] }))).into_response();
    };
    let document = document::from_text(text).to_string();
    let body = json!({ "atlas_doc_format": { "value": document, "representation": "atlas_doc_format" } });
    Json(json!({ "id": id.to_string(), "title": title, "body": body })).into_response()
}

/// Supports only the JQL `project = DEMO`, and rejects invalid queries.
async fn search_issues(State(issues): State<Issues>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let jql = parameter(&query, "jql");
    if !jql.contains('=') {
        let message = format!("Error in the JQL Query: expecting operator after '{jql}'.");
        return complain(StatusCode::BAD_REQUEST, &message);
    }
    let issues = issues.lock().unwrap_or_else(PoisonError::into_inner);
    let found: Vec<_> = issues.iter().enumerate().map(|(index, issue)| shown(index, issue)).collect();
    Json(json!({ "issues": found, "isLast": true })).into_response()
}

async fn create(State(issues): State<Issues>, Json(body): Json<Value>) -> Response {
    let fields = &body["fields"];
    let mut errors = serde_json::Map::new();
    if fields["project"]["key"] != "DEMO" {
        errors.insert("project".into(), json!("valid project is required"));
    }
    if !["Task", "Bug"].iter().any(|known| fields["issuetype"]["name"] == *known) {
        errors.insert("issuetype".into(), json!("Specify a valid issue type"));
    }
    let summary = fields["summary"].as_str().unwrap_or_default();
    if summary.is_empty() {
        errors.insert("summary".into(), json!("You must specify a summary of the issue."));
    }
    if !errors.is_empty() {
        return (StatusCode::BAD_REQUEST, Json(json!({ "errorMessages": [], "errors": errors }))).into_response();
    }
    let mut issues = issues.lock().unwrap_or_else(PoisonError::into_inner);
    let description = fields["description"].clone();
    issues.push(Issue { summary: summary.to_owned(), description, status: "To Do", comments: 0 });
    (StatusCode::CREATED, Json(json!({ "key": format!("DEMO-{}", issues.len()) }))).into_response()
}

async fn show(State(issues): State<Issues>, Path(key): Path<String>) -> Response {
    with(&issues, &key, |index, issue| Json(shown(index, issue)).into_response())
}

async fn transitions(State(issues): State<Issues>, Path(key): Path<String>) -> Response {
    with(&issues, &key, |_, issue| {
        let possible = possible(issue.status).iter();
        let possible: Vec<_> = possible.map(|(id, to)| json!({ "id": id, "name": to, "to": { "name": to } })).collect();
        Json(json!({ "transitions": possible })).into_response()
    })
}

async fn transition(State(issues): State<Issues>, Path(key): Path<String>, Json(body): Json<Value>) -> Response {
    with(&issues, &key, |_, issue| {
        match possible(issue.status).iter().find(|(id, _)| body["transition"]["id"] == *id) {
            Some((_, to)) => {
                issue.status = to;
                StatusCode::NO_CONTENT.into_response()
            }
            None => {
                complain(StatusCode::BAD_REQUEST, "The transition is not valid for the current state of this issue.")
            }
        }
    })
}

async fn comment(State(issues): State<Issues>, Path(key): Path<String>) -> Response {
    with(&issues, &key, |_, issue| {
        issue.comments += 1;
        (StatusCode::CREATED, Json(json!({ "id": issue.comments.to_string() }))).into_response()
    })
}

fn with(issues: &Issues, key: &str, answer: impl FnOnce(usize, &mut Issue) -> Response) -> Response {
    let index = key.strip_prefix("DEMO-").and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
    let mut issues = issues.lock().unwrap_or_else(PoisonError::into_inner);
    match index.and_then(|index| Some((index, issues.get_mut(index)?))) {
        Some((index, issue)) => answer(index, issue),
        None => complain(StatusCode::NOT_FOUND, "Issue does not exist or you do not have permission to see it."),
    }
}

fn shown(index: usize, issue: &Issue) -> Value {
    json!({ "key": format!("DEMO-{}", index + 1), "fields": {
        "summary": issue.summary,
        "status": { "name": issue.status },
        "issuetype": { "name": "Bug" },
        "assignee": null,
        "description": issue.description,
    }})
}

fn possible(status: &str) -> &'static [(&'static str, &'static str)] {
    WORKFLOW.iter().find(|(from, _)| *from == status).map_or(&[], |(_, to)| to)
}

fn parameter(query: &[(String, String)], name: &str) -> String {
    query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}
