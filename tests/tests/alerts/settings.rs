//! Alerts at start: variables, and what is wrong with endpoints.

use std::ffi::OsString;
use std::sync::Arc;

use resilient_runtime::alerts::Alerts;
use resilient_runtime::{Registry, Resilience};
use resilient_tests::loopback;

use super::server::{Mode, Server};
use super::{STEP, list};

fn variables(pairs: &[(&str, &str)]) -> Resilience {
    let pairs: Vec<(OsString, OsString)> = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
    // Without it, a build with other packages has a client that needs a TLS provider.
    let _ = loopback::client();
    Resilience::from_variables(pairs)
}

#[tokio::test(start_paused = true)]
async fn variables_alone_start_the_alerts() {
    let server = Server::start(Mode::Accept).await;
    let (hook, manager) = (format!("{}/hook", server.url()), format!("{}/prefix/", server.url()));
    let resilience = variables(&[
        ("RESILIENT_ALERT_WEBHOOK", &hook),
        ("RESILIENT_ALERT_WEBHOOK_TOKEN", "geheim-4711"),
        ("RESILIENT_ALERTMANAGER_URL", &manager),
    ]);
    assert!(!format!("{resilience:?}").contains("geheim"));
    let registry = Arc::new(Registry::new());
    let settings = resilience.start_with(&registry).expect("valid settings");
    for _ in 0..30 {
        registry
            .clone()
            .scope(async {
                for _ in 0..30 {
                    let _ = list(true).await;
                }
            })
            .await;
        tokio::time::sleep(STEP).await;
    }
    settings.shutdown().await;
    let arrived = server.arrived();
    let of = |path: &str| arrived.iter().filter(|request| request.path == path).collect::<Vec<_>>();
    assert_eq!(of("/hook")[0].authorization.as_deref(), Some("Bearer geheim-4711"));
    assert_eq!(of("/prefix/api/v2/alerts")[0].authorization, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_an_endpoint_is_a_problem_of_the_start_and_shows_no_secret() {
    for (name, value, problem) in [
        ("RESILIENT_ALERT_WEBHOOK", "geheim", "RESILIENT_ALERT_WEBHOOK: not a URL: relative URL without a base"),
        (
            "RESILIENT_ALERTMANAGER_URL",
            "ftp://geheim",
            "RESILIENT_ALERTMANAGER_URL: expected a URL that begins with `http://` or `https://`",
        ),
    ] {
        let refused = variables(&[(name, value)]).start_with(&Arc::default()).expect_err("refused");
        assert_eq!(refused.problems(), [problem]);
    }
    let token = [("RESILIENT_ALERT_WEBHOOK_TOKEN", "geheim"), ("RESILIENT_ALERT_WEBHOOK_TOKEN_FILE", "/geheim")];
    let refused = variables(&token).start_with(&Arc::default()).expect_err("refused");
    assert_eq!(
        refused.problems(),
        ["RESILIENT_ALERT_WEBHOOK_TOKEN_FILE: the token is set twice, as a text and as a file"]
    );
    let alerts = Alerts::new().webhook("nowhere").label("severity", "none").label("my-label", "x");
    let refused = variables(&[]).alerts(alerts).start_with(&Arc::default()).expect_err("refused");
    assert_eq!(
        refused.problems(),
        [
            "`Alerts::label`: the label `severity` is set by the rules",
            "`Alerts::label`: `my-label` is not a name of letters, digits and `_`",
            "`Alerts::webhook`: not a URL: relative URL without a base"
        ]
    );
}

#[test]
fn alerts_need_a_runtime() {
    let refused = variables(&[]).alerts(Alerts::new()).start_with(&Arc::default()).expect_err("refused");
    assert_eq!(refused.problems(), ["alerts are evaluated in a Tokio runtime; call `Resilience::start` within one"]);
}

#[tokio::test(start_paused = true)]
async fn the_alerts_of_a_registry_are_evaluated_once() {
    let registry = Arc::new(Registry::new());
    let _settings = variables(&[]).alerts(Alerts::new()).start_with(&registry).expect("valid settings");
    let refused = variables(&[]).alerts(Alerts::new()).start_with(&registry).expect_err("refused");
    assert_eq!(
        refused.problems(),
        ["the alerts of this registry are already evaluated; call `Resilience::start` once"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_variable_is_not_set() {
    let empty = [("RESILIENT_ALERT_WEBHOOK", ""), ("RESILIENT_ALERTMANAGER_URL", "")];
    let registry = Arc::new(Registry::new());
    variables(&empty).start_with(&registry).expect("valid settings");
    variables(&[]).alerts(Alerts::new()).start_with(&registry).expect("nothing was evaluated");
}

#[test]
fn a_variable_that_is_almost_right_is_a_problem() {
    let refused =
        variables(&[("RESILIENT_ALERT_WEBHOK", "http://h")]).start_with(&Arc::default()).expect_err("refused");
    assert_eq!(
        refused.problems(),
        ["RESILIENT_ALERT_WEBHOK: unknown variable; did you mean `RESILIENT_ALERT_WEBHOOK`?"]
    );
}
