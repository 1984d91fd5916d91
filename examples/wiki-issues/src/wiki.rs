//! The tools that read from Confluence, and the steps to do the same by hand.

use resilient_runtime::resilient;
use rmcp::{Json, handler::server::wrapper::Parameters, tool, tool_router};

use super::{
    error::AtlassianError,
    server::WikiIssues,
    types::{Answer, GetPage, Page, Pages, SearchPages},
};

// Both tools read: they may be retried, and an old response is better than none, unless the access was withdrawn.
// `on` has the default kinds and `unauthenticated`: the site refuses a token that was renewed in its file, and `before`
// reads it before the next attempt.
#[resilient(timeout = "8s", breaker(name = "wiki", open = "30s"), authorize = Self::has_access)]
#[tool_router(router = wiki, vis = "pub(super)")]
impl WikiIssues {
    /// Search the pages of the wiki by their text.
    #[resilient(
        retry(
            max = 2,
            base = "200ms",
            on(rate_limited, timeout, connection, unavailable, unauthenticated),
            before = Self::renew_token
        ),
        fallback = [cached, Self::search_pages_by_hand]
    )]
    #[tool(annotations(title = "Search pages", read_only_hint = true, open_world_hint = true))]
    async fn search_pages(
        &self,
        Parameters(asked): Parameters<SearchPages>,
    ) -> Result<Json<Answer<Pages>>, AtlassianError> {
        self.site.search_pages(&asked).await.map(Answer::of).map(Json)
    }

    /// Show the text of a page.
    #[resilient(
        retry(
            max = 2,
            base = "200ms",
            on(rate_limited, timeout, connection, unavailable, unauthenticated),
            before = Self::renew_token
        ),
        fallback = [cached, Self::get_page_by_hand]
    )]
    #[tool(annotations(title = "Show a page", read_only_hint = true, open_world_hint = true))]
    async fn get_page(
        &self,
        Parameters(GetPage { id }): Parameters<GetPage>,
    ) -> Result<Json<Answer<Page>>, AtlassianError> {
        self.site.page(id).await.map(Answer::of).map(Json)
    }
}

#[expect(clippy::unused_async, reason = "fallbacks are asynchronous, whether they wait or not")]
impl WikiIssues {
    async fn search_pages_by_hand(
        &self,
        Parameters(asked): Parameters<SearchPages>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<Pages>>, AtlassianError> {
        let url = self.site.url_with("/wiki/search", &[("text", &asked.text)]);
        let space = asked.space.unwrap_or_else(|| "all spaces".to_owned());
        let steps = "Search in Confluence's own search.";
        Ok(Json(Answer::by_hand(error, url, steps, [("Text", asked.text), ("Space", space)])))
    }

    async fn get_page_by_hand(
        &self,
        Parameters(GetPage { id }): Parameters<GetPage>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<Page>>, AtlassianError> {
        Ok(Json(Answer::by_hand(error, self.site.page_url(id), "Open the page in Confluence.", [])))
    }
}
