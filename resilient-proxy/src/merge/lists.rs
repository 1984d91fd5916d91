//! The lists of one server, kept until it says that they have changed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bridge::{Bridge, KeptLists};

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// Returns the kind that a method lists.
    pub(super) fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }

    /// Returns the kinds that a notification makes outdated.
    fn changed_by(method: &str) -> &'static [Self] {
        match method {
            "notifications/tools/list_changed" => &[Self::Tools],
            "notifications/prompts/list_changed" => &[Self::Prompts],
            "notifications/resources/list_changed" => &[Self::Resources, Self::Templates],
            _ => &[],
        }
    }

    /// Returns the notification that makes the list outdated.
    const fn notification(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::Templates => "notifications/resources/list_changed",
        }
    }

    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// Returns the member of the result that contains the items.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// Returns the capability of a server that has such a list.
    const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
        }
    }
}

/// The maximum number of pages and of items of a list.
const PAGES: usize = 100;
const ITEMS: usize = 10_000;
/// How long a page of a list may take. The other servers wait for it.
const PAGE: Duration = Duration::from_secs(10);
/// The code of an error for a method that a server does not have.
const NO_METHOD: i32 = -32_601;

/// The lists of one server.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<[Kept; 4]>);

#[derive(Debug, Clone, Default)]
struct Kept {
    items: Option<Vec<Value>>,
    is_outdated: bool,
    /// Whether a client has got the list.
    is_known: bool,
    /// Counts the changes, so that a list that was read meanwhile is not kept as the current one.
    changes: u64,
}

impl Lists {
    /// The lists have changed, or may have.
    fn change(&self, kinds: &[Kind]) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in kinds {
            let kept = &mut lists[*kind as usize];
            kept.is_outdated = true;
            kept.changes += 1;
        }
    }

    /// Returns a list: the kept one, or what the server answers. If it cannot be reached, the outdated list, or none.
    pub(super) async fn get(&self, kind: Kind, bridge: &Bridge) -> Vec<Value> {
        let kept = self.known(kind);
        match kept.items {
            Some(items) if !kept.is_outdated => return items,
            _ => {}
        }
        if !bridge.has_capability(kind.capability()) {
            return kept.items.unwrap_or_default();
        }
        let Some(items) = read(kind, bridge).await else { return kept.items.unwrap_or_default() };
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = &mut lists[kind as usize];
        now.is_outdated = now.changes != kept.changes;
        now.items = Some(items.clone());
        items
    }

    /// Returns whether the last list contains a resource.
    pub(super) fn has_resource(&self, uri: &str) -> bool {
        let kept = self.kept(Kind::Resources).items.unwrap_or_default();
        kept.iter().any(|item| item["uri"] == uri)
    }

    /// Returns whether a template of the last list begins as the URI does.
    pub(super) fn has_template(&self, uri: &str) -> bool {
        let kept = self.kept(Kind::Templates).items.unwrap_or_default();
        let templates = kept.iter().filter_map(|item| item["uriTemplate"].as_str());
        let starts: Vec<_> = templates.filter_map(|template| template.split('{').next()).collect();
        starts.iter().any(|start| !start.is_empty() && uri.starts_with(start))
    }

    /// Returns a list that a client gets.
    fn known(&self, kind: Kind) -> Kept {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists[kind as usize].is_known = true;
        lists[kind as usize].clone()
    }

    fn kept(&self, kind: Kind) -> Kept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize].clone()
    }
}

impl KeptLists for Lists {
    fn notified(&self, method: &str) {
        self.change(Kind::changed_by(method));
    }

    fn outdate(&self) -> Vec<&'static str> {
        self.change(&Kind::ALL);
        let known = Kind::ALL.into_iter().filter(|kind| self.kept(*kind).is_known);
        let mut notifications: Vec<_> = known.map(Kind::notification).collect();
        // Resources and their templates have the same one.
        notifications.dedup();
        notifications
    }
}

/// Reads all pages of a list. A server without the method has an empty list.
async fn read(kind: Kind, bridge: &Bridge) -> Option<Vec<Value>> {
    let mut items = Vec::new();
    let mut params = json!({});
    for _ in 0..PAGES {
        let response = bridge.request(kind.method(), &params, PAGE).await?;
        let error: Option<Value> = response.error().and_then(|error| serde_json::from_str(error).ok());
        if error.is_some_and(|error| error["code"] == NO_METHOD) {
            break;
        }
        let mut result: Value = response.result().and_then(|result| serde_json::from_str(result).ok())?;
        if let Value::Array(page) = result[kind.member()].take() {
            items.extend(page);
        }
        match result["nextCursor"].take() {
            Value::String(cursor) if items.len() < ITEMS => params = json!({ "cursor": cursor }),
            _ => break,
        }
    }
    items.truncate(ITEMS);
    Some(items)
}
