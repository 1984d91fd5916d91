//! The file of rules for Prometheus.

mod condition;
mod records;

#[cfg(test)]
pub(super) use condition::UNCOUNTED_CODE;

use crate::alerting::rules::{AlertRule, Condition, RULES, RUNBOOKS, Unit, fill};
use crate::registry::Registry;

use super::expressions::{duration, quoted};
use super::policies::Policies;
use super::yaml::RulesFile;

const COMMENT: &str =
    "Rules for Prometheus, generated from the policies of the server. Do not edit them: generate them again.
Scrape the server every 15 s, or less often, but at least every 2 minutes.";

/// Alert rules and recording rules for Prometheus, as a YAML file.
///
/// ```
/// use resilient_runtime::operations::PrometheusRules;
///
/// let rules = PrometheusRules::new().job("shop").runbooks("https://wiki.example/runbooks/");
/// print!("{}", rules.text());
/// ```
#[derive(Debug, Clone)]
pub struct PrometheusRules {
    job: Option<String>,
    runbooks: String,
}

impl Default for PrometheusRules {
    fn default() -> Self {
        Self::new()
    }
}

impl PrometheusRules {
    /// Returns rules for all jobs with servers that export these series, with runbooks under `deploy/runbooks/`.
    #[must_use]
    pub fn new() -> Self {
        Self { job: None, runbooks: RUNBOOKS.to_owned() }
    }

    /// Limits the rules to the job under which Prometheus scrapes the server: `job_name` in its configuration. Needed if
    /// one Prometheus scrapes several servers that have tools of the same name with different timeouts.
    ///
    /// `ResilientServerDown` then fires also if the job has no target. Otherwise it is only about targets that were
    /// scraped within the day before they went down.
    #[must_use]
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// Sets the URL of the folder with the runbooks, of which `runbook_url` is a page: `breaker-open.md` for
    /// `ResilientBreakerOpen`. Default `deploy/runbooks/`, the folder with the runbooks in the repository of this crate.
    #[must_use]
    pub fn runbooks(mut self, url: impl Into<String>) -> Self {
        self.runbooks = url.into();
        if !self.runbooks.ends_with('/') {
            self.runbooks.push('/');
        }
        self
    }

    /// Returns the file for the policies of this process.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_of(Registry::global())
    }

    /// Returns the file for the policies of a registry.
    #[must_use]
    pub fn text_of(&self, registry: &Registry) -> String {
        self.text_for(Policies::of(registry))
    }

    pub(super) fn text_for(&self, policies: Policies) -> String {
        let server = Server::new(self.job.as_deref(), policies);
        let mut file = RulesFile::new(COMMENT);
        // Within a group, alerts see what the records before them have just computed.
        for (group, interval, is_slow) in [("resilient", None, false), ("resilient-slow", Some("1m"), true)] {
            file.group(group, interval);
            for (name, expression) in records::of(&server, is_slow) {
                file.rule("record", &name, &expression);
            }
            for rule in RULES.iter().filter(|rule| is_of_days(&rule.condition) == is_slow) {
                if let Some(expression) = condition::expression(rule, &server) {
                    file.rule("alert", rule.name, &expression);
                    file.word("for", &duration(rule.hold));
                    file.texts("labels", &[("severity", rule.severity.as_str())]);
                    let runbook = format!("{}{}.md", self.runbooks, rule.runbook);
                    let [summary, description] = [rule.summary, rule.description].map(|text| template(text, rule));
                    let texts = [("summary", &*summary), ("description", &*description), ("runbook_url", &*runbook)];
                    file.texts("annotations", &texts);
                }
            }
        }
        file.finish()
    }
}

/// The server that rules are for.
struct Server {
    /// The matcher of its job, or nothing for all jobs.
    job: String,
    /// The matcher of the calls that count: those of tools, unless there are none.
    calls: &'static str,
    policies: Policies,
}

impl Server {
    fn new(job: Option<&str>, policies: Policies) -> Self {
        let calls = if policies.has_tools { r#"tool!~"fn .+""# } else { "" };
        let job = job.map_or_else(String::new, |job| format!("job={}", quoted(job)));
        Self { job, calls, policies }
    }
}

/// Returns whether a condition looks back for more than an hour, so that its group is evaluated less often.
fn is_of_days(condition: &Condition) -> bool {
    match condition {
        Condition::SlowerThanYesterday { .. } => true,
        Condition::BurnRate { long, .. } => long.as_secs() > 3_600,
        _ => false,
    }
}

/// Writes the placeholders of a text as Prometheus' templates.
fn template(text: &str, rule: &AlertRule) -> String {
    fill(text, |name| match (name, rule.condition.unit()) {
        ("value", Unit::Count) => r#"{{ $value | printf "%.0f" }}"#.to_owned(),
        ("value", Unit::Share) => "{{ $value | humanizePercentage }}".to_owned(),
        ("value", Unit::Seconds) => "{{ $value | humanizeDuration }}".to_owned(),
        ("value", Unit::Times) => r#"{{ $value | printf "%.1f" }} times"#.to_owned(),
        (label, _) => format!("{{{{ $labels.{label} }}}}"),
    })
}
