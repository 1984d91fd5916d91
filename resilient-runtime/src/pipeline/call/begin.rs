//! The beginning of a call: who asks for it, until when, under which keys, and who hears of it.

use std::pin::Pin;

use super::claim::Origin;
use super::{Call, State};
use crate::binding::Binding;
use crate::clock::Moment;
use crate::context::{self, CallContext};
use crate::pipeline::turn::Turn;
use crate::telemetry;

impl Call<'_> {
    /// Begins it, unless it has begun.
    pub(crate) fn begin_call(mut self: Pin<&mut Self>) {
        let this = self.as_mut().project();
        if !matches!(this.state, State::New) {
            return;
        }
        let (keys, request, arguments) = match this.details.take() {
            None => (None, None, None),
            Some(details) => (details.keys, details.request, details.arguments),
        };
        let binding: &Binding = this.binding;
        let started = Moment::now();
        let own = started.after(binding.timeout);
        *this.is_given = request.is_some();
        let mut deadline = own;
        if request.is_some() || context::is_inside_a_call() {
            let caller = request.or_else(CallContext::current);
            let context = caller.map_or_else(CallContext::root, CallContext::inside);
            let origin = Origin::of(&context, this.site, binding);
            if let Some(theirs) = origin.ends {
                deadline = theirs.min(own);
                this.seldom.ends(theirs);
            }
            *this.watches_cancellation = context.request().is_some();
            (*this.reports, *this.is_part) = (origin.reports, origin.is_part);
            *this.is_inside = context.around().is_some();
            *this.context = Some(context);
        } else {
            *this.context = Some(CallContext::root());
        }
        (*this.started, *this.attempt_started, *this.deadline) = (started, started, deadline);
        *this.deadline_is_inherited = deadline < own;
        if let Some(keys) = keys {
            *this.keyed_breaker = keys.breaker.and_then(|key| binding.keyed_breaker(key));
            *this.rate_limit_key = keys.rate_limit;
            *this.turn = binding.seldom.bulkheads.as_ref().map(|bulkheads| Turn::new(bulkheads.get(keys.bulkhead)));
        } else if binding.is_limited
            && let Some(bulkheads) = &binding.seldom.bulkheads
        {
            *this.turn = Some(Turn::new(bulkheads.get(None)));
        }
        // From here on it is counted, and taken off again, whatever becomes of it.
        *this.state = State::Asking;
        if !*this.reports {
            binding.statistics.call_started();
        }
        if telemetry::is_listened_to() {
            self.tell(arguments.as_deref());
        }
    }

    /// Begins the span, and says that the call begins.
    #[cold]
    fn tell(self: Pin<&mut Self>, arguments: Option<&str>) {
        let this = self.project();
        let Some(context) = this.context else { return };
        let of_hook = context.request().filter(|_| *this.reports).and_then(|request| request.span().clone());
        if !*this.reports {
            *this.span = telemetry::call_span(this.site.name(), context);
        }
        if let Some(arguments) = arguments {
            of_hook.as_ref().unwrap_or(this.span).record("arguments", arguments);
        }
        if !*this.reports {
            telemetry::call_started(this.span, this.site.name(), Some(context));
        }
    }
}
