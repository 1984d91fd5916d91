//! The subcommands `rules` and `dashboard`: files for Prometheus and Grafana.

use std::{error::Error, io, process::ExitCode};

use resilient_runtime::operations::{grafana_dashboard, prometheus_rules};

use crate::process::{USAGE, block_on, fail, print};

/// What a subcommand prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printed {
    /// The rules of the alerts, for Prometheus.
    Rules,
    /// A dashboard of the metrics, for Grafana.
    Dashboard,
}

impl Printed {
    /// Parses the name of a subcommand.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "rules" => Some(Self::Rules),
            "dashboard" => Some(Self::Dashboard),
            _ => None,
        }
    }

    /// Prints it for everything that `known` makes known: thresholds depend on the timeouts that hold for a tool.
    pub(crate) fn print(self, program: &str, known: impl AsyncFnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
        let printed = block_on(async {
            known().await?;
            let text = match self {
                Self::Rules => prometheus_rules(),
                Self::Dashboard => grafana_dashboard(),
            };
            Ok(print(io::stdout(), text.trim_end(), 0))
        });
        printed.unwrap_or_else(|error| fail(program, error.as_ref(), USAGE))
    }
}
