//! The effect of a tool according to its annotations.

use resilient_policy::Effect;
use rmcp::model::ToolAnnotations;

pub(super) fn effect(annotations: Option<&ToolAnnotations>) -> Effect {
    let Some(hints) = annotations else { return Effect::Unknown };
    match (hints.read_only_hint, hints.idempotent_hint, hints.destructive_hint) {
        (Some(true), _, _) => Effect::ReadOnly,
        (_, Some(true), _) => Effect::Idempotent,
        (Some(false), _, _) | (_, _, Some(true)) => Effect::Writes,
        _ => Effect::Unknown,
    }
}
