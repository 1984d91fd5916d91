//! The names of the keys.

use resilient_runtime::deferred::{Receipt, State};

use crate::Redis;

/// The names of the keys of a store.
///
/// | key | type | content |
/// |---|---|---|
/// | `store` | hash | `format`, `id` and `secret` |
/// | `totals` | hash | `entries` so far, `live` entries, their `bytes` with those that are kept, `checks` |
/// | `servers` | set | the names of servers |
/// | `entry:RECEIPT` | hash | an entry, see `Row`; without `row` one that is refused if it arrives |
/// | `keys` | hash | the receipt of the entry that holds a key, by the hash of the key |
/// | `list:STATE:SERVER` | sorted set | the members of the entries in a state, in the order of their acceptance |
/// | `due:LENGTH:SERVER:TOOL` | sorted set | live entries by when they are due |
/// | `over:SERVER` | sorted set | live entries by when a sweep changes them |
/// | `oldest:SERVER` | sorted set | live entries by their acceptance |
/// | `ended:SERVER` | sorted set | ended entries by when a sweep removes them |
/// | `interrupted` | hash | the number of interrupted tries, by server |
/// | `starts`, `runs` | hash, list | the starts of machines |
///
/// A member is the number of an entry in 16 digits and its receipt in 32, so that members with equal scores have the
/// order of their acceptance. Names of servers and tools are arbitrary texts: one is the end of a key, and of two the
/// first has its length before it.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) store: String,
    pub(super) totals: String,
    pub(super) servers: String,
    pub(super) keys: String,
    pub(super) interrupted: String,
    pub(super) starts: String,
    pub(super) runs: String,
    /// What the names of entries, lists and so on begin with.
    pub(super) entries: String,
    pub(super) lists: String,
    pub(super) oldest: String,
    due: String,
    over: String,
    ended: String,
}

impl Names {
    pub(super) fn new(redis: &Redis) -> Self {
        let key = |rest: &str| redis.key(format_args!("deferred:{rest}"));
        Self {
            store: key("store"),
            totals: key("totals"),
            servers: key("servers"),
            keys: key("keys"),
            interrupted: key("interrupted"),
            starts: key("starts"),
            runs: key("runs"),
            entries: key("entry:"),
            lists: key("list:"),
            oldest: key("oldest:"),
            due: key("due:"),
            over: key("over:"),
            ended: key("ended:"),
        }
    }

    pub(super) fn entry(&self, receipt: Receipt) -> String {
        format!("{}{}", self.entries, hex(receipt.bits()))
    }

    pub(super) fn list(&self, state: State, server: &str) -> String {
        format!("{}{}:{server}", self.lists, state.as_str())
    }

    pub(super) fn due(&self, server: &str, tool: &str) -> String {
        format!("{}{}:{server}:{tool}", self.due, server.len())
    }

    pub(super) fn over(&self, server: &str) -> String {
        format!("{}{server}", self.over)
    }

    pub(super) fn oldest(&self, server: &str) -> String {
        format!("{}{server}", self.oldest)
    }

    pub(super) fn ended(&self, server: &str) -> String {
        format!("{}{server}", self.ended)
    }
}

/// 128 bits as they are stored.
pub(super) fn hex(bits: u128) -> String {
    format!("{bits:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_servers_and_tools_have_different_keys() {
        let names = Names::new(&Redis::new("redis://127.0.0.1/"));
        let pairs =
            [("a", "b:c"), ("a:b", "c"), ("", "a:b:c"), ("a:b:c", ""), ("1:a", "b"), ("é", "a"), ("e\u{301}", "a")];
        let keys: std::collections::BTreeSet<_> = pairs.iter().map(|(server, tool)| names.due(server, tool)).collect();
        assert_eq!(keys.len(), pairs.len(), "{keys:?}");
        assert_eq!(names.due("shop", "order"), "resilient:deferred:due:4:shop:order");
    }
}
