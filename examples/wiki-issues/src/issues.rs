//! The tools that read from Jira, and the steps to do the same by hand.

use resilient_runtime::resilient;
use rmcp::{Json, handler::server::wrapper::Parameters, tool, tool_router};

use super::{
    error::AtlassianError,
    server::WikiIssues,
    types::{Answer, Issue, Issues, OneIssue, SearchIssues, Transitions},
};

// The breaker is separate from the wiki's, and shared with the tools that change issues.
#[resilient(timeout = "8s", breaker(name = "issues", open = "30s"), authorize = Self::has_access)]
#[tool_router(router = issues, vis = "pub(super)")]
impl WikiIssues {
    /// Search issues with JQL.
    #[resilient(
        retry(
            max = 2,
            base = "200ms",
            on(rate_limited, timeout, connection, unavailable, unauthenticated),
            before = Self::renew_token
        ),
        fallback = [cached, Self::search_issues_by_hand]
    )]
    #[tool(annotations(title = "Search issues", read_only_hint = true, open_world_hint = true))]
    async fn search_issues(
        &self,
        Parameters(SearchIssues { jql }): Parameters<SearchIssues>,
    ) -> Result<Json<Answer<Issues>>, AtlassianError> {
        self.site.search_issues(&jql).await.map(Answer::of).map(Json)
    }

    /// Show an issue: its summary, description, status and assignee.
    #[resilient(
        retry(
            max = 2,
            base = "200ms",
            on(rate_limited, timeout, connection, unavailable, unauthenticated),
            before = Self::renew_token
        ),
        fallback = [cached, Self::read_by_hand]
    )]
    #[tool(annotations(title = "Show an issue", read_only_hint = true, open_world_hint = true))]
    async fn get_issue(
        &self,
        Parameters(OneIssue { key }): Parameters<OneIssue>,
    ) -> Result<Json<Answer<Issue>>, AtlassianError> {
        self.site.issue(&key).await.map(Answer::of).map(Json)
    }

    /// List the transitions that are possible from an issue's present status.
    // Not `cached`: the possible transitions change with the status.
    #[resilient(
        retry(
            max = 2,
            base = "200ms",
            on(rate_limited, timeout, connection, unavailable, unauthenticated),
            before = Self::renew_token
        ),
        fallback = Self::read_by_hand
    )]
    #[tool(annotations(title = "List transitions", read_only_hint = true, open_world_hint = true))]
    async fn get_transitions(
        &self,
        Parameters(OneIssue { key }): Parameters<OneIssue>,
    ) -> Result<Json<Answer<Transitions>>, AtlassianError> {
        self.site.transitions(&key).await.map(Answer::of).map(Json)
    }
}

#[expect(clippy::unused_async, reason = "fallbacks are asynchronous, whether they wait or not")]
impl WikiIssues {
    async fn search_issues_by_hand(
        &self,
        Parameters(SearchIssues { jql }): Parameters<SearchIssues>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<Issues>>, AtlassianError> {
        let url = self.site.url_with("/issues/", &[("jql", &jql)]);
        Ok(Json(Answer::by_hand(error, url, "Run the query in Jira's advanced search.", [("JQL", jql)])))
    }

    /// The fallback of every tool that reads one issue.
    async fn read_by_hand<T>(
        &self,
        Parameters(OneIssue { key }): Parameters<OneIssue>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<T>>, AtlassianError> {
        let steps = "Open the issue in Jira; the button with its status shows the possible transitions.";
        Ok(Json(Answer::by_hand(error, self.site.browse(key.as_str()), steps, [])))
    }
}
