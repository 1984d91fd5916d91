//! Parses metrics as Prometheus does, with an independent parser.

use std::collections::BTreeMap;

use openmetrics_parser::OpenMetricsValue;
use openmetrics_parser::openmetrics::parse_openmetrics;

/// Returns the value of every sample, by the name and labels of its series.
///
/// # Panics
/// If the text is not an exposition, or has one series twice.
#[must_use]
pub fn scrape(text: &str) -> BTreeMap<String, f64> {
    let parsed = parse_openmetrics(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let mut samples = BTreeMap::new();
    for (name, family) in &parsed.families {
        for sample in family.iter_samples() {
            let labels = sample.get_labelset().expect("labels");
            let labels: BTreeMap<_, _> = labels.iter().collect();
            let shown: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let mut put = |suffix: &str, value: f64| {
                let twice = samples.insert(format!("{name}{suffix}{{{}}}", shown.join(",")), value);
                assert_eq!(twice, None, "{name} {shown:?}");
            };
            match &sample.value {
                OpenMetricsValue::Counter(counter) => put("", counter.value.as_f64()),
                OpenMetricsValue::Gauge(gauge) => put("", gauge.as_f64()),
                OpenMetricsValue::Histogram(histogram) => {
                    put("_count", f64::from(u32::try_from(histogram.count.expect("a count")).expect("few")));
                    put("_sum", histogram.sum.expect("a sum").as_f64());
                    let edges: Vec<_> = histogram.buckets.iter().map(|bucket| bucket.upper_bound).collect();
                    assert_eq!(
                        edges,
                        [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, f64::INFINITY]
                    );
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    samples
}
