//! A copy of a call's arguments for an explanation, because rmcp consumes the arguments before it is known whether they
//! fit.

use std::cell::Cell;
use std::io::{self, Write};

use rmcp::model::JsonObject;
use serde_json::{Number, Value};

/// The maximum size in bytes of arguments that are copied and explained, because explaining reads them several times.
/// Longer arguments are rejected in rmcp's own words.
pub(super) const LONGEST: usize = 1 << 16;
/// The maximum size in bytes of a buffer that stays with a thread.
const LARGEST_SPARE: usize = 1 << 14;

thread_local! {
    /// A buffer that the calls of a thread reuse, because a copy lives only until the tool's first poll.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A copy of arguments as JSON.
#[derive(Debug)]
pub(crate) struct ArgumentsCopy(Vec<u8>);

impl ArgumentsCopy {
    /// Copies arguments. Returns `None` if they are longer than [`LONGEST`].
    pub(crate) fn of(arguments: Option<&JsonObject>) -> Option<Self> {
        let mut buffer = Buffer(SPARE.try_with(Cell::take).unwrap_or_default());
        buffer.0.clear();
        let has_room = match arguments {
            Some(arguments) => buffer.object(arguments).is_ok(),
            None => buffer.write_all(b"{}").is_ok(),
        };
        let copy = Self(buffer.0);
        has_room.then_some(copy)
    }

    pub(crate) fn json(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for ArgumentsCopy {
    fn drop(&mut self) {
        if self.0.capacity() <= LARGEST_SPARE {
            // Fails only while the thread ends.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.0)));
        }
    }
}

/// A buffer with a maximum size.
struct Buffer(Vec<u8>);

impl Buffer {
    /// Writes JSON. What is plain is written without the machinery of a serializer, which costs several times as much.
    fn object(&mut self, members: &JsonObject) -> io::Result<()> {
        self.write_all(b"{")?;
        for (index, (key, value)) in members.iter().enumerate() {
            if index > 0 {
                self.write_all(b",")?;
            }
            self.text(key)?;
            self.write_all(b":")?;
            match value {
                Value::Object(members) => self.object(members)?,
                Value::String(text) => self.text(text)?,
                Value::Number(number) => self.number(number)?,
                other => serde_json::to_writer(&mut *self, other)?,
            }
        }
        self.write_all(b"}")
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            return Ok(serde_json::to_writer(self, text)?);
        }
        self.write_all(b"\"")?;
        self.write_all(text.as_bytes())?;
        self.write_all(b"\"")
    }

    fn number(&mut self, number: &Number) -> io::Result<()> {
        match number.as_u64().map(u8::try_from) {
            Some(Ok(digit @ 0..=9)) => self.write_all(&[b'0' + digit]),
            _ => Ok(serde_json::to_writer(self, number)?),
        }
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_is_the_same_json_as_a_serializer_writes() {
        let arguments = json!({
            "a": 0, "b": 9, "c": 10, "d": -1, "e": u64::MAX, "f": 1.5, "g": null, "h": true, "i": [1, "x", { "y": [] }],
            "j": { "k": {}, "l": { "m\n": "n\"o\\p" } }, "q\"": "é\u{1}\u{7f}", "": "", "r": i64::MIN,
        });
        let copy = ArgumentsCopy::of(arguments.as_object()).unwrap();
        assert_eq!(String::from_utf8_lossy(copy.json()), arguments.to_string());
    }

    #[test]
    fn calls_in_turn_use_the_same_room_and_very_long_arguments_are_not_kept() {
        let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
        let first = ArgumentsCopy::of(Some(&object(json!({ "a": "x".repeat(100) })))).unwrap();
        let buffer = first.json().as_ptr();
        drop(first);
        let second = ArgumentsCopy::of(Some(&object(json!({ "a": 1 })))).unwrap();
        assert_eq!((second.json(), second.json().as_ptr()), (&br#"{"a":1}"#[..], buffer));
        assert!(ArgumentsCopy::of(Some(&object(json!({ "a": "x".repeat(LONGEST) })))).is_none());
        assert_eq!(ArgumentsCopy::of(None).unwrap().json(), b"{}");
    }
}
