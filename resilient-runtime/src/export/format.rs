//! The text formats of the metrics, and content negotiation between them.

use std::sync::Arc;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry as Exposition;

use super::collector::Statistics;
use crate::registry::Registry;

/// The content type of [`text`](super::prometheus::text): `OpenMetrics`. For both formats, see [`Format::content_type`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A text format of the metrics. Both formats contain the same series under the same names.
///
/// ```
/// use resilient_runtime::export::prometheus::Format;
///
/// let asked = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// assert_eq!(Format::accepted(asked), Format::OpenMetrics);
/// assert_eq!(Format::accepted("text/plain;version=0.0.4"), Format::Text);
/// assert_eq!(Format::accepted("*/*"), Format::Text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format, version 0.0.4, which every scraper and `promtool check metrics` can read. The
    /// default.
    #[default]
    Text,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the format that the value of an `Accept` header prefers. Join several headers with commas.
    ///
    /// Quality values and wildcards have the meaning of RFC 9110 (12.5.1). Returns `OpenMetrics` if it has a higher
    /// quality than the text format, or the same quality and is named explicitly. Otherwise, and if neither format is
    /// accepted, returns [`Format::Text`].
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let ranges: Vec<_> = accept.split(',').filter_map(Range::parse).collect();
        let (text, _) = quality(&ranges, "text", "plain", "0.0.4");
        let (open, is_named) = quality(&ranges, "application", "openmetrics-text", "1.0.0");
        if open > text || (open == text && open > 0 && is_named) { Self::OpenMetrics } else { Self::Text }
    }

    /// Returns the value of the header `Content-Type` for this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => CONTENT_TYPE,
        }
    }

    /// Encodes every series of a registry in this format.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use resilient_runtime::{Registry, export::prometheus::Format};
    ///
    /// assert!(!Format::Text.text(&Arc::new(Registry::new())).contains("# EOF"));
    /// ```
    #[must_use]
    pub fn text(self, registry: &Arc<Registry>) -> String {
        self.expose(Statistics::of(registry))
    }

    /// Encodes every series of this process in this format.
    #[must_use]
    pub fn global_text(self) -> String {
        self.expose(Statistics::global())
    }

    fn expose(self, statistics: Statistics) -> String {
        let mut exposition = Exposition::default();
        exposition.register_collector(Box::new(statistics));
        let mut written = String::new();
        // Writing to a `String` cannot fail.
        let _ = match self {
            Self::Text => prometheus_text::encode(&mut written, &exposition),
            Self::OpenMetrics => text::encode(&mut written, &exposition),
        };
        written
    }
}

/// Returns the quality that the value of an `Accept` header gives to a media type, in thousandths, and whether it names
/// the type.
#[cfg(feature = "status-page")]
pub(crate) fn accepted_quality(accept: &str, main: &str, sub: &str) -> (u16, bool) {
    let ranges: Vec<_> = accept.split(',').filter_map(Range::parse).collect();
    quality(&ranges, main, sub, "")
}

/// One media range of an `Accept` header.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    version: Option<&'a str>,
    /// The quality value, in thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    /// Parses a range. Returns `None` if it is malformed.
    fn parse(range: &'a str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut range = Self { main, sub, version: None, quality: 1_000 };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("q") {
                range.quality = thousandths(value)?;
            } else if name.trim().eq_ignore_ascii_case("version") {
                range.version = Some(value);
            }
        }
        Some(range)
    }

    /// Returns how specific the range is, or `None` if it does not match this media type.
    fn matches(&self, main: &str, sub: &str, version: &str) -> Option<u8> {
        match (self.main, self.sub) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(main) => Some(1),
            (own, of) if own.eq_ignore_ascii_case(main) && of.eq_ignore_ascii_case(sub) => match self.version {
                None => Some(2),
                Some(requested) => (requested == version).then_some(3),
            },
            _ => None,
        }
    }
}

/// Returns the quality of a media type by the most specific range that matches it, and whether that range names it.
fn quality(ranges: &[Range<'_>], main: &str, sub: &str, version: &str) -> (u16, bool) {
    let matching = ranges.iter().filter_map(|range| Some((range.matches(main, sub, version)?, range.quality)));
    matching.max().map_or((0, false), |(specific, quality)| (quality, specific >= 2))
}

/// Parses a quality value: 0 to 1 with at most three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals: u16 = if is_number { format!("{decimals:0<3}").parse().ok()? } else { return None };
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1_000),
        _ => None,
    }
}
