//! The requests that wait for their responses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use resilient_runtime::ErrorKind;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::message::Message;

/// A response, or why there is none.
pub(super) type Answered = Result<Message, Failure>;

/// The requests that wait for their responses, by their ids as JSON.
#[derive(Default)]
pub(super) struct Pending(Mutex<HashMap<Box<str>, Waiting>>);

/// The methods whose requests may wait without limit: the stream of subscriptions, and the result of a task.
pub(crate) const LONG: [&str; 2] = ["subscriptions/listen", "tasks/result"];

/// The methods that follow a new connection by themselves. Their responses do not show that it is of use.
const OF_EVERY_CONNECTION: [&str; 9] = [
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/list",
    "resources/list",
    "resources/subscribe",
    "resources/templates/list",
    "server/discover",
    "tools/list",
];

struct Waiting {
    /// The link on which the request was sent.
    generation: u64,
    /// Whether it may wait without limit.
    is_long: bool,
    /// Whether its response shows that the connection is of use.
    proves: bool,
    answer: oneshot::Sender<Answered>,
}

impl Pending {
    /// Adds a request. Returns `None`, if one with this id waits already.
    pub(super) fn add(&self, id: &str, generation: u64, method: Option<&str>) -> Option<oneshot::Receiver<Answered>> {
        let (answer, answered) = oneshot::channel();
        let id = key(id);
        let mut waiting = self.lock();
        if waiting.contains_key(&*id) {
            return None;
        }
        let is_long = method.is_some_and(|method| LONG.contains(&method));
        let proves = method.is_none_or(|method| !OF_EVERY_CONNECTION.contains(&method));
        waiting.insert(id.into_owned().into(), Waiting { generation, is_long, proves, answer });
        Some(answered)
    }

    /// Passes a response to the request that waits for it on this connection. A response without one is dropped: it came
    /// too late, or twice. Returns whether the response shows that the connection is of use.
    pub(super) fn answer(&self, response: Message, generation: u64) -> bool {
        let waiting = response.id().and_then(|id| self.take(id, generation));
        waiting.is_some_and(|waiting| {
            let proves = waiting.proves;
            waiting.answer.send(Ok(response)).is_ok() && proves
        })
    }

    /// Removes a request of this connection.
    fn take(&self, id: &str, generation: u64) -> Option<Waiting> {
        let id = key(id);
        let mut waiting = self.lock();
        waiting.get(&*id).filter(|it| it.generation == generation)?;
        waiting.remove(&*id)
    }

    /// Removes a request. Returns whether it still waited.
    pub(super) fn remove(&self, id: &str) -> bool {
        self.lock().remove(&*key(id)).is_some()
    }

    /// Returns whether no request waits, except those that may wait without limit or that every server answers at once.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().values().all(|waiting| waiting.is_long || !waiting.proves)
    }

    /// Ends the request whose response is too long to be read, if the start or the end of the response shows its id.
    pub(super) fn fail_too_long(&self, start: &[u8], end: &[u8], bytes: usize, generation: u64) {
        let ids = [id_at_start(start), id_at_end(end)];
        let waiting = ids.into_iter().flatten().find_map(|id| self.take(&id, generation));
        if let Some(waiting) = waiting {
            let message = format!("the response has {bytes} bytes, which is too long");
            let _ = waiting.answer.send(Err(Failure::sent(ErrorKind::BadResponse, message)));
        }
    }

    /// Ends all requests of a link.
    pub(super) fn fail(&self, generation: u64, failure: &Failure) {
        let mut waiting = self.lock();
        let ids: Vec<_> =
            waiting.iter().filter(|(_, it)| it.generation == generation).map(|(id, _)| id.clone()).collect();
        let lost: Vec<_> = ids.iter().filter_map(|id| waiting.remove(id)).collect();
        drop(waiting);
        for request in lost {
            // Its caller may be gone.
            let _ = request.answer.send(Err(failure.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the id of a response in its first bytes, if nothing but the version is in front of it.
fn id_at_start(start: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    let (front, rest) = text.split_once("\"id\"")?;
    let front: String = front.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(front.as_str(), "{" | "{\"jsonrpc\":\"2.0\",").then(|| id_after(rest)).flatten()
}

/// Finds the id of a response in its last bytes, if nothing but the version follows it.
fn id_at_end(end: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(end);
    let (_, rest) = text.rsplit_once("\"id\"")?;
    let id = id_after(rest)?;
    let after: String = rest.split_once(&id)?.1.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(after.as_str(), "}" | ",\"jsonrpc\":\"2.0\"}").then_some(id)
}

/// Reads the id after its name.
fn id_after(rest: &str) -> Option<String> {
    let value = rest.trim_start().strip_prefix(':')?;
    let id: &RawValue = serde_json::Deserializer::from_str(value).into_iter().next()?.ok()?;
    // A request of the server has an id as well.
    let is_request = value.get(id.get().len()..).is_some_and(|rest| rest.trim_start().starts_with(",\"method\""));
    (!is_request).then(|| id.get().to_owned())
}

/// Returns the same text for ids that are the same value: a server may write the id that it has read in another way.
fn key(id: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii() && byte != b'\\';
    let is_text = id.starts_with('"');
    if is_text && id.bytes().all(is_plain) || !is_text && !id.contains(['.', 'e', 'E']) {
        return Cow::Borrowed(id);
    }
    let value = serde_json::from_str::<serde_json::Value>(id);
    let value = value.map(|value| match value.as_f64() {
        Some(number) if number.fract() == 0.0 => format!("{number:.0}"),
        _ => value.to_string(),
    });
    value.map_or(Cow::Borrowed(id), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_long_response_is_found_at_its_start_or_at_its_end() {
        assert_eq!(id_at_start(br#"{"jsonrpc": "2.0", "id": 17, "result": {"content": "#).as_deref(), Some("17"));
        assert_eq!(id_at_start(br#"{"result":{"id":17,"x":""#), None);
        assert_eq!(id_at_end(br#"xxxx"}]},"jsonrpc":"2.0","id":"a-1"}"#).as_deref(), Some("\"a-1\""));
        assert_eq!(id_at_end(br#"xx"},"id":17,"jsonrpc":"2.0"}"#).as_deref(), Some("17"));
        assert_eq!(id_at_end(br#"xx","id":17}]}}"#), None);
    }

    #[test]
    fn ids_that_are_the_same_value_have_the_same_key() {
        for (one, other) in [(r#""\u0061\u00e9""#, r#""aé""#), ("7.0", "7"), ("7e0", "7"), (r#""7""#, r#""7""#)] {
            assert_eq!(key(one), key(other));
        }
        assert_ne!(key("7"), key(r#""7""#));
        assert_ne!(key("7.5"), key("7"));
    }
}
