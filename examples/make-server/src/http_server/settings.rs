//! The settings of `http-server`, all of which are read before it starts.

use std::env;

use resilient_runtime::{Resilience, alerts::Alerts};

use super::{alerting, args::Options, webhooks::Secret};
use crate::settings::{self, SettingsError, secret};

const ADMIN_TOKEN: &str = "RESILIENT_ADMIN_TOKEN";

/// The settings of the environment, and of the files that it names.
pub(super) struct Settings {
    /// `None` in the demo.
    pub(super) make: Option<settings::Settings>,
    /// `None` if no webhooks are received.
    pub(super) webhook_secret: Option<Secret>,
    pub(super) alerts: Alerts,
    pub(super) resilience: Resilience,
}

impl Settings {
    pub(super) fn read(options: &Options) -> Result<Self, SettingsError> {
        Ok(Self {
            make: settings::Settings::unless_demo(options.demo)?,
            webhook_secret: Secret::from_env()?,
            alerts: alerting::from_env(options.bind),
            resilience: resilience()?,
        })
    }
}

/// The policies and switches. The token of operators may be in a file as well.
pub(super) fn resilience() -> Result<Resilience, SettingsError> {
    let token = secret(ADMIN_TOKEN)?;
    // The runtime would take the second variable for a misspelled one.
    let others = env::vars_os().filter(|(name, _)| name != ADMIN_TOKEN && name != "RESILIENT_ADMIN_TOKEN_FILE");
    Ok(Resilience::from_variables(others.chain(token.map(|token| (ADMIN_TOKEN.into(), token.into())))))
}
