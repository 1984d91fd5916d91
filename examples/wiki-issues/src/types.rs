//! The arguments and results of the tools.

use std::collections::BTreeMap;

use resilient_runtime::{Classify, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::AtlassianError;
use crate::schema::plain_numbers;

/// The result of a tool, or the steps to do the same by hand.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Answer<T> {
    /// Whether the tool performed the request. If not, nothing was changed, and `by_hand` says what to do instead.
    pub(super) performed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by_hand: Option<ByHand>,
}

/// How to do it without the tool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub(super) struct ByHand {
    /// Why the tool could not.
    pub(super) reason: String,
    /// Where to go in a browser.
    pub(super) url: String,
    /// What to do there.
    pub(super) steps: String,
    /// What to enter, by field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) enter: BTreeMap<&'static str, String>,
    /// When to try the tool again, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_seconds: Option<u64>,
}

impl<T> Answer<T> {
    pub(super) fn of(result: T) -> Self {
        Self { performed: true, result: Some(result), by_hand: None }
    }

    pub(super) fn by_hand<const N: usize>(
        error: &AtlassianError,
        url: String,
        steps: &str,
        enter: [(&'static str, String); N],
    ) -> Self {
        let by_hand = ByHand {
            reason: error.public_message().into_owned(),
            url,
            steps: steps.to_owned(),
            enter: BTreeMap::from(enter),
            // Rounded up, so that the wait is long enough.
            retry_after_seconds: error
                .retry_after()
                .map(|wait| wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)),
        };
        Self { performed: false, result: None, by_hand: Some(by_hand) }
    }
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchPages {
    /// Words that the page holds.
    pub(super) text: String,
    /// The key of the only space to search.
    pub(super) space: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub(super) struct GetPage {
    /// The page's id, as `search_pages` gives it.
    pub(super) id: u64,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchIssues {
    /// A query in JQL that names a project or another limit: `project = DEMO AND status != Done`.
    pub(super) jql: String,
}

/// For `get_issue` and `get_transitions`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneIssue {
    pub(super) key: IssueKey,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateIssue {
    /// The project's key, such as `DEMO`.
    pub(super) project: String,
    /// The name of an issue type of the project: `Task`, `Bug`, …
    pub(super) issue_type: String,
    pub(super) summary: String,
    /// Plain text; each line becomes a paragraph.
    #[serde(default)]
    pub(super) description: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransitionIssue {
    pub(super) key: IssueKey,
    /// The transition's id, as `get_transitions` gives it.
    pub(super) transition: String,
    /// Its name, for the steps by hand if the tool fails.
    pub(super) name: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddComment {
    pub(super) key: IssueKey,
    /// Plain text; each line becomes a paragraph.
    pub(super) text: String,
}

/// The key of an issue: `DEMO-7`. It becomes part of a URL, so everything else is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9_]*-[0-9]+$"))]
pub(super) struct IssueKey(String);

impl IssueKey {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IssueKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_key = text.split_once('-').is_some_and(|(project, number)| {
            project.starts_with(|c: char| c.is_ascii_alphabetic())
                && project.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !number.is_empty()
                && number.chars().all(|c| c.is_ascii_digit())
        });
        if is_key { Ok(Self(text)) } else { Err(format!("`{text}` is no issue key, expected one such as `DEMO-7`")) }
    }
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Pages {
    pub(super) pages: Vec<FoundPage>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct FoundPage {
    pub(super) id: String,
    pub(super) title: String,
    /// The text around the matching words.
    pub(super) excerpt: String,
    pub(super) url: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Page {
    pub(super) title: String,
    /// The page's words; tables and lists lose their form.
    pub(super) text: String,
    pub(super) url: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Issues {
    pub(super) issues: Vec<Issue>,
    /// Whether there are more than these.
    pub(super) more: bool,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Issue {
    pub(super) key: String,
    pub(super) summary: String,
    pub(super) status: String,
    #[serde(rename = "issue_type")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) url: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Transitions {
    pub(super) transitions: Vec<Transition>,
}

/// A step of the workflow that is possible from the issue's present status.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Transition {
    /// What `transition_issue` takes.
    pub(super) id: String,
    pub(super) name: String,
}

/// A change that Jira confirmed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Changed {
    pub(super) key: String,
    pub(super) url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_key_cannot_be_anything_else() {
        for key in ["DEMO-7", "a_1-007"] {
            assert_eq!(IssueKey::try_from(key.to_owned()).unwrap().as_str(), key);
        }
        for text in ["", "DEMO", "DEMO-", "-7", "1A-7", "DEMO-7/../8", "DEMO-7?x=1", "DEMO-7-8", "ÄRGER-1", "DEMO-٣"]
        {
            assert!(IssueKey::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
