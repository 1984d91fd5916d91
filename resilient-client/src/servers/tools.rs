//! The tools of one server, as it has listed them.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

use super::choice::full_name;

/// A tool that a server has listed. Clones share its definition.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedTool {
    server: Arc<str>,
    definition: Arc<Value>,
}

impl ListedTool {
    /// Reads an item of a list. Returns `None`, if it has no name.
    pub(super) fn read(server: &Arc<str>, definition: Value) -> Option<Self> {
        definition.get("name")?.as_str()?;
        Some(Self { server: Arc::clone(server), definition: Arc::new(definition) })
    }

    /// Returns the name of the server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the name of the tool at its server.
    #[must_use]
    pub fn name(&self) -> &str {
        self.definition.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the name by which only this tool is called: `server__tool`.
    #[must_use]
    pub fn full_name(&self) -> String {
        full_name(self.server(), self.name())
    }

    /// Returns the tool as the server has listed it: `name`, `description`, `inputSchema` and more.
    #[must_use]
    pub fn definition(&self) -> &Value {
        &self.definition
    }
}

/// The list of one server, which its task keeps.
#[derive(Default)]
pub(super) struct ToolList {
    listed: Mutex<Listed>,
    wanted: Notify,
}

#[derive(Default)]
struct Listed {
    tools: Arc<[ListedTool]>,
    is_known: bool,
    /// Whether the last attempt to read the list has failed.
    has_failed: bool,
}

impl ToolList {
    pub(super) fn tools(&self) -> Arc<[ListedTool]> {
        Arc::clone(&self.listed.lock().unwrap_or_else(PoisonError::into_inner).tools)
    }

    /// Returns whether the server has listed its tools at least once.
    pub(super) fn is_known(&self) -> bool {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).is_known
    }

    /// Returns whether there is a list, or the last attempt to read it has failed.
    pub(super) fn is_settled(&self) -> bool {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.is_known || listed.has_failed
    }

    /// Takes over what was read.
    pub(super) fn set(&self, read: Option<Vec<ListedTool>>) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.has_failed = read.is_none();
        if let Some(tools) = read {
            listed.tools = tools.into();
            listed.is_known = true;
        }
    }

    /// Makes the task of the server read the list again.
    pub(super) fn outdate(&self) {
        self.wanted.notify_one();
    }

    /// Waits until the list is outdated.
    pub(super) async fn outdated(&self) {
        self.wanted.notified().await;
    }
}
