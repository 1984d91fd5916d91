//! Variables that switch tools, features and writes off, or set what a level takes away.

use resilient_policy::{FeatureTable, GateTables, Located};

use super::variable::{Section, Variable};

/// The variables of the gate.
#[derive(Debug, Default)]
pub(super) struct GateVariables {
    /// `RESILIENT_READ_ONLY`, `RESILIENT__LEVEL` and what is below it.
    pub(super) tables: GateTables,
    /// `RESILIENT__TOOL__NAME__ENABLED` and `RESILIENT__FEATURE__NAME__ENABLED`, with their values.
    pub(super) switches: Vec<(Variable, bool)>,
}

impl GateVariables {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.switches.is_empty()
    }

    /// Returns whether a variable switches something off.
    pub(super) fn have_switches(&self) -> bool {
        self.switches.iter().any(|(_, is_enabled)| !is_enabled) || !self.tables.settings().switches.is_empty()
    }

    /// Returns what the variables say of these tools and features.
    pub(super) fn of<'a>(
        &self,
        tools: impl IntoIterator<Item = &'a str>,
        features: impl IntoIterator<Item = &'a str>,
    ) -> GateTables {
        let mut tables = self.tables.clone();
        let enabled = |section: Section, name: &str| {
            let mut of_section = self.switches.iter().filter(|(variable, _)| variable.section == section);
            let (variable, is_enabled) = of_section.find(|(variable, _)| variable.keys_for(name).is_some())?;
            Some(Located { value: *is_enabled, place: variable.place() })
        };
        for name in tools {
            tables.tools.extend(enabled(Section::Tool, name).map(|enabled| (name.to_owned(), enabled)));
        }
        for name in features {
            let table = enabled(Section::Feature, name).map(|enabled| {
                let place = enabled.place.clone();
                FeatureTable { description: None, enabled: Some(enabled), place }
            });
            tables.features.extend(table.map(|table| (name.to_owned(), table)));
        }
        tables
    }
}
