//! The part of Jira's API v3 that the tools use.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    document,
    error::{AtlassianError, Service},
    site::Site,
    types::{Changed, CreateIssue, Issue, IssueKey, Issues, Transitions},
};

/// The requested fields of an issue in a list.
const FIELDS: &str = "summary,status,issuetype,assignee";

#[derive(Deserialize)]
struct Found {
    issues: Vec<RawIssue>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct RawIssue {
    key: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    summary: String,
    status: Named,
    issuetype: Named,
    assignee: Option<User>,
    description: Option<Value>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "displayName")]
    name: String,
}

#[derive(Deserialize)]
struct Created {
    key: String,
}

#[derive(Deserialize)]
struct Commented {
    id: String,
}

impl Site {
    /// `GET /rest/api/3/search/jql`.
    pub(super) async fn search_issues(&self, jql: &str) -> Result<Issues, AtlassianError> {
        let query = [("jql", jql), ("fields", FIELDS), ("maxResults", "50")];
        let found: Found = self.read(Service::Jira, "/rest/api/3/search/jql", &query).await?;
        let issues = found.issues.into_iter().map(|issue| self.issue_of(issue)).collect();
        Ok(Issues { issues, more: found.next.is_some() })
    }

    /// `GET /rest/api/3/issue/{key}`.
    pub(super) async fn issue(&self, key: &IssueKey) -> Result<Issue, AtlassianError> {
        let fields = format!("{FIELDS},description");
        let issue = self.read(Service::Jira, &path(key, ""), &[("fields", &fields)]).await;
        issue.map(|issue| self.issue_of(issue)).map_err(|error| no_such_issue(error, key))
    }

    /// `GET /rest/api/3/issue/{key}/transitions`.
    pub(super) async fn transitions(&self, key: &IssueKey) -> Result<Transitions, AtlassianError> {
        self.read(Service::Jira, &path(key, "/transitions"), &[]).await.map_err(|error| no_such_issue(error, key))
    }

    /// `POST /rest/api/3/issue`.
    pub(super) async fn create(&self, issue: &CreateIssue) -> Result<Changed, AtlassianError> {
        let body = json!({ "fields": {
            "project": { "key": issue.project },
            "issuetype": { "name": issue.issue_type },
            "summary": issue.summary,
            "description": document::from_text(&issue.description),
        }});
        let Created { key } = self.change("/rest/api/3/issue", &body).await?;
        Ok(Changed { url: self.browse(&key), key })
    }

    /// `POST /rest/api/3/issue/{key}/transitions`.
    pub(super) async fn transition(&self, key: &IssueKey, transition: &str) -> Result<Changed, AtlassianError> {
        let body = json!({ "transition": { "id": transition } });
        let done: Result<(), _> = self.change(&path(key, "/transitions"), &body).await;
        done.map_err(|error| match error {
            // The service names invalid fields. If it names none, the workflow rejects the transition.
            AtlassianError::Invalid { fields, complaint, .. } if fields.is_empty() => {
                let (issue, transition) = (key.as_str().to_owned(), transition.to_owned());
                AtlassianError::NoSuchTransition { issue, transition, complaint }
            }
            other => no_such_issue(other, key),
        })?;
        Ok(Changed { key: key.as_str().to_owned(), url: self.browse(key.as_str()) })
    }

    /// `POST /rest/api/3/issue/{key}/comment`.
    pub(super) async fn comment(&self, key: &IssueKey, text: &str) -> Result<Changed, AtlassianError> {
        let body = json!({ "body": document::from_text(text) });
        let Commented { id } =
            self.change(&path(key, "/comment"), &body).await.map_err(|error| no_such_issue(error, key))?;
        let url = self.url_with(&format!("/browse/{}", key.as_str()), &[("focusedCommentId", &id)]);
        Ok(Changed { key: key.as_str().to_owned(), url })
    }

    /// The address of an issue or a project in a browser.
    pub(super) fn browse(&self, key: &str) -> String {
        self.url(&format!("/browse/{key}"))
    }

    fn issue_of(&self, RawIssue { key, fields }: RawIssue) -> Issue {
        Issue {
            summary: fields.summary,
            status: fields.status.name,
            kind: fields.issuetype.name,
            assignee: fields.assignee.map(|user| user.name),
            description: fields.description.map(|description| document::to_text(&description)),
            url: self.browse(&key),
            key,
        }
    }
}

fn path(key: &IssueKey, rest: &str) -> String {
    format!("/rest/api/3/issue/{}{rest}", key.as_str())
}

fn no_such_issue(error: AtlassianError, key: &IssueKey) -> AtlassianError {
    match error {
        AtlassianError::Status { status: 404, .. } => AtlassianError::NoSuchIssue { issue: key.as_str().to_owned() },
        other => other,
    }
}
