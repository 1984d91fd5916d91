//! Reads the settings again, and applies them all or not at all.

use serde::Serialize;

use super::InvalidSettings;
use crate::panics::catch_panic;
use crate::registry::{Changes, Registry};
pub use crate::settings::SettingChange;
use crate::settings::{Content, parse, read};

/// What a reload of the settings has changed: see [`Handle::reload`](super::Handle::reload).
///
/// ```
/// use resilient_runtime::Resilience;
///
/// // Without `RESILIENT_CONFIG`, there is nothing to read again.
/// let report = Resilience::from_variables([]).start()?.reload()?;
/// assert!(report.changes.is_empty() && report.needs_restart.is_empty());
/// # Ok::<_, resilient_runtime::startup::InvalidSettings>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReloadReport {
    /// The settings that apply from now on.
    pub changes: Vec<SettingChange>,
    /// Differences that the process only applies, or only applies in full, when it is started again.
    pub needs_restart: Vec<String>,
}

/// Reads the file again, and applies its settings to a registry: if there is an `expected` content, only if it is this.
pub(super) fn reload(registry: &Registry, expected: Option<&Content>) -> Result<ReloadReport, InvalidSettings> {
    let Some(source) = registry.source() else { return Ok(ReloadReport::default()) };
    let Some(path) = &source.path else { return Ok(ReloadReport::default()) };
    let mut contents = source.contents();
    let content = read(path);
    if expected.is_some_and(|expected| *expected != content) {
        return Ok(ReloadReport::default());
    }
    let (file, found) = parse(path, &content);
    contents.seen = Some(content);
    let replaced = if found.is_empty() { registry.replace_file(file, &source.known) } else { Err((found, Vec::new())) };
    let replaced = replaced.map(|Changes { changed, needs_restart, of_gate }| {
        let report = ReloadReport { changes: changed, needs_restart };
        let resets_health = report.resets_health(&contents.owed);
        contents.owed.clone_from(&report.needs_restart);
        (report, resets_health, of_gate)
    });
    drop(contents);
    // Not before: subscribers are foreign code, which may call guarded functions, and may panic.
    catch_panic(|| registry.log_diagnostics());
    match replaced {
        Ok((report, resets_health, of_gate)) => {
            if let Some(changed) = of_gate {
                changed.log();
            }
            if resets_health {
                catch_panic(|| report.log(path));
            }
            Ok(report)
        }
        Err((problems, others)) => {
            let Some(invalid) = InvalidSettings::of(problems, others) else { return Ok(ReloadReport::default()) };
            let problems = invalid.problems().join("\n");
            catch_panic(|| {
                tracing::error!(
                    event = "settings.rejected",
                    file = path,
                    problems,
                    "the settings were not reloaded; those of before still apply"
                );
            });
            Err(invalid)
        }
    }
}

/// Returns the content of the file, if it is not the one that was read last.
pub(super) fn other_content(registry: &Registry) -> Option<Content> {
    let source = registry.source()?;
    let content = read(source.path.as_ref()?);
    (source.contents().seen.as_ref() != Some(&content)).then_some(content)
}

impl ReloadReport {
    /// Returns whether there is anything to log: a change, or something that needs a restart and did not do so before.
    fn resets_health(&self, owed: &[String]) -> bool {
        !self.changes.is_empty() || self.needs_restart.iter().any(|difference| !owed.contains(difference))
    }

    fn log(&self, path: &str) {
        let changes: Vec<_> = self.changes.iter().map(ToString::to_string).collect();
        let (changes, needs_restart) = (changes.join("; "), self.needs_restart.join("; "));
        if needs_restart.is_empty() {
            tracing::info!(event = "settings.changed", file = path, changes, "the settings were reloaded");
        } else {
            tracing::warn!(
                event = "settings.changed",
                file = path,
                changes,
                needs_restart,
                "the settings were reloaded; some of them need a restart"
            );
        }
    }
}
