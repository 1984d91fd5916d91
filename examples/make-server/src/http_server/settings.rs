//! The settings of `http-server`, all of which are read before it starts.

use std::env;

use resilient_redis::{Redis, ResilienceExt};
use resilient_runtime::{Resilience, alerts::Alerts};

use super::{alerting, args::Options, webhooks::Secret};
use crate::settings::{self, SettingsError, non_blank, secret, variable};

/// The variables with secrets, which may be in files as well.
const SECRETS: [&str; 2] = [ADMIN_TOKEN, REDIS_URL];

const ADMIN_TOKEN: &str = "RESILIENT_ADMIN_TOKEN";
const REDIS_URL: &str = "RESILIENT_REDIS_URL";

/// The settings of the environment, and of the files that it names.
pub(super) struct Settings {
    /// `None` in the demo.
    pub(super) make: Option<settings::Settings>,
    /// `None` if no webhooks are received.
    pub(super) webhook_secret: Option<Secret>,
    pub(super) alerts: Alerts,
    /// `None` if this is the only replica.
    pub(super) redis: Option<Redis>,
    pub(super) resilience: Resilience,
}

impl Settings {
    pub(super) fn read(options: &Options) -> Result<Self, SettingsError> {
        let redis = redis(options.redis.as_deref())?;
        Ok(Self {
            make: settings::Settings::unless_demo(options.demo)?,
            webhook_secret: Secret::from_env()?,
            alerts: alerting::from_env(options.bind),
            resilience: resilience(redis.as_ref())?,
            redis,
        })
    }
}

/// The Redis of `--redis` or of `RESILIENT_REDIS_URL`.
pub(super) fn redis(flag: Option<&str>) -> Result<Option<Redis>, SettingsError> {
    let url = match flag {
        Some(url) => Some(url.to_owned()),
        None => secret(REDIS_URL)?,
    };
    let prefix = non_blank(variable("RESILIENT_REDIS_PREFIX"));
    Ok(url.map(|url| {
        let redis = Redis::new(&url);
        prefix.iter().fold(redis, |redis, prefix| redis.prefix(prefix))
    }))
}

/// The policies and switches, and what the replicas share. Without Redis this server is the only replica, unless
/// `RESILIENT_REPLICAS` has another number.
pub(super) fn resilience(redis: Option<&Redis>) -> Result<Resilience, SettingsError> {
    let token = secret(ADMIN_TOKEN)?;
    // The runtime would take a variable that names a file for a misspelled one.
    let others = env::vars_os().filter(|(name, _)| {
        !SECRETS.iter().any(|secret| name == secret || name.to_str().is_some_and(|it| it == format!("{secret}_FILE")))
    });
    let resilience = Resilience::from_variables(others.chain(token.map(|token| (ADMIN_TOKEN.into(), token.into()))));
    Ok(match redis {
        Some(redis) => resilience.redis(redis.clone()),
        None => resilience.single_replica(),
    })
}
