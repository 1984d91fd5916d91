//! What scripts return.

use redis::Value;

use super::error::Fault;

const UNKNOWN: Fault = Fault::Row("a reply that is not known");

pub(super) fn array(value: Value) -> Result<Vec<Value>, Fault> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(UNKNOWN),
    }
}

/// Returns the rest of a reply that begins with 0, or [`Fault::OtherStore`] for one that begins with -1.
pub(super) fn rest(value: Value) -> Result<std::vec::IntoIter<Value>, Fault> {
    let mut values = array(value)?.into_iter();
    match values.next() {
        Some(Value::Int(0)) => Ok(values),
        Some(Value::Int(-1)) => Err(Fault::OtherStore),
        _ => Err(UNKNOWN),
    }
}

pub(super) fn number(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(UNKNOWN),
    }
}

/// Returns a text, or `None` for nil.
pub(super) fn text(value: Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| UNKNOWN),
        Value::SimpleString(text) => Ok(Some(text)),
        Value::Int(number) => Ok(Some(number.to_string())),
        _ => Err(UNKNOWN),
    }
}

/// Returns the score of the first member in a reply of `ZRANGE .. WITHSCORES`.
pub(super) fn first_score(value: Value) -> Result<Option<u64>, Fault> {
    array(value)?.into_iter().nth(1).map(score).transpose().map(Option::flatten)
}

/// Returns a score, which is a time in milliseconds.
pub(super) fn score(value: Value) -> Result<Option<u64>, Fault> {
    text(value)?.map(|score| score.parse().map_err(|_| Fault::Row("a score that is no time"))).transpose()
}
