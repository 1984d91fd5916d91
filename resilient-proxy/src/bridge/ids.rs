//! The ids and progress tokens of sessions that share a server.

use std::borrow::Cow;

use serde_json::Value;

/// The number of a session.
pub(super) type SessionNumber = u32;

/// How the ids and progress tokens of a session are written for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// Unchanged: the session has the server for itself.
    Unchanged,
    /// With the number of the session.
    Of(SessionNumber),
}

impl Ids {
    /// Converts an id or a progress token of the client, as JSON.
    pub(super) fn to_server(self, id: &str) -> Cow<'_, str> {
        match self {
            Self::Unchanged => Cow::Borrowed(id),
            Self::Of(session) => {
                let text = serde_json::to_string(&format!("{PREFIX}{session}:{id}"));
                Cow::Owned(text.unwrap_or_default())
            }
        }
    }
}

/// Reads the session and its own id from an id that [`Ids::to_server`] has written.
pub(super) fn from_server(id: &str) -> Option<(SessionNumber, String)> {
    let text: String = serde_json::from_str(id).ok()?;
    let (session, id) = text.strip_prefix(PREFIX)?.split_once(':')?;
    // A server may write an id that it did not get.
    let is_id = serde_json::from_str(id).is_ok_and(|id: Value| id.is_string() || id.is_number());
    is_id.then_some((session.parse().ok()?, id.to_owned()))
}

const PREFIX: &str = "session-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_returns_is_the_id_of_its_session() {
        for id in ["7", "-1.5", r#""a""#, r#""a:b\"c\\""#, r#""session-1:2""#] {
            let sent = Ids::Of(12).to_server(id);
            assert_eq!(from_server(&sent), Some((12, id.to_owned())));
            assert_eq!(Ids::Unchanged.to_server(id), id);
        }
        assert_eq!(from_server("7"), None);
        for id in [r#""session-x:7""#, r#""session-1:""#, r#""session-1:x""#, r#""session-1:7,""#] {
            assert_eq!(from_server(id), None, "{id}");
        }
    }
}
