//! Settings of tools that are found later.

use resilient_policy::Policy;

use super::Resilience;
use crate::settings::DeclaredNames;

impl Resilience {
    /// Lets settings refer to tools that are found later, for a client or a proxy that learns the tools of other
    /// servers while it runs. Names of tools, breakers and profiles that are not known yet are then no problems. The
    /// settings of a tool apply to its guard, a [`Guard::as_tool`](crate::Guard::as_tool) of the same name, when the guard is bound.
    ///
    /// In a file, a tool has its own name: `[tool."files/read-all"]`. In a variable, the name is in capitals, and each
    /// character that is no letter or digit is a `_`: `RESILIENT__TOOL__FILES_READ_ALL__TIMEOUT=5s`. Such a variable
    /// applies to all tools whose names have this form.
    ///
    /// `bases` are the policies in the code that such guards begin with, for example one for tools that read and one
    /// for tools that write. [`start`](Self::start) checks `[default]` and each `[tool.NAME]` against all of them. It
    /// reports a rule that any of the policies would break, and a key of a tool that none of them has. If a shorter
    /// `timeout` leaves no time for values of the code that no setting mentions, they are fitted to it: the attempt
    /// timeout and the wait in the queue follow the timeout, delays before retries become shorter, then there are fewer
    /// retries. What is only found when a guard is bound is logged once as `config.invalid`, and this guard keeps the
    /// policy of the code.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::{Guard, Policy, Registry, Resilience};
    /// use resilient_runtime::policy::{Effect, Retry};
    ///
    /// let reads = Policy::new().retry(Retry::new(2)).effect(Effect::ReadOnly);
    /// let variables = [("RESILIENT__TOOL__FILES_READ__TIMEOUT".into(), "2s".into())];
    /// Resilience::from_variables(variables).tools_found_later(&[reads, Policy::new()]).start()?;
    ///
    /// // Later, when the server says which tools it has:
    /// let read = Guard::checked("files/read", reads)?.as_tool();
    /// read.bind();
    /// assert_eq!(Registry::global().policies()[0].policy.timeout, Duration::from_secs(2));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn tools_found_later(mut self, bases: &[Policy]) -> Self {
        let found_later = Some(bases.to_vec());
        self.parts.push(Box::new(move || DeclaredNames { found_later, ..DeclaredNames::default() }));
        self
    }
}
