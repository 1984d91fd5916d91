//! The tools that write to Jira, and the steps to do the same by hand.

use resilient_runtime::resilient;
use rmcp::{Json, handler::server::wrapper::Parameters, tool, tool_router};

use super::{
    error::AtlassianError,
    server::WikiIssues,
    types::{AddComment, Answer, Changed, CreateIssue, TransitionIssue},
};

// Only a request with a refused token is repeated, because it was not executed: any other request without a response
// may have been. For the same reason an attempt may take longer than that of a read (10 s, not 4 s). All three share a
// bulkhead of four calls, so that a busy client leaves part of Jira's rate limit to the reads.
#[resilient(
    timeout = "20s",
    breaker = "issues",
    bulkhead(max = 4, queue = 16, name = "changes"),
    authorize = Self::has_access
)]
#[tool_router(router = changes, vis = "pub(super)")]
impl WikiIssues {
    /// Create an issue.
    #[resilient(
        retry(max = 1, base = "200ms", on(unauthenticated), before = Self::renew_token),
        retry_unsafe = "a request that is refused with 401 was not executed",
        fallback = Self::create_issue_by_hand
    )]
    #[tool(annotations(
        title = "Create an issue",
        read_only_hint = false,
        destructive_hint = false,
        idempotent_hint = false,
        open_world_hint = true
    ))]
    async fn create_issue(
        &self,
        Parameters(issue): Parameters<CreateIssue>,
    ) -> Result<Json<Answer<Changed>>, AtlassianError> {
        self.site.create(&issue).await.map(Answer::of).map(Json)
    }

    /// Move an issue to another status. Call `get_transitions` first for what is possible.
    #[resilient(
        retry(max = 1, base = "200ms", on(unauthenticated), before = Self::renew_token),
        retry_unsafe = "a request that is refused with 401 was not executed",
        fallback = Self::transition_issue_by_hand
    )]
    #[tool(annotations(
        title = "Move an issue",
        read_only_hint = false,
        destructive_hint = true,
        idempotent_hint = false,
        open_world_hint = true
    ))]
    async fn transition_issue(
        &self,
        Parameters(TransitionIssue { key, transition, .. }): Parameters<TransitionIssue>,
    ) -> Result<Json<Answer<Changed>>, AtlassianError> {
        self.site.transition(&key, &transition).await.map(Answer::of).map(Json)
    }

    /// Comment on an issue.
    #[resilient(
        retry(max = 1, base = "200ms", on(unauthenticated), before = Self::renew_token),
        retry_unsafe = "a request that is refused with 401 was not executed",
        fallback = Self::add_comment_by_hand
    )]
    #[tool(annotations(
        title = "Comment",
        read_only_hint = false,
        destructive_hint = false,
        idempotent_hint = false,
        open_world_hint = true
    ))]
    async fn add_comment(
        &self,
        Parameters(AddComment { key, text }): Parameters<AddComment>,
    ) -> Result<Json<Answer<Changed>>, AtlassianError> {
        self.site.comment(&key, &text).await.map(Answer::of).map(Json)
    }
}

#[expect(clippy::unused_async, reason = "fallbacks are asynchronous, whether they wait or not")]
impl WikiIssues {
    async fn create_issue_by_hand(
        &self,
        Parameters(issue): Parameters<CreateIssue>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<Changed>>, AtlassianError> {
        let enter = [
            ("Project", issue.project),
            ("Issue type", issue.issue_type),
            ("Summary", issue.summary),
            ("Description", issue.description),
        ];
        by_hand(error, self.site.url("/secure/CreateIssue.jspa"), "Choose Create in Jira and enter these.", enter)
    }

    async fn transition_issue_by_hand(
        &self,
        Parameters(TransitionIssue { key, transition, name }): Parameters<TransitionIssue>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<Changed>>, AtlassianError> {
        let steps = "Open the issue in Jira, click its status and choose the transition.";
        let transition = name.unwrap_or_else(|| format!("the one with the id {transition}"));
        by_hand(error, self.site.browse(key.as_str()), steps, [("Transition", transition)])
    }

    async fn add_comment_by_hand(
        &self,
        Parameters(AddComment { key, text }): Parameters<AddComment>,
        error: &AtlassianError,
    ) -> Result<Json<Answer<Changed>>, AtlassianError> {
        let steps = "Open the issue in Jira and add the comment.";
        by_hand(error, self.site.browse(key.as_str()), steps, [("Comment", text)])
    }
}

/// Returns the steps to do by hand. If the change may have been made, it returns the original error instead.
fn by_hand<const N: usize>(
    error: &AtlassianError,
    url: String,
    steps: &str,
    enter: [(&'static str, String); N],
) -> Result<Json<Answer<Changed>>, AtlassianError> {
    if error.nothing_was_sent() {
        Ok(Json(Answer::by_hand(error, url, steps, enter)))
    } else {
        Err(AtlassianError::Unconfirmed { source: None })
    }
}
