//! Which server a name of a tool means.

use std::sync::Arc;

use super::server::Server;

/// What separates the name of a server from that of its tool. A server's name does not contain it.
const SEPARATOR: &str = "__";

/// The servers that have a tool.
pub(super) enum Choice {
    /// One server, and the tool's own name there.
    One(Arc<Server>, String),
    /// More than one; the full names of the tools.
    Several(Vec<String>),
    None,
}

/// Returns `server__tool`.
pub(super) fn full_name(server: &str, tool: &str) -> String {
    format!("{server}{SEPARATOR}{tool}")
}

/// Finds the server of a tool. A name that begins with that of a server and `__` means this server, also if it has not
/// listed the tool.
pub(super) fn choose(servers: &[Arc<Server>], tool: &str) -> Choice {
    if let Some((server, own)) = tool.split_once(SEPARATOR)
        && let Some(server) = servers.iter().find(|it| it.name() == server)
    {
        return Choice::One(Arc::clone(server), own.to_owned());
    }
    let having: Vec<_> = servers.iter().filter(|server| server.has_tool(tool)).collect();
    match having.as_slice() {
        [] => Choice::None,
        [server] => Choice::One(Arc::clone(server), tool.to_owned()),
        several => Choice::Several(several.iter().map(|server| full_name(server.name(), tool)).collect()),
    }
}
