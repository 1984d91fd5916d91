//! The requests that wait for their responses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::message::Message;

/// A response, or why there is none.
pub(super) type Answered = Result<Message, Failure>;

/// The requests that wait for their responses, by their ids as JSON.
#[derive(Default)]
pub(super) struct Pending(Mutex<HashMap<Box<str>, Waiting>>);

/// The methods whose requests may wait without limit: the stream of subscriptions, and the result of a task.
const LONG: [&str; 2] = ["subscriptions/listen", "tasks/result"];

struct Waiting {
    /// The link on which the request was sent.
    generation: u64,
    /// Whether it may wait without limit.
    is_long: bool,
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
        waiting.insert(id.into_owned().into(), Waiting { generation, is_long, answer });
        Some(answered)
    }

    /// Passes a response to the request that waits for it. A response without one is dropped: it came too late, or twice.
    pub(super) fn answer(&self, response: Message) -> bool {
        let waiting = response.id().and_then(|id| self.lock().remove(&*key(id)));
        waiting.is_some_and(|waiting| waiting.answer.send(Ok(response)).is_ok())
    }

    /// Removes a request. Returns whether it still waited.
    pub(super) fn remove(&self, id: &str) -> bool {
        self.lock().remove(&*key(id)).is_some()
    }

    /// Returns whether no request waits, except those that may wait without limit.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().values().all(|waiting| waiting.is_long)
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
    fn ids_that_are_the_same_value_have_the_same_key() {
        for (one, other) in [(r#""\u0061\u00e9""#, r#""aé""#), ("7.0", "7"), ("7e0", "7"), (r#""7""#, r#""7""#)] {
            assert_eq!(key(one), key(other));
        }
        assert_ne!(key("7"), key(r#""7""#));
        assert_ne!(key("7.5"), key("7"));
    }
}
