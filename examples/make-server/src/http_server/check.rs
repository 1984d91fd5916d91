//! A custom health check: whether Make responds and accepts the token.

use std::time::Duration;

use reqwest::StatusCode;
use resilient_runtime::health::{CheckResult, HealthCheck};
use serde_json::json;

use crate::api::MakeApi;
use crate::process::with_sources;

/// The time limit of the check.
const LIMIT: Duration = Duration::from_secs(3);

/// Creates the check. It is not critical: without Make the tools still serve old responses and errors, and restarting
/// or replacing this server would not help.
pub(super) fn make(api: MakeApi) -> HealthCheck {
    let check = move || {
        let api = api.clone();
        async move {
            match api.status().await {
                Ok(status) => of_status(status),
                Err(error) => {
                    let error = with_sources(&error.without_url());
                    CheckResult::fail("Make cannot be reached").details(json!({ "error": error }))
                }
            }
        }
    };
    HealthCheck::new("make", check).timeout(LIMIT)
}

fn of_status(status: StatusCode) -> CheckResult {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            CheckResult::fail(format!("Make refuses the token with HTTP {}", status.as_u16()))
        }
        _ if status.is_success() => CheckResult::pass("Make answers"),
        _ => CheckResult::warn(format!("Make answers with HTTP {}", status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use resilient_runtime::health::{Health, HealthStatus};

    use super::*;
    use crate::{
        settings::Settings,
        upstream::{DEMO_SEED, DEMO_TOKEN, Upstream, phase::Phase},
    };

    async fn found(api: &MakeApi) -> (HealthStatus, String) {
        let report = Health::new().check(make(api.clone())).report().await;
        let check = report.checks.into_iter().find(|check| check.name == "make").unwrap();
        (report.status, check.message)
    }

    fn api(upstream: &Upstream, token: &str) -> MakeApi {
        MakeApi::new(&Settings::for_demo(&upstream.base_url(), token).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn make_answers_refuses_fails_or_cannot_be_reached() {
        let upstream = Upstream::start(DEMO_TOKEN, DEMO_SEED).await.unwrap();
        let good = api(&upstream, DEMO_TOKEN);
        assert_eq!(found(&good).await, (HealthStatus::Healthy, "Make answers".into()));
        let bad = api(&upstream, "another");
        let refused = "Make refuses the token with HTTP 401";
        assert_eq!(found(&bad).await, (HealthStatus::Degraded, refused.into()));
        let enter = format!("{}/demo/phase/{}", upstream.origin(), Phase::Dropped);
        crate::http::loopback_client().build().unwrap().post(enter).send().await.unwrap();
        assert_eq!(found(&good).await, (HealthStatus::Degraded, "Make cannot be reached".into()));
    }

    #[test]
    fn any_other_status_is_a_warning() {
        for status in [302, 404, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            let expected = CheckResult::warn(format!("Make answers with HTTP {}", status.as_u16()));
            assert_eq!(of_status(status), expected);
        }
        assert_eq!(of_status(StatusCode::FORBIDDEN), CheckResult::fail("Make refuses the token with HTTP 403"));
    }
}
