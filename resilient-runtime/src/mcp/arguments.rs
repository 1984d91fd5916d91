//! Canonical JSON of a request's arguments, which does not depend on the order of keys.

use rmcp::model::JsonObject;
use serde_json::Value;

pub(super) fn canonical(arguments: Option<&JsonObject>) -> String {
    let mut text = String::new();
    match arguments {
        Some(arguments) => object(arguments, &mut text),
        // The tool receives the same for absent and for empty arguments.
        None => text.push_str("{}"),
    }
    text
}

fn object(members: &JsonObject, text: &mut String) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    text.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(key.as_str()).to_string());
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => object(members, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let read = |json: &str| canonical(serde_json::from_str::<JsonObject>(json).ok().as_ref());
        assert_eq!(read(r#"{"b":[1,{"y":2,"x":"a\"b"}],"a":null}"#), r#"{"a":null,"b":[1,{"x":"a\"b","y":2}]}"#);
        assert_eq!(read("{}"), canonical(None));
        assert_ne!(read(r#"{"a":1}"#), read(r#"{"a":"1"}"#));
    }
}
