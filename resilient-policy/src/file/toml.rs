//! Reads a file as a tree of located values.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::node::{Entry, Node, Value};

/// The location of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SourceLocation {
    /// In a file: its name, line and column, both from 1.
    File(Arc<str>, u32, u32),
    /// In an environment variable, by its name.
    Variable(Arc<str>),
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name, line, column) => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// Converts offsets in a text to lines and columns.
pub(crate) struct Lines<'t> {
    name: Arc<str>,
    text: &'t str,
    /// The offset of each line.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(name: &str, text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, starts }
    }

    pub(crate) fn place(&self, offset: usize) -> SourceLocation {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).unwrap_or_default().chars().count() + 1;
        let fits = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        SourceLocation::File(Arc::clone(&self.name), fits(line), fits(column))
    }

    pub(crate) fn table(&self, table: &toml::de::DeTable<'_>) -> Vec<Entry<SourceLocation>> {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let entry = Entry {
                    key: key.get_ref().to_string(),
                    location: self.place(key.span().start),
                    value: self.node(value.get_ref(), value.span()),
                };
                (key.span().start, entry)
            })
            .collect();
        // Sorted by position, so that problems are reported in the order of the file.
        entries.sort_by_key(|(start, _)| *start);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    fn node(&self, value: &toml::de::DeValue<'_>, span: Range<usize>) -> Node<SourceLocation> {
        use toml::de::DeValue;
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                i128::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer)
            }
            DeValue::Float(number) => number.as_str().parse().map_or(Value::Other, Value::Float),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(_) => Value::Other,
            DeValue::Array(list) => {
                Value::List(list.iter().map(|value| self.node(value.get_ref(), value.span())).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node::new(self.place(span.start), value)
    }
}
