//! Reads the settings again, and applies them all or not at all.

use serde::Serialize;

use super::InvalidSettings;
use crate::registry::{Changes, Registry};
pub use crate::settings::SettingChange;
use crate::settings::{parse, read};

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

/// Reads the file again, and applies its settings to a registry. If `only_if_other`, a file with the same content as at
/// the last time is not looked at.
pub(super) fn reload(registry: &Registry, only_if_other: bool) -> Result<ReloadReport, InvalidSettings> {
    let Some(source) = registry.source() else { return Ok(ReloadReport::default()) };
    let Some(path) = &source.path else { return Ok(ReloadReport::default()) };
    let mut contents = source.contents();
    let content = read(path);
    if only_if_other && contents.seen.as_ref() == Some(&content) {
        return Ok(ReloadReport::default());
    }
    let (file, found) = parse(path, &content);
    let is_other = contents.accepted.as_ref() != Some(&content);
    let mut replaced =
        if found.is_empty() { registry.replace_file(file, &source.known, is_other) } else { Err((found, Vec::new())) };
    if replaced.is_ok() {
        contents.accepted = Some(content.clone());
    }
    contents.seen = Some(content);
    drop(contents);
    // Not before: a subscriber may call guarded functions.
    registry.log_diagnostics();
    if let Ok(changes) = &mut replaced {
        registry.reload_gate(changes);
    }
    match replaced {
        Ok(Changes { changed, needs_restart }) => {
            let report = ReloadReport { changes: changed, needs_restart };
            report.log(path);
            Ok(report)
        }
        Err((problems, others)) => {
            let Some(invalid) = InvalidSettings::of(problems, others) else { return Ok(ReloadReport::default()) };
            let problems = invalid.problems().join("\n");
            tracing::error!(
                event = "settings.rejected",
                file = path,
                problems,
                "the settings were not reloaded; those of before still apply"
            );
            Err(invalid)
        }
    }
}

impl ReloadReport {
    fn log(&self, path: &str) {
        if *self == Self::default() {
            return;
        }
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
