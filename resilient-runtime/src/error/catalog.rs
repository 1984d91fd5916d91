//! The catalog of an error type: its codes as data and as a table for documentation.

use std::fmt::Write as _;

use crate::ErrorKind;

/// One code of an error type that derives [`McpError`](derive@crate::McpError).
///
/// The derived function `catalog()` returns one entry for each variant except for transparent ones;
/// [`table`](Self::table) formats them as a Markdown table.
///
/// ```
/// use resilient_runtime::{ErrorKind, McpError};
/// use resilient_runtime::error::CatalogEntry;
///
/// #[derive(Debug, thiserror::Error, McpError)]
/// enum ShopError {
///     #[error("no order {id}")]
///     #[mcp(kind = not_found)]
///     NoSuchOrder { id: u64 },
/// }
///
/// let [entry] = ShopError::catalog() else { panic!("one variant") };
/// assert_eq!((entry.code, entry.kind), ("NO_SUCH_ORDER", Some(ErrorKind::NotFound)));
/// assert!(CatalogEntry::table(ShopError::catalog()).contains("| no order {id} |"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogEntry {
    /// The code.
    pub code: &'static str,
    /// The kind. `None` if it is only known when the error occurs: from an HTTP status, or by classification.
    pub kind: Option<ErrorKind>,
    /// Whether the same call may succeed a little later. `None` if the kind is not known yet.
    pub retryable: Option<bool>,
    /// Advice for the model, with placeholders such as `{id}`. `None` if it depends on a kind that is not known yet.
    pub hint: Option<&'static str>,
    /// The text that the client reads, with placeholders. `None` if it depends on a kind that is not known yet, or if
    /// code produces the text.
    pub message: Option<&'static str>,
}

impl CatalogEntry {
    /// Formats the entries as a Markdown table.
    ///
    /// ```
    /// # use resilient_runtime::error::CatalogEntry;
    /// let head = CatalogEntry::table(&[]);
    /// assert!(head.starts_with("| code | kind | retryable | what the client reads | hint |\n"));
    /// ```
    #[must_use]
    pub fn table(entries: &[Self]) -> String {
        let mut table =
            String::from("| code | kind | retryable | what the client reads | hint |\n|---|---|---|---|---|\n");
        for Self { code, kind, retryable, hint, message } in entries {
            let kind = kind.map_or_else(|| LATER.to_owned(), |kind| format!("`{kind}`"));
            let retryable = match retryable {
                Some(true) => "yes",
                Some(false) => "no",
                None => LATER,
            };
            let _ = writeln!(table, "| `{code}` | {kind} | {retryable} | {} | {} |", cell(*message), cell(*hint));
        }
        table
    }
}

/// The text of a cell whose value is only known when the error occurs.
const LATER: &str = "when it happens";

/// Escapes a text for a table cell.
fn cell(text: Option<&str>) -> String {
    let Some(text) = text else { return LATER.to_owned() };
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '<' | '>' | '`' | '*' | '_' | '[' | ']' => cell.extend(['\\', c]),
            c if c.is_whitespace() => cell.push(' '),
            c => cell.push(c),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_entry_and_no_text_leaves_its_cell() {
        let known = CatalogEntry {
            code: "MAKE_NO_SUCH_SCENARIO",
            kind: Some(ErrorKind::NotFound),
            retryable: Some(false),
            hint: Some("a | b\nc"),
            message: Some("no scenario {id}"),
        };
        let unknown = CatalogEntry { code: "MAKE_UPSTREAM", kind: None, retryable: None, hint: None, message: None };
        assert_eq!(
            CatalogEntry::table(&[known, unknown]),
            "| code | kind | retryable | what the client reads | hint |\n\
             |---|---|---|---|---|\n\
             | `MAKE_NO_SUCH_SCENARIO` | `not_found` | no | no scenario {id} | a \\| b c |\n\
             | `MAKE_UPSTREAM` | when it happens | when it happens | when it happens | when it happens |\n"
        );
    }
}
