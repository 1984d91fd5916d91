//! The names of several servers' tools, prompts and tasks in one list: `server__name`.

/// What separates the name of a server from that of its tool. A server's name does not contain it.
const SEPARATOR: &str = "__";

/// Returns the name of a tool, a prompt or a task of a server.
pub(super) fn joined(server: &str, name: &str) -> String {
    format!("{server}{SEPARATOR}{name}")
}

/// Returns the server and its own name for a tool, a prompt or a task.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_separators_belongs_to_the_server_in_front_of_the_first_one() {
        assert_eq!(split(&joined("web", "get__page")), Some(("web", "get__page")));
        assert_eq!(split("get_page"), None);
    }
}
