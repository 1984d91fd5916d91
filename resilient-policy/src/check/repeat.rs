//! The message about retries that may do harm.

/// What a caller may still declare about a function whose effect is not known to be harmless.
#[derive(Debug, Clone, Copy)]
pub struct Declarable {
    /// That it only reads: no annotation denies it.
    pub read_only: bool,
    /// That it is idempotent: no annotation denies it.
    pub idempotent: bool,
    /// Whether the function is a tool, which declares its effect with annotations.
    pub by_annotations: bool,
}

/// Returns the message about `retry` on a function that may do harm if it runs again, with every way to correct it.
///
/// ```
/// use resilient_policy::{Declarable, harmful_retry};
///
/// let denied = Declarable { read_only: false, idempotent: false, by_annotations: true };
/// assert!(harmful_retry("delete", denied).contains("its annotations say that it writes"));
/// ```
#[must_use]
pub fn harmful_retry(name: &str, declarable: Declarable) -> String {
    let ways = |read_only: &str, idempotent: &str| match (declarable.read_only, declarable.idempotent) {
        (true, true) => Some(format!("{read_only} or {idempotent}")),
        (true, false) => Some(read_only.to_owned()),
        (false, true) => Some(idempotent.to_owned()),
        (false, false) => None,
    };
    let by_annotation = ways("`annotations(read_only_hint = true)`", "`annotations(idempotent_hint = true)`")
        .filter(|_| declarable.by_annotations)
        .map(|ways| format!("say what it does with {ways} in `#[tool(..)]`"));
    let by_key = ways("`read_only`", "`idempotent`").map(|ways| format!("add {ways} to `#[resilient(..)]`"));
    let harm = match by_key {
        Some(_) => "nothing says that this is harmless",
        None => "its annotations say that it writes and is not idempotent",
    };
    let otherwise = ["accept it with `retry_unsafe = \"reason\"`", "refuse it with `retry = none`"];
    let cures = by_annotation.into_iter().chain(by_key).chain(otherwise.map(Into::into));
    let cures: Vec<_> = cures.collect();
    format!("`retry` may run `{name}` again, and {harm}: {}", cures.join(", or "))
}
