//! The headers `Mcp-Param-*`: arguments of tools that the server wants to see in headers.

use std::collections::{HashMap, HashSet};

use reqwest::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::link::http::headers::{add, decoded, encoded};
use crate::message::Message;

/// The annotation of a property in the input schema of a tool.
const ANNOTATION: &str = "x-mcp-header";
/// How many tools with annotations are remembered.
const MOST_TOOLS: usize = 10_000;

/// The arguments of each tool that headers `Mcp-Param-*` repeat, as lists of tools have annotated them.
#[derive(Debug, Default)]
pub struct Parameters(HashMap<String, Annotated>);

/// A tool with annotations.
#[derive(Debug)]
struct Annotated {
    parameters: Vec<Parameter>,
    /// Whether all annotations are valid. Clients need not send headers for a tool with an invalid one.
    is_valid: bool,
}

#[derive(Debug)]
struct Parameter {
    header: HeaderName,
    /// The names of the properties from the arguments to the value.
    path: Vec<String>,
    /// The type of the property, if a header can repeat it.
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    /// A string or a boolean.
    Other,
}

#[derive(Deserialize)]
struct Tools {
    tools: Vec<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default, rename = "inputSchema")]
    schema: Map<String, Value>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
struct Arguments {
    arguments: Map<String, Value>,
}

impl Parameters {
    /// Reads the annotations of the tools in a response. The first page of a list replaces the tools known before.
    pub fn learn(&mut self, list: &Message, is_first_page: bool) {
        let Some(result) = list.result() else { return };
        if is_first_page {
            self.0.clear();
        }
        if !result.contains(ANNOTATION) {
            return;
        }
        for tool in list.read_result::<Tools>().into_iter().flat_map(|list| list.tools) {
            let mut parameters = Vec::new();
            collect(&tool.schema, &mut Vec::new(), &mut parameters);
            if !parameters.is_empty() && self.0.len() < MOST_TOOLS {
                let is_valid = are_valid(&tool.schema, &parameters);
                self.0.insert(tool.name, Annotated { parameters, is_valid });
            }
        }
    }

    /// Adds the headers for a call of a tool.
    pub(super) fn add(&self, headers: &mut HeaderMap, tool: &str, call: &Message) {
        let Some(Annotated { parameters, .. }) = self.0.get(tool) else { return };
        let Some(Arguments { arguments }) = call.read_params() else { return };
        for Parameter { header, path, .. } in parameters {
            if let Some(value) = at(&arguments, path).and_then(text_of) {
                add(headers, header.clone(), &encoded(&value));
            }
        }
    }

    /// Checks that the headers of a call agree with its arguments. Accepts other messages, and calls of unknown tools.
    ///
    /// # Errors
    /// A sentence for people about the first header that is missing, malformed, duplicate, or different.
    pub fn check(&self, headers: &HeaderMap, message: &Message) -> Result<(), String> {
        if self.0.is_empty() || message.method() != Some("tools/call") {
            return Ok(());
        }
        let Some(call) = message.read_params::<Call>() else { return Ok(()) };
        let Some(tool) = self.0.get(&call.name).filter(|tool| tool.is_valid) else { return Ok(()) };
        tool.parameters.iter().try_for_each(|parameter| parameter.check(headers, &call.arguments))
    }
}

impl Parameter {
    fn check(&self, headers: &HeaderMap, arguments: &Map<String, Value>) -> Result<(), String> {
        let Self { header, path, kind } = self;
        let argument = path.join(".");
        let mut values = headers.get_all(header).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(format!("duplicate {header} header"));
        }
        match (value, at(arguments, path).and_then(text_of)) {
            (None, None) => Ok(()),
            (Some(_), None) => {
                Err(format!("unexpected {header} header: the argument `{argument}` has no value for it"))
            }
            (None, Some(_)) => Err(format!("missing {header} header for the argument `{argument}`")),
            (Some(value), Some(expected)) => {
                let value = value.to_str().map_err(|_| format!("{header} header contains invalid characters"))?;
                let value = decoded(value).ok_or_else(|| format!("{header} header is not valid Base64"))?;
                let is_same = *value == *expected
                    || (*kind == Some(Kind::Integer)
                        && integer(&value).is_some_and(|one| integer(&expected) == Some(one)));
                if is_same { Ok(()) } else { Err(format!("{header} header does not match the argument `{argument}`")) }
            }
        }
    }
}

/// Returns the text of a value that a header can repeat.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Returns the digits of an integer, which may be written with zeros after a point.
fn integer(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    (is_integer && is_whole).then_some(whole)
}

/// Whether all annotations of a schema are among these parameters, have distinct headers, and types that fit.
fn are_valid(schema: &Map<String, Value>, parameters: &[Parameter]) -> bool {
    let headers: HashSet<_> = parameters.iter().map(|parameter| &parameter.header).collect();
    headers.len() == parameters.len()
        && parameters.iter().all(|parameter| parameter.kind.is_some())
        && annotations(schema) == parameters.len()
}

/// Counts the annotations anywhere in a schema.
fn annotations(schema: &Map<String, Value>) -> usize {
    fn within(value: &Value) -> usize {
        match value {
            Value::Object(object) => annotations(object),
            Value::Array(items) => items.iter().map(within).sum(),
            _ => 0,
        }
    }
    schema.iter().map(|(key, value)| usize::from(key == ANNOTATION) + within(value)).sum()
}

/// Collects the annotations that can be reached through properties alone.
fn collect(schema: &Map<String, Value>, path: &mut Vec<String>, found: &mut Vec<Parameter>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        path.push(name.clone());
        if let Some(Value::String(header)) = property.get(ANNOTATION)
            && !header.is_empty()
            && let Ok(header) = HeaderName::from_bytes(format!("mcp-param-{header}").as_bytes())
        {
            let kind = match property.get("type").and_then(Value::as_str) {
                Some("integer") => Some(Kind::Integer),
                Some("string" | "boolean") => Some(Kind::Other),
                _ => None,
            };
            found.push(Parameter { header, path: path.clone(), kind });
        }
        collect(property, path, found);
        path.pop();
    }
}

fn at<'v>(arguments: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(arguments.get(first)?, |value, name| value.get(name))
}
