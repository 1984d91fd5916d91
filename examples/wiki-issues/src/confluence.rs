//! The part of Confluence's API that the tools use: search (v1, the only one that searches) and pages (v2).

use serde::Deserialize;
use serde_json::Value;

use super::{
    document,
    error::{AtlassianError, Service},
    site::Site,
    types::{FoundPage, Page, Pages, SearchPages},
};

#[derive(Deserialize)]
struct Found {
    results: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    content: Content,
    #[serde(default)]
    excerpt: String,
    url: String,
}

#[derive(Deserialize)]
struct Content {
    id: String,
    title: String,
}

#[derive(Deserialize)]
struct PageBody {
    title: String,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    atlas_doc_format: Representation,
}

/// A document, as JSON in a text.
#[derive(Deserialize)]
struct Representation {
    value: String,
}

impl Site {
    /// `GET /wiki/rest/api/search`.
    pub(super) async fn search_pages(&self, asked: &SearchPages) -> Result<Pages, AtlassianError> {
        let cql = cql(asked);
        let found: Found =
            self.read(Service::Confluence, "/wiki/rest/api/search", &[("cql", &cql), ("limit", "25")]).await?;
        let page = |hit: Hit| FoundPage {
            id: hit.content.id,
            title: hit.content.title,
            excerpt: hit.excerpt.replace("@@@hl@@@", "").replace("@@@endhl@@@", ""),
            url: self.url(&format!("/wiki{}", hit.url)),
        };
        Ok(Pages { pages: found.results.into_iter().map(page).collect() })
    }

    /// `GET /wiki/api/v2/pages/{id}`.
    pub(super) async fn page(&self, id: u64) -> Result<Page, AtlassianError> {
        let path = format!("/wiki/api/v2/pages/{id}");
        let page = self.read(Service::Confluence, &path, &[("body-format", "atlas_doc_format")]).await;
        let PageBody { title, body } = page.map_err(|error| match error {
            AtlassianError::Status { status: 404, .. } => AtlassianError::NoSuchPage { id },
            other => other,
        })?;
        let document: Value = serde_json::from_str(&body.atlas_doc_format.value)
            .map_err(|source| AtlassianError::BadResponse { service: Service::Confluence, source })?;
        Ok(Page { title, text: document::to_text(&document), url: self.page_url(id) })
    }

    pub(super) fn page_url(&self, id: u64) -> String {
        self.url_with("/wiki/pages/viewpage.action", &[("pageId", &id.to_string())])
    }
}

/// The search in Confluence's query language.
fn cql(SearchPages { text, space }: &SearchPages) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
    let space = space.as_ref().map(|space| format!(" and space = {}", quoted(space)));
    format!("type = page and text ~ {}{}", quoted(text), space.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_stays_one_text() {
        let asked =
            |text: &str, space: Option<&str>| cql(&SearchPages { text: text.into(), space: space.map(Into::into) });
        assert_eq!(asked("fire drill", None), r#"type = page and text ~ "fire drill""#);
        assert_eq!(
            asked(r#"a" or space = "\"#, Some("HR")),
            r#"type = page and text ~ "a\" or space = \"\\" and space = "HR""#
        );
    }
}
