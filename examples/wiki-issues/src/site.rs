//! The HTTP client of an Atlassian site: credentials and errors, without MCP, retries, breakers or timeouts.

use std::sync::Arc;

use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    error::{AtlassianError, Service},
    settings::Settings,
    token::Token,
};
use crate::http;

type Result<T> = std::result::Result<T, AtlassianError>;

/// A client of a site. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Site {
    client: Client,
    settings: Arc<Settings>,
}

impl Site {
    pub(super) fn new(settings: Settings) -> reqwest::Result<Self> {
        let client = http::client_for(&settings.base)
            .user_agent(concat!("wiki-issues/", env!("CARGO_PKG_VERSION")))
            // The API does not redirect. Following a redirect could send the token elsewhere.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { client, settings: Arc::new(settings) })
    }

    /// The URL of a path on the site.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base)
    }

    /// As [`Site::url`], with a query.
    pub(super) fn url_with(&self, path: &str, query: &[(&str, &str)]) -> String {
        let url = self.url(path);
        Url::parse_with_params(&url, query).map_or(url, String::from)
    }

    /// Whether the operator still grants access: see [`Credential::is_granted`].
    ///
    /// [`Credential::is_granted`]: super::token::Credential::is_granted
    pub(super) async fn is_granted(&self) -> bool {
        self.settings.credential.is_granted().await
    }

    /// Runs before each retry. A token that the site refused is read again from its file; the error is returned if
    /// there is no other one, because the same token would be refused again.
    pub(super) async fn renew_token(&self, error: &AtlassianError) -> Result<()> {
        match error {
            AtlassianError::SignIn { service, refused, body } if !self.settings.credential.renew(refused).await => {
                Err(AtlassianError::SignIn { service: *service, refused: refused.clone(), body: body.clone() })
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T> {
        self.send(service, self.client.get(self.url_with(path, query))).await
    }

    /// Sends a change to Jira. Confluence is only read.
    pub(super) async fn change<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        if self.settings.read_only {
            return Err(AtlassianError::ReadOnly);
        }
        let request = self.client.post(self.url(path)).json(body);
        self.send(Service::Jira, request).await.map_err(AtlassianError::of_change)
    }

    async fn send<T: DeserializeOwned>(&self, service: Service, request: RequestBuilder) -> Result<T> {
        // The URL contains the search words, which must not be logged.
        let lost = |source: reqwest::Error| AtlassianError::Lost { service, source: source.without_url() };
        let token = self.settings.credential.token();
        let request = request.basic_auth(&self.settings.email, Some(token.secret()));
        let response = match request.send().await {
            Err(source) if source.is_connect() => {
                return Err(AtlassianError::NotSent { service, source: source.without_url() });
            }
            sent => sent.map_err(lost)?,
        };
        if !response.status().is_success() {
            return Err(refusal(service, token, response).await);
        }
        let body = http::body(response, http::MAX_BODY).await.map_err(lost)?;
        // The response to a change may be empty.
        let body = if body.is_empty() { b"null" } else { &body[..] };
        serde_json::from_slice(body).map_err(|source| AtlassianError::BadResponse { service, source })
    }
}

async fn refusal(service: Service, token: Token, response: Response) -> AtlassianError {
    let (status, wait) = (response.status().as_u16(), http::retry_after(&response));
    let body = http::error_body(response).await;
    match status {
        400 | 422 => {
            let (fields, complaint) = complaint(&body);
            AtlassianError::Invalid { service, fields, complaint }
        }
        401 => AtlassianError::SignIn { service, refused: token, body },
        403 => AtlassianError::Forbidden { service, body },
        429 => AtlassianError::RateLimited { service, wait },
        _ => AtlassianError::Status { service, status, wait, body },
    }
}

/// Extracts the rejected fields and all messages of an error, in each of the three formats of the APIs.
fn complaint(body: &str) -> (Vec<String>, String) {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let errors = &body["errors"];
    let by_field = errors.as_object().into_iter().flatten();
    let by_field: Vec<_> = by_field.filter_map(|(field, text)| Some((field.clone(), text.as_str()?))).collect();
    let texts = body["errorMessages"].as_array().into_iter().flatten();
    let titles = errors.as_array().into_iter().flatten().map(|error| &error["title"]);
    let texts = texts.chain(titles).chain([&body["message"]]).filter_map(Value::as_str).map(str::to_owned);
    let said: Vec<_> = by_field.iter().map(|(field, text)| format!("{field}: {text}")).chain(texts).collect();
    let said = if said.is_empty() { "it does not say why".to_owned() } else { said.join("; ") };
    (by_field.into_iter().map(|(field, _)| field).collect(), said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_complaint_is_read() {
        let jira =
            r#"{ "errorMessages": ["Not like this."], "errors": { "summary": "is required", "labels": "no spaces" } }"#;
        let (fields, said) = complaint(jira);
        assert_eq!(fields, ["labels", "summary"]);
        assert_eq!(said, "labels: no spaces; summary: is required; Not like this.");
        let v2 = r#"{ "errors": [{ "status": 400, "code": "INVALID", "title": "Provided value is not a page id" }] }"#;
        assert_eq!(complaint(v2), (vec![], "Provided value is not a page id".to_owned()));
        let v1 = r#"{ "statusCode": 400, "message": "Could not parse cql" }"#;
        assert_eq!(complaint(v1), (vec![], "Could not parse cql".to_owned()));
        for other in ["", "<html>", "[]", r#"{ "errors": 7 }"#] {
            assert_eq!(complaint(other), (vec![], "it does not say why".to_owned()), "{other}");
        }
    }
}
