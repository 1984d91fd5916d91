//! The head of the page: which server this is, how it is, and when the page was made.

use std::time::Duration;

use maud::{Markup, html};

use super::text::{name, visible};
use super::time::{ago, coarse, exact};
use super::{Page, REFRESH};
use crate::gate::GateState;
use crate::health::{Health, HealthReport, HealthStatus};
use crate::outcomes::CheckStatus;

/// What is known of the server as a whole.
pub(super) struct Facts {
    server: String,
    version: Option<String>,
    uptime: Duration,
    level: &'static str,
    is_draining: bool,
    /// The last report, if there is one. The page runs no checks.
    health: Option<HealthReport>,
}

impl Facts {
    pub(super) fn of(page: &Page<'_>, health: &Health, state: &GateState) -> Self {
        Self {
            server: server(page),
            version: health.own_version().map(str::to_owned),
            uptime: health.uptime(),
            level: state.level.as_str(),
            is_draining: health.is_draining(),
            health: health.last_report(),
        }
    }

    /// Returns the title of the page, which begins with the status, because tabs of a browser are narrow.
    pub(super) fn title(&self) -> String {
        let status = self.health.as_ref().map_or_else(String::new, |health| {
            let symbol = match health.status {
                HealthStatus::Healthy => '✔',
                HealthStatus::Degraded => '▲',
                HealthStatus::Unhealthy => '✖',
            };
            format!("{symbol} {} – ", health.status.as_str())
        });
        format!("{status}{} – status", visible(&self.server))
    }
}

/// Returns the name under which the server stores deferred writes, or else the name of its program.
fn server(page: &Page<'_>) -> String {
    #[cfg(feature = "deferred")]
    if let Some(deferral) = page.registry.deferral() {
        return deferral.server.clone();
    }
    let _ = page;
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(std::path::Path::file_stem);
    program.map_or_else(|| "MCP server".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Returns the class of a status.
pub(super) const fn look(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Healthy => "good",
        HealthStatus::Degraded => "warn",
        HealthStatus::Unhealthy => "bad",
    }
}

/// Renders a word. The style adds a color and a symbol for the class, which support the word and do not replace it.
pub(super) fn word(class: &str, word: &str) -> Markup {
    html! { span class=(class) { (word) } }
}

pub(super) fn header(page: &Page<'_>, facts: &Facts, has_changes: bool) -> Markup {
    html! {
        header {
            h1 { (name(&facts.server)) @if let Some(version) = &facts.version { " " small { (name(version)) } } }
            dl {
                div { dt { "Health" } dd { (health(page, facts)) } }
                div { dt { "Level" } dd { (word(level_look(facts.level), facts.level)) } }
                (degraded(page))
                div { dt { "Up for" } dd { (coarse(facts.uptime)) } }
                div { dt { "Rendered" } dd { (exact(page.now)) } }
            }
            p {
                @if page.is_still {
                    "This page does not reload itself. "
                    a href="status" { "Back to the page that does" }
                    @if !has_changes { ". Nothing can be changed here, because no token is set" }
                } @else {
                    "Reloads itself every " (REFRESH) " s. "
                    a href="?edit=1" { @if has_changes { "Make changes" } @else { "Stop that" } }
                }
                "."
            }
            nav aria-label="Sections" {
                ul {
                    @for (id, title) in sections(page) { li { a href={ "#" (id) } { (title) } } }
                }
            }
        }
    }
}

/// Renders what did without the shared state of all replicas when it last needed it, if anything did.
#[cfg(feature = "replicas")]
fn degraded(page: &Page<'_>) -> Markup {
    let parts = page.registry.degraded_parts();
    html! {
        @if !parts.is_empty() {
            div {
                dt { "Without the shared state" }
                dd { @for part in parts { (word("warn", &part.replace('_', " "))) " " } }
            }
        }
    }
}

#[cfg(not(feature = "replicas"))]
fn degraded(_: &Page<'_>) -> Markup {
    html! {}
}

fn sections(page: &Page<'_>) -> Vec<(&'static str, &'static str)> {
    let mut sections = Vec::new();
    #[cfg(feature = "alerts")]
    sections.push(("alerts", "Alerts"));
    sections.extend([("level", "Level"), ("tools", "Tools"), ("breakers", "Breakers")]);
    if !page.registry.connections().is_empty() {
        sections.push(("connections", "Connections"));
    }
    #[cfg(feature = "deferred")]
    if page.registry.deferral().is_some() {
        sections.push(("deferred", "Deferred writes"));
    }
    let _ = page;
    sections.push(("errors", "Errors"));
    sections
}

pub(super) fn level_look(level: &str) -> &'static str {
    if level == "normal" { "good" } else { "warn" }
}

fn health(page: &Page<'_>, facts: &Facts) -> Markup {
    let stopping = html! { @if facts.is_draining { (word("warn", "stopping")) ", " } };
    let Some(report) = &facts.health else { return html! { (stopping) "no report was made yet" } };
    let failing = report.checks.iter().filter(|check| check.status != CheckStatus::Pass);
    html! {
        (stopping) (word(look(report.status), report.status.as_str()))
        ", " (ago(report.at, page.now))
        @for check in failing {
            br; (name(&check.name)) ": " (check_word(check.status)) ", " (name(&check.message))
        }
    }
}

const fn check_word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "passes",
        CheckStatus::Warn => "warns",
        CheckStatus::Fail => "fails",
    }
}
