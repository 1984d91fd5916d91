//! The page of a request that was refused: what is wrong, and a link back.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, VARY};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use maud::html;

use super::super::body::Fields;
use super::super::refusal::Problem;
use super::head::word;
use super::text::name;
use super::{document, prefers_page, respond};

/// A person who reads the response in a browser, after a form or the address of the status page.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Reader {
    /// The status page, as seen from the route of the request.
    status: &'static str,
}

impl Reader {
    pub(in super::super) fn of(request: &Request) -> Option<Self> {
        let route = request.uri().path().trim_start_matches('/');
        let is_form = *request.method() == Method::POST && Fields::may_be_form(request.headers());
        let status = if route.contains('/') { "../status" } else { "status" };
        ((is_form || route == "status") && prefers_page(request.headers())).then_some(Self { status })
    }

    /// Replaces the body of a response that has a [`Problem`].
    pub(in super::super) fn show(self, mut response: Response) -> Response {
        let Some(Problem(problems)) = response.extensions_mut().remove() else { return response };
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or("Error");
        let body = html! {
            main.problem {
                h1 { (word("bad", reason)) }
                @for problem in &problems { p { (name(problem)) } }
                p { "The status of this answer is " (status.as_u16()) "." }
                p {
                    a href=(self.status) { "Back to the status" }
                    " · "
                    a href={ (self.status) "?edit=1" } { "Back to the changes" }
                }
            }
        };
        let (page, shown) = respond(status, document(reason, false, &body)).into_parts();
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.extend(page.headers);
        parts.headers.append(VARY, HeaderValue::from_static("accept"));
        Response::from_parts(parts, Body::new(shown))
    }
}
