//! Rules, dashboard and alerts, with Prometheus and Alertmanager.

mod alertmanager;
mod expression;
mod files;
mod idle;
mod image;
mod names;
mod outage;
mod prometheus;
mod receiver;
mod traffic;

use std::path::PathBuf;

use crate::script;

/// Returns the path of a file in `deploy/`.
pub(crate) fn deployed(file: &str) -> PathBuf {
    script("../../deploy").join(file)
}
