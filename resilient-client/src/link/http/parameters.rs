//! The headers `Mcp-Param-*`: arguments of tools that the server wants to see in headers.

use std::collections::HashMap;

use reqwest::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::link::http::headers::{add, encoded};
use crate::message::Message;

/// The arguments of each tool that headers repeat.
#[derive(Default)]
pub(super) struct Parameters(HashMap<String, Vec<Parameter>>);

struct Parameter {
    header: HeaderName,
    /// The names of the properties from the arguments to the value.
    path: Vec<String>,
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
struct Arguments {
    arguments: Map<String, Value>,
}

impl Parameters {
    /// Reads the annotations of the tools in a response. The first page of a list replaces the tools known before.
    pub(super) fn learn(&mut self, list: &Message, is_first_page: bool) {
        if is_first_page {
            self.0.clear();
        }
        if !list.result().is_some_and(|result| result.contains("x-mcp-header")) {
            return;
        }
        for tool in list.read_result::<Tools>().into_iter().flat_map(|list| list.tools) {
            let mut found = Vec::new();
            collect(&tool.schema, &mut Vec::new(), &mut found);
            if !found.is_empty() {
                self.0.insert(tool.name, found);
            }
        }
    }

    /// Adds the headers for a call of a tool.
    pub(super) fn add(&self, headers: &mut HeaderMap, tool: &str, call: &Message) {
        let Some(parameters) = self.0.get(tool) else { return };
        let Some(Arguments { arguments }) = call.read_params() else { return };
        for Parameter { header, path } in parameters {
            let value = match at(&arguments, path) {
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
                _ => continue,
            };
            add(headers, header.clone(), &encoded(&value));
        }
    }
}

/// Collects the annotations that can be reached through properties alone.
fn collect(schema: &Map<String, Value>, path: &mut Vec<String>, found: &mut Vec<Parameter>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        path.push(name.clone());
        if let Some(Value::String(header)) = property.get("x-mcp-header")
            && !header.is_empty()
            && let Ok(header) = HeaderName::from_bytes(format!("mcp-param-{header}").as_bytes())
        {
            found.push(Parameter { header, path: path.clone() });
        }
        collect(property, path, found);
        path.pop();
    }
}

fn at<'v>(arguments: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(arguments.get(first)?, |value, name| value.get(name))
}
