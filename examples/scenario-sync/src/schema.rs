//! JSON schemas that clients in every language accept.

use schemars::{Schema, transform::transform_subschemas};

/// Removes the format of every number. `schemars` writes formats such as `uint64`, which JSON Schema does not define:
/// clients that validate schemas print a warning for each unknown format, or reject the tool.
pub(crate) fn plain_numbers(schema: &mut Schema) {
    let types = schema.get("type").map(ToString::to_string).unwrap_or_default();
    if types.contains("integer") || types.contains("number") {
        schema.remove("format");
    }
    transform_subschemas(&mut plain_numbers, schema);
}
