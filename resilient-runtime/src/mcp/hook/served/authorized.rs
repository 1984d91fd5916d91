//! The authorization of a call that the hook serves.

use resilient_policy::Fault;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::JsonObject;

use super::ServedCall;
use crate::context::{Authorized, ServerId};
use crate::error::TimeoutScope;
use crate::mcp::authorize::{Authorize, Unauthorized, Within as _, addresses, authorize, is_refusal};
use crate::mcp::hook_timeout::HookTimeout;
use crate::mcp::{Handled, wire};
use crate::outcomes::{Outcome, Rejected};
use crate::statistics::ErrorType;
use crate::telemetry;

impl ServedCall<'_> {
    /// Runs the functions that authorize the call. The calls inside them inherit the end of `limit` as their deadline.
    pub(in crate::mcp::hook) async fn authorize<S: Sync + 'static>(
        &mut self,
        by: &[Authorize<S>],
        call: &ToolCallContext<'_, S>,
        limit: &mut HookTimeout,
    ) -> Result<(), Handled> {
        let none = JsonObject::new();
        let facts = (call.service, &call.request_context, call.arguments.as_ref().unwrap_or(&none));
        let outer = self.inherits(limit.end());
        match authorize(by, facts, limit, self).await {
            Ok(()) => {
                if let (Some(context), Some(outer)) = (&mut self.context, outer) {
                    context.set_deadline(outer);
                }
                let (began, server) = (self.started, ServerId::of(call.service));
                let _ = self.request.authorized.set(Authorized::of_tool(began, server, addresses(by)));
                Ok(())
            }
            Err(unauthorized) => Err(self.unauthorized(unauthorized)),
        }
    }

    /// Answers that the call is not authorized. The tool has not run.
    fn unauthorized(&mut self, Unauthorized { error, outcome }: Unauthorized) -> Handled {
        {
            let mut report = self.request.report();
            report.outcome = Some(outcome);
            report.never_ran = true;
            if let Some(gated) = &self.hook.gated {
                report.effect = gated.effect;
            }
        }
        if outcome == Outcome::Timeout {
            self.statistics.timed_out(TimeoutScope::Call);
        }
        if outcome != Outcome::Rejected {
            self.fault = Some(Fault::Server);
        }
        if outcome != Outcome::Cancelled {
            let facts = telemetry::ErrorFacts::of(&*error);
            self.statistics.failed(&facts.code, facts.kind, facts.severity);
            if outcome == Outcome::Rejected && is_refusal(facts.kind) {
                self.statistics.rejected(Rejected::Unauthorized);
            }
            telemetry::unauthorized(&self.span, &self.hook.name, self.context.as_ref(), (&facts, &*error));
        }
        let answered = self.within(|| wire::tool_error(&*error)).unwrap_or_else(|| Err(wire::internal()));
        // The error is the user's, and dropping it may panic.
        self.within(|| drop(error));
        let of_code = answered.as_ref().err().map(|error| ErrorType::of_code(error.code.0));
        let error_type = of_code.unwrap_or_else(|| ErrorType::of_outcome(outcome));
        self.count(outcome, error_type, answered.as_ref().err());
        self.note_delivery(&answered);
        answered
    }
}
