//! Expressions of rules and dashboards.

use std::fs;

use serde_json::Value;

use super::deployed;

/// Makes every comparison return 0 or 1 instead of selecting series, so that the expression of an alert has series
/// although its condition does not hold.
pub(super) fn without_selection(expression: &str) -> String {
    let symbols: Vec<_> = expression.chars().collect();
    let mut result = String::new();
    let (mut is_label, mut is_text) = (false, false);
    for (index, symbol) in symbols.iter().enumerate() {
        result.push(*symbol);
        match symbol {
            '"' => is_text = !is_text,
            '{' => is_label = true,
            '}' => is_label = false,
            _ => {}
        }
        let before = index.checked_sub(1).and_then(|index| symbols.get(index));
        let ends_comparison = match symbol {
            '=' => matches!(before, Some('=' | '!' | '<' | '>')),
            '<' | '>' => symbols.get(index + 1) != Some(&'='),
            _ => false,
        };
        if ends_comparison && !is_label && !is_text {
            let rest: String = symbols.iter().skip(index + 1).collect();
            if !rest.trim_start().starts_with("bool") {
                result.push_str(" bool");
            }
        }
    }
    result
}

/// Returns the title and the expression of each query of `deploy/dashboard.json`, with its variables replaced.
pub(super) fn of_dashboard() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_slice(&fs::read(deployed("dashboard.json")).unwrap()).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let mut names: Vec<_> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    // A name may begin another one.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut found = Vec::new();
    collect(&dashboard["panels"], "", &mut found);
    for (_, expression) in &mut found {
        for interval in ["$__rate_interval", "$__interval", "$__range"] {
            *expression = expression.replace(interval, "1m");
        }
        for name in &names {
            *expression = expression.replace(&format!("${{{name}}}"), ".*").replace(&format!("${name}"), ".*");
        }
        assert!(!expression.contains('$'), "{expression}");
    }
    found
}

fn collect(value: &Value, title: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Array(values) => {
            for value in values {
                collect(value, title, found);
            }
        }
        Value::Object(fields) => {
            let title = fields.get("title").and_then(Value::as_str).unwrap_or(title);
            if let Some(expression) = fields.get("expr") {
                found.push((title.to_owned(), expression.as_str().unwrap().to_owned()));
            }
            for value in fields.values() {
                collect(value, title, found);
            }
        }
        _ => {}
    }
}

#[test]
fn comparisons_do_not_select() {
    for (expression, expected) in [
        ("a > 5", "a > bool 5"),
        ("a{b!=\"c>d\"} >= 0.5 and e == 0", "a{b!=\"c>d\"} >= bool 0.5 and e == bool 0"),
        ("a != b", "a != bool b"),
        ("a < bool 1", "a < bool 1"),
    ] {
        assert_eq!(without_selection(expression), expected);
    }
}
