//! Reads single values of a table.

use std::time::Duration;

use super::{Entry, Reader};
use crate::form::Form;
use crate::name::check_name;
use crate::node::Value;
use crate::setting::Setting;

pub(super) fn duration(entry: &Entry, reader: &mut Reader<'_>) -> Option<Duration> {
    match reader.value(entry, Form::DURATION)? {
        Setting::Duration(duration) => Some(duration),
        _ => None,
    }
}

pub(super) fn flag(entry: &Entry, reader: &mut Reader<'_>) -> Option<bool> {
    match reader.value(entry, Form::Flag)? {
        Setting::Flag(flag) => Some(flag),
        _ => None,
    }
}

/// Reads an integer that is at least `least`.
pub(super) fn count(entry: &Entry, reader: &mut Reader<'_>, least: u32) -> Option<u32> {
    let form = Form::Count(least, u32::MAX);
    let value = reader.value(entry, form)?;
    if let Some(message) = form.out_of_range(&value) {
        reader.problem(entry, message);
        return None;
    }
    match value {
        Setting::Count(count) => Some(count),
        _ => None,
    }
}

pub(super) fn name(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let (Value::Text(name) | Value::Variable(name)) = &entry.value.value else {
        reader.problem(entry, "expected a text in quotes");
        return None;
    };
    check_name(name).map_err(|why| reader.problem(entry, why)).ok().map(|()| name.clone())
}
