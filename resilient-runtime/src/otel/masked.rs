//! An exporter that masks spans like log lines before they leave the process.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::redact;

/// Masks secrets in all texts of all spans, removes characters that could hide a secret, and cuts each text at 1,000
/// characters on one line.
#[derive(Debug)]
pub(super) struct Masked<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Masked<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(mask);
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.0.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn mask(span: &mut SpanData) {
    span.name = Cow::Owned(redact::fit(&span.name));
    if let Status::Error { description } = &span.status {
        span.status = Status::error(redact::fit(description));
    }
    span.attributes.iter_mut().for_each(attribute);
    for event in &mut span.events.events {
        event.name = Cow::Owned(redact::fit(&event.name));
        event.attributes.iter_mut().for_each(attribute);
    }
    for link in &mut span.links.links {
        link.attributes.iter_mut().for_each(attribute);
    }
}

fn attribute(attribute: &mut KeyValue) {
    if redact::is_secret_name(attribute.key.as_str()) {
        attribute.value = redact::MASK.into();
        return;
    }
    match &mut attribute.value {
        Value::String(plain) => *plain = redact::fit(plain.as_str()).into(),
        Value::Array(Array::String(items)) => items.iter_mut().for_each(|plain: &mut StringValue| {
            *plain = redact::fit(plain.as_str()).into();
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_masked_by_name_and_by_form_and_cut() {
        let masked = |name: &'static str, value: Value| {
            let mut it = KeyValue::new(name, value);
            attribute(&mut it);
            it.value
        };
        let texts = |items: &[&'static str]| {
            Value::Array(Array::String(items.iter().map(|item| StringValue::from(*item)).collect()))
        };
        assert_eq!(masked("api_key", 7.into()), "***".into());
        assert_eq!(masked("arguments", "{\"password\":\"hunter2\"}".into()), "{\"password\":\"***\"}".into());
        assert_eq!(masked("items", texts(&["password=hunter2", "plain"])), texts(&["password=***", "plain"]));
        assert_eq!(masked("attempts", 7.into()), 7.into());
        for plain in ["gen_ai.tool.name", "mcp.method.name", "correlation_id", "jsonrpc.request.id", "error.type"] {
            assert_eq!(masked(plain, "plain".into()), "plain".into());
        }
        assert_eq!(masked("text", "é".repeat(2_000).into()).as_str().chars().count(), 1_001);
    }

    #[test]
    fn what_shows_nothing_hides_no_secret_and_a_long_text_takes_no_time() {
        let masked = |plain: String| {
            let mut it = KeyValue::new("text", plain);
            attribute(&mut it);
            it.value.as_str().into_owned()
        };
        assert_eq!(masked("pass\u{200b}word=hunter2\u{202e}".into()), "password=***");
        assert_eq!(masked("pass\u{7}word=hunter2\nnext".into()), "password=*** next");
        let started = std::time::Instant::now();
        let cut = masked("password=hunter2 ".repeat(750_000));
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(cut.starts_with("password=*** password=***") && cut.ends_with('…'), "{cut}");
    }
}
