//! The routes that change something.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use resilient_policy::{Level, one_of};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Shared;
use super::body::Fields;
use super::refusal::{Refusal, record, respond};
use crate::gate::{Gate, GateError, GateState, SwitchedOff};
use crate::http::now;
use crate::panics::catch_panic;
use crate::statistics::AdminRefusal;
use crate::view::Breakers;

/// The word that returns the level to the settings or to the health.
pub(super) const AUTOMATIC: &str = "automatic";

/// Where a form leads back to, seen from a route of one part and from a route of two.
const STATUS: &str = "status";
pub(super) const STATUS_ABOVE: &str = "../status";

/// One change, for the log.
pub(super) struct Change {
    pub(super) what: String,
    /// The state before, if it has a word.
    pub(super) from: Option<&'static str>,
    pub(super) to: &'static str,
    /// Whether anything is different now.
    pub(super) is_difference: bool,
}

/// The name in a path, unless it is not UTF-8.
pub(super) type Name = Result<Path<String>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelBody {
    level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchBody {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerBody {
    action: BreakerAction,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum BreakerAction {
    Open,
    Close,
    Isolate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBody {}

pub(super) async fn level(State(shared): State<Arc<Shared>>, Extension(fields): Extension<Fields>) -> Response {
    let (by, is_form) = (fields.by.clone(), fields.is_form);
    let gate = &shared.registry().gate;
    let change = || {
        let LevelBody { level } = fields.parse("expected `level`, the name of a level or `automatic`")?;
        let level: Option<Level> = if level == AUTOMATIC { None } else { Some(parse_level(&level)?) };
        let before = gate.state();
        let state = gate.set_level(level).map_err(refused("level"))?;
        let change = Change {
            what: "level".into(),
            from: Some(before.level.as_str()),
            to: level.map_or(AUTOMATIC, Level::as_str),
            is_difference: (before.level, before.level_source) != (state.level, state.level_source),
        };
        Ok((change, state))
    };
    shared.respond(change(), by.as_deref(), is_form.then_some(STATUS))
}

fn parse_level(name: &str) -> Result<Level, Refusal> {
    name.parse().map_err(|_| {
        let known: Vec<_> = Level::NAMES.iter().copied().chain([AUTOMATIC]).collect();
        let text = format!("there is no such level{}", one_of(name, &known));
        Refusal::new(AdminRefusal::Unknown, StatusCode::NOT_FOUND, text)
    })
}

pub(super) async fn feature(
    State(shared): State<Arc<Shared>>,
    name: Name,
    Extension(fields): Extension<Fields>,
) -> Response {
    shared.switch("feature", name, fields, Gate::switch_feature, |state| &state.features_off)
}

pub(super) async fn tool(
    State(shared): State<Arc<Shared>>,
    name: Name,
    Extension(fields): Extension<Fields>,
) -> Response {
    shared.switch("tool", name, fields, Gate::switch_tool, |state| &state.tools_off)
}

pub(super) async fn breaker(
    State(shared): State<Arc<Shared>>,
    name: Name,
    Extension(fields): Extension<Fields>,
) -> Response {
    let (by, is_form) = (fields.by.clone(), fields.is_form);
    let registry = shared.registry();
    let change = || {
        let BreakerBody { action } = fields.parse("expected `action`, one of `open`, `close`, `isolate`")?;
        let Path(name) = name.map_err(|_| unknown("breaker", None))?;
        let Some(breaker) = registry.breaker(&name) else {
            let series = registry.breaker_series();
            let known: Vec<_> = series.keys().copied().collect();
            let meant = resilient_policy::nearest(&name, known);
            return Err(unknown("breaker", meant));
        };
        let from = breaker.state().as_str();
        let begins_a_period = matches!(action, BreakerAction::Open);
        // A subscriber may panic at the event of the transition, which has happened then.
        catch_panic(|| match action {
            BreakerAction::Open => breaker.open(),
            BreakerAction::Close => breaker.close(),
            BreakerAction::Isolate => breaker.isolate(),
        });
        let to = breaker.state().as_str();
        let is_difference = from != to || begins_a_period;
        let change = Change { what: format!("breaker {name}"), from: Some(from), to, is_difference };
        Ok((change, Breakers::of(registry).named(&name)))
    };
    shared.respond(change(), by.as_deref(), is_form.then_some(STATUS_ABOVE))
}

pub(super) async fn reload(State(shared): State<Arc<Shared>>, Extension(fields): Extension<Fields>) -> Response {
    let (by, is_form) = (fields.by.clone(), fields.is_form);
    if let Err(refusal) = fields.parse::<NoBody>("expected no field but `by`") {
        return refusal.respond(shared.registry());
    }
    let Some(reload) = &shared.reload else { return StatusCode::NOT_FOUND.into_response() };
    // In a separate task, which continues if the client disconnects, and whose panic is caught.
    match tokio::spawn(reload()).await.and_then(|ended| ended) {
        Ok(Ok(report)) => {
            let is_difference = report["changes"].as_array().is_none_or(|changes| !changes.is_empty());
            let change = Change { what: "settings".into(), from: None, to: "reloaded", is_difference };
            shared.respond(Ok((change, report)), by.as_deref(), is_form.then_some(STATUS))
        }
        Ok(Err(problems)) => {
            record(shared.registry(), AdminRefusal::Settings, by.as_deref());
            let texts = problems["problems"].as_array().into_iter().flatten();
            let texts = texts.filter_map(|problem| problem.as_str().map(str::to_owned)).collect();
            respond(StatusCode::UNPROCESSABLE_ENTITY, &problems, texts)
        }
        Err(_) => {
            record(shared.registry(), AdminRefusal::Internal, by.as_deref());
            let text = "the settings could not be reloaded";
            respond(StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": text }), vec![text.to_owned()])
        }
    }
}

impl Shared {
    fn switch(
        &self,
        what: &'static str,
        name: Name,
        fields: Fields,
        switch: fn(&Gate, &str, bool) -> Result<GateState, GateError>,
        off: fn(&GateState) -> &[SwitchedOff],
    ) -> Response {
        let (by, is_form) = (fields.by.clone(), fields.is_form);
        let gate = &self.registry().gate;
        let change = || {
            let SwitchBody { enabled } = fields.parse("expected `enabled`, `true` or `false`")?;
            let Path(name) = name.map_err(|_| unknown(what, None))?;
            let word = |is_off: bool| if is_off { "off" } else { "on" };
            let entry = |state: &GateState| off(state).iter().find(|off| off.name == name).cloned();
            let before = entry(&gate.state());
            let state = switch(gate, &name, enabled).map_err(refused(what))?;
            let change = Change {
                what: format!("{what} {name}"),
                from: Some(word(before.is_some())),
                to: word(!enabled),
                is_difference: before != entry(&state),
            };
            Ok((change, state))
        };
        self.respond(change(), by.as_deref(), is_form.then_some(STATUS_ABOVE))
    }

    /// Logs a change and answers with the new state, or leads a form back to `status`.
    pub(super) fn respond(
        &self,
        change: Result<(Change, impl Serialize), Refusal>,
        by: Option<&str>,
        form_leads_to: Option<&'static str>,
    ) -> Response {
        let (Change { what, from, to, is_difference }, state) = match change {
            Ok(changed) => changed,
            Err(refusal) => return refusal.respond(self.registry()),
        };
        // The change has been made, even if a subscriber panics.
        if is_difference {
            catch_panic(|| tracing::warn!(event = "admin.changed", what, from, to, by));
        }
        match form_leads_to {
            Some(status) => (StatusCode::SEE_OTHER, [(LOCATION, status)]).into_response(),
            None => now(StatusCode::OK, state),
        }
    }
}

/// Converts the error of a switch. The name is not repeated, because it may be anything.
fn refused(what: &'static str) -> impl FnOnce(GateError) -> Refusal {
    move |error| match error {
        GateError::Forbidden { message } => Refusal::new(AdminRefusal::Forbidden, StatusCode::CONFLICT, message),
        GateError::Unknown { suggestion, .. } => unknown(what, suggestion.as_deref()),
    }
}

pub(super) fn unknown(what: &'static str, meant: Option<&str>) -> Refusal {
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    let text = format!("there is no {what} of this name{meant}");
    Refusal::new(AdminRefusal::Unknown, StatusCode::NOT_FOUND, text)
}
