//! The function that authorizes the requests of a handler, before a method serves them.

use rmcp::model::{JsonObject, SubscriptionsListenRequestParams};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use serde::Serialize;
use serde_json::Value;

#[cfg(feature = "cache")]
use super::super::arguments;
use super::super::authorize::{Authorize, Unauthorized, Within as _, authorize, is_refusal};
use super::super::hook_timeout::HookTimeout;
use super::super::wire;
use super::serve::Incoming;
use crate::clock::Moment;
use crate::context::{Authorized, ServerId};
use crate::outcomes::Outcome;
use crate::panics::catch_panic;
use crate::statistics::ErrorType;
use crate::telemetry;

/// A request that was not authorized. It is counted.
#[derive(Debug)]
pub struct Unserved(ErrorData);

impl Unserved {
    /// Returns the response of the method.
    ///
    /// # Errors
    /// Returns the error that refuses the request.
    pub fn response<T>(self) -> Result<T, ErrorData> {
        Err(self.0)
    }
}

/// Returns the parameters of a request, or an empty object if they are no object.
pub fn parameters(written: &impl Serialize) -> JsonObject {
    match catch_panic(|| serde_json::to_value(written)) {
        Some(Ok(Value::Object(parameters))) => parameters,
        _ => JsonObject::new(),
    }
}

/// Returns the parameters of the request that a subscription answers.
#[must_use]
pub fn subscribed(subscription: &SubscriptionContext) -> JsonObject {
    parameters(&SubscriptionsListenRequestParams::new(subscription.requested().clone()))
}

/// Returns the parameters of a request as canonical JSON, which identifies a kept answer. `_meta` is not a part of it: a
/// token for progress or a trace changes no answer. Returns `None` if the request answers what an earlier response asked
/// for.
#[cfg(feature = "cache")]
pub fn canonical_parameters(written: &impl Serialize) -> Option<String> {
    let Value::Object(mut parameters) = catch_panic(|| serde_json::to_value(written))?.ok()? else { return None };
    if parameters.contains_key("inputResponses") || parameters.contains_key("requestState") {
        return None;
    }
    parameters.remove("_meta");
    Some(arguments::canonical(Some(&parameters)))
}

impl Incoming {
    /// Runs the function that authorizes the request, within the timeout of the method.
    ///
    /// # Errors
    /// Returns the response if the request is not authorized.
    pub async fn authorize<S: Sync + 'static>(
        mut self,
        server: &S,
        request: &RequestContext<RoleServer>,
        parameters: &JsonObject,
        by: Authorize<S>,
    ) -> Result<Self, Unserved> {
        let server_id = ServerId::of(server);
        // A part of a request that the functions of this server have authorized.
        if self.request.authorized.get().is_some_and(|authorized| authorized.is_by(server_id)) {
            return Ok(self);
        }
        let limit = self.limit.take();
        let is_limited = limit.is_some();
        let mut limit = limit
            .unwrap_or_else(|| self.method.authorized_within.map_or_else(HookTimeout::usual, HookTimeout::lasting));
        let outer = self.context.as_mut().map(|context| context.limit(limit.end()));
        let decided = authorize(&[by], (server, request, parameters), &mut limit, &mut self).await;
        if let (Some(context), Some(outer)) = (&mut self.context, outer) {
            context.set_deadline(outer);
        }
        if is_limited {
            self.limit = Some(limit);
        }
        match decided {
            Ok(()) => {
                // What authorizes a part says nothing about the other parts, which have other parameters.
                if !self.is_part() {
                    let authorized = Authorized::of_handler(Moment::of(self.started), server_id);
                    let _ = self.request.authorized.set(authorized);
                }
                Ok(self)
            }
            Err(unauthorized) => Err(self.unauthorized(unauthorized)),
        }
    }

    /// Answers that the request is not authorized. The method has not run.
    fn unauthorized(mut self, Unauthorized { error, outcome }: Unauthorized) -> Unserved {
        if !self.is_part() {
            let mut report = self.request.report();
            report.outcome = Some(outcome);
            report.never_ran = true;
        }
        if outcome != Outcome::Cancelled {
            let facts = telemetry::ErrorFacts::of(&*error);
            self.count_error(&facts);
            if outcome == Outcome::Rejected && is_refusal(facts.kind) {
                self.count_unauthorized();
            }
            telemetry::unauthorized(&self.span, self.method.name, self.context.as_ref(), (&facts, &*error));
        }
        let answered = self.within(|| wire::error_data(&*error)).unwrap_or_else(wire::internal);
        // The error is the user's, and dropping it may panic.
        self.within(|| drop(error));
        let kind = match outcome {
            Outcome::Timeout | Outcome::Cancelled => ErrorType::of_outcome(outcome),
            _ => ErrorType::of_code(answered.code.0),
        };
        self.end(outcome, kind, Some(&answered));
        Unserved(answered)
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CustomRequest, InputResponses, PaginatedRequestParams, ReadResourceRequestParams};
    use serde_json::json;

    use super::*;

    #[cfg(feature = "cache")]
    #[test]
    fn the_key_of_an_answer_has_all_parameters_but_not_the_meta() {
        let mut request = ReadResourceRequestParams::new("x:y");
        request.meta = Some(rmcp::model::RequestMetaObject::new());
        assert_eq!(canonical_parameters(&request).as_deref(), Some(r#"{"uri":"x:y"}"#));
        let follow_up = |change: fn(&mut ReadResourceRequestParams)| {
            let mut request = request.clone();
            change(&mut request);
            canonical_parameters(&request)
        };
        assert_eq!(follow_up(|request| request.request_state = Some("z".into())), None);
        assert_eq!(follow_up(|request| request.input_responses = Some(InputResponses::default())), None);
        assert_eq!(canonical_parameters(&None::<PaginatedRequestParams>), None);
    }

    #[test]
    fn the_parameters_are_an_object_in_any_case() {
        let shown = |parameters: JsonObject| Value::Object(parameters);
        assert_eq!(shown(parameters(&ReadResourceRequestParams::new("x:y"))), json!({ "uri": "x:y" }));
        assert_eq!(shown(parameters(&None::<PaginatedRequestParams>)), json!({}));
        let custom = CustomRequest::new("x/y", Some(json!({ "z": 1 })));
        assert_eq!(shown(parameters(&custom.params)), json!({ "z": 1 }));
        assert_eq!(shown(parameters(&Some(json!([1])))), json!({}));
    }
}
