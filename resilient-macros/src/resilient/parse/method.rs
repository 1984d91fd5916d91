//! The methods of rmcp's `ServerHandler` that serve requests and notifications.

use proc_macro2::{Ident, Span};

/// A method of `ServerHandler`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    /// The name in Rust.
    name: &'static str,
    /// The MCP method.
    pub(crate) serves: &'static str,
    pub(crate) kind: Kind,
    /// Whether it reads by the protocol.
    pub(crate) reads: bool,
    /// The number of its arguments, of which the last one is the context.
    pub(crate) arguments: usize,
}

/// What a method serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    /// A tool call, which has its own timeout.
    CallTool,
    /// A request that lasts until the client ends it.
    Subscription,
    Notification,
}

const fn request(name: &'static str, serves: &'static str, reads: bool) -> Method {
    Method { name, serves, kind: Kind::Request, reads, arguments: 2 }
}

const fn notification(name: &'static str, serves: &'static str, arguments: usize) -> Method {
    Method { name, serves, kind: Kind::Notification, reads: false, arguments }
}

const METHODS: &[Method] = &[
    Method { arguments: 1, ..request("ping", "ping", false) },
    request("initialize", "initialize", false),
    Method { arguments: 1, ..request("discover", "server/discover", false) },
    request("complete", "completion/complete", true),
    request("set_level", "logging/setLevel", false),
    request("get_prompt", "prompts/get", true),
    request("list_prompts", "prompts/list", true),
    request("list_resources", "resources/list", true),
    request("list_resource_templates", "resources/templates/list", true),
    request("read_resource", "resources/read", true),
    request("subscribe", "resources/subscribe", false),
    request("unsubscribe", "resources/unsubscribe", false),
    request("list_tools", "tools/list", true),
    // The client chooses the name of a custom request, which becomes no label.
    request("on_custom_request", "custom", false),
    request("get_task", "tasks/get", true),
    request("update_task", "tasks/update", false),
    request("cancel_task", "tasks/cancel", false),
    request("list_skills", "skills/list", true),
    request("get_skill", "skills/get", true),
    request("read_resource_directory", "resources/directory/read", true),
    Method { kind: Kind::CallTool, ..request("call_tool", "tools/call", false) },
    Method { kind: Kind::Subscription, arguments: 1, ..request("listen", "subscriptions/listen", false) },
    notification("on_cancelled", "notifications/cancelled", 2),
    notification("on_progress", "notifications/progress", 2),
    notification("on_initialized", "notifications/initialized", 1),
    notification("on_roots_list_changed", "notifications/roots/list_changed", 1),
    notification("on_custom_notification", "notifications/custom", 2),
];

impl Method {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }

    /// Returns whether the key `authorize` of a block is about it: the requests that follow the handshake.
    pub(crate) fn is_authorized(&self) -> bool {
        matches!(self.kind, Kind::Request | Kind::Subscription)
            && !["ping", "initialize", "discover"].contains(&self.name)
    }

    /// Returns the name of a method for tasks, which the runtime's function for deferred writes has too.
    pub(crate) fn of_tasks(&self, at: Span) -> Option<Ident> {
        self.serves.starts_with("tasks/").then(|| Ident::new(self.name, at))
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }
}
