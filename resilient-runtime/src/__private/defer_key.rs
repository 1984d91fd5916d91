//! The value of `deferred(key = ..)`.

use serde::Serialize;

/// A value that identifies a deferred call: its JSON is the key. It has to stay the same in later versions of the
/// server, so that it cannot be a hash.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a deferred call",
    label = "expected something that is `Serialize`",
    note = "derive `serde::Serialize` for it, or write something of it that has it, such as an id or a text"
)]
pub trait DeferKey {
    /// Returns the key, or `None` if the value is none, such as `None` or an empty text.
    fn key(&self) -> Option<String>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> DeferKey for T {
    fn key(&self) -> Option<String> {
        serde_json::to_string(self).ok().filter(|key| !matches!(&**key, "null" | "\"\""))
    }
}

/// Returns the key of a deferred call, for [`Entry::deferred_by`](crate::__private::Entry::deferred_by).
pub fn defer_key<T: DeferKey + ?Sized>(value: &T) -> Option<String> {
    value.key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_json_of_its_value() {
        assert_eq!(defer_key("a").as_deref(), Some("\"a\""));
        assert_eq!(defer_key(&Some(1)), defer_key(&1_u64));
        assert_ne!(defer_key("1"), defer_key(&1));
        assert_eq!(defer_key(&("a", 1)).as_deref(), Some("[\"a\",1]"));
    }

    #[test]
    fn nothing_and_an_empty_text_are_no_key() {
        assert_eq!(defer_key(&None::<String>), None);
        assert_eq!(defer_key(&Some(String::new())), None);
        assert_eq!(defer_key(""), None);
    }
}
