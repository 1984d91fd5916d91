//! The state of a connection, without its tasks and its clock.

use std::sync::Arc;

use resilient_runtime::ErrorKind;

use crate::failure::Failure;

/// The state of a connection, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// An attempt to connect is running.
    Connecting,
    /// The server is connected.
    Up,
    /// The server is not connected. The next attempt follows after a delay, or with the next request.
    Down(Failure),
    /// Requests are rejected, because several connections in a row answered nothing.
    Rejecting(Failure),
    /// The connection was ended because it was not used. The next request opens it again.
    Resting,
    /// The connection was stopped.
    Stopped,
}

/// What happens at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    /// The link is there, and its handshake is under way.
    Held,
    Up,
    Down,
    Rejecting,
    Resting,
    Stopped,
}

/// The state of a connection over links of type `L`.
pub(super) struct State<L> {
    phase: Phase,
    /// The number of the current or last connection. The first one is 1.
    generation: u64,
    link: Option<Arc<L>>,
    /// The number of the last connection that could not be made, or that has answered nothing.
    failed: u64,
    /// The number of the last connection that a request waits for.
    wanted: u64,
    failure: Option<Failure>,
}

impl<L> State<L> {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::Connecting, generation: 0, link: None, failed: 0, wanted: 0, failure: None }
    }

    /// Begins a connection and returns its number. Returns `None` once stopped.
    pub(super) fn begin(&mut self) -> Option<u64> {
        if self.phase == Phase::Stopped {
            return None;
        }
        self.phase = Phase::Connecting;
        self.generation += 1;
        Some(self.generation)
    }

    /// Takes the link of a connection, which is not yet used.
    pub(super) fn open(&mut self, generation: u64, link: &Arc<L>) -> bool {
        let is_current = self.is(generation, Phase::Connecting);
        if is_current {
            self.link = Some(Arc::clone(link));
        }
        is_current
    }

    /// The connection is ready for requests.
    pub(super) fn ready(&mut self, generation: u64) -> bool {
        let is_current = self.is(generation, Phase::Connecting) && self.link.is_some();
        if is_current {
            self.phase = Phase::Up;
        }
        is_current
    }

    /// Withholds the connection from requests while a client's handshake runs on it. Returns it, if there is one.
    pub(super) fn hold(&mut self) -> Option<(u64, Arc<L>)> {
        let up = self.up();
        if up.is_some() {
            self.phase = Phase::Held;
        }
        up
    }

    /// Ends the handshake of a client.
    pub(super) fn release(&mut self, generation: u64) {
        if self.is(generation, Phase::Held) {
            self.phase = Phase::Up;
        }
    }

    /// Ends a connection. Returns it, if it was the current one.
    pub(super) fn lose(&mut self, generation: u64, failure: &Failure) -> Option<Arc<L>> {
        let link = self.link.take_if(|_| self.generation == generation && self.phase != Phase::Stopped)?;
        self.phase = Phase::Down;
        self.failure = Some(failure.clone());
        Some(link)
    }

    /// An attempt to connect has failed, or the connection that it made has answered nothing. Returns its link.
    pub(super) fn fail(&mut self, failure: Failure, rejects: bool) -> Option<Arc<L>> {
        if self.phase == Phase::Stopped {
            return None;
        }
        self.phase = if rejects { Phase::Rejecting } else { Phase::Down };
        self.failed = self.generation;
        self.failure = Some(failure);
        self.link.take()
    }

    /// Ends the connection until it is wanted. Returns it, if requests could use it.
    pub(super) fn rest(&mut self) -> Option<Arc<L>> {
        let link = self.link.take_if(|_| self.phase == Phase::Up);
        if link.is_some() {
            self.phase = Phase::Resting;
        }
        link
    }

    pub(super) fn is_resting(&self) -> bool {
        self.phase == Phase::Resting
    }

    /// A request wants the connection.
    pub(super) fn wake(&mut self) {
        if self.is_resting() {
            self.phase = Phase::Down;
        }
    }

    /// Ends everything, and returns the connection.
    pub(super) fn stop(&mut self) -> Option<(u64, Arc<L>)> {
        self.phase = Phase::Stopped;
        self.link.take().map(|link| (self.generation, link))
    }

    /// Returns the connection, if requests can use it.
    pub(super) fn up(&self) -> Option<(u64, Arc<L>)> {
        let link = self.link.as_ref().filter(|_| self.phase == Phase::Up)?;
        Some((self.generation, Arc::clone(link)))
    }

    /// Returns the number of the connection that a request waits for: the one that is being made, or the next one.
    pub(super) fn next_attempt(&self) -> u64 {
        if self.phase == Phase::Connecting { self.generation.max(1) } else { self.generation + 1 }
    }

    /// A request waits for this connection.
    pub(super) fn want(&mut self, generation: u64) {
        self.wanted = self.wanted.max(generation);
    }

    /// Returns whether a request waits for the connection after the last one.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted > self.generation
    }

    /// Returns whether this connection, or a later one, could not be made.
    pub(super) const fn has_failed(&self, generation: u64) -> bool {
        self.failed >= generation
    }

    /// Returns whether this connection still has its link.
    pub(super) fn has_link(&self, generation: u64) -> bool {
        self.generation == generation && self.link.is_some()
    }

    /// Whether a request fails at once.
    pub(super) const fn rejects(&self) -> bool {
        matches!(self.phase, Phase::Rejecting | Phase::Stopped)
    }

    pub(super) fn is(&self, generation: u64, phase: Phase) -> bool {
        self.generation == generation && self.phase == phase
    }

    /// Returns why there is no connection, for a request that was not sent.
    pub(super) fn failure(&self) -> Failure {
        if self.phase == Phase::Stopped {
            return Failure::not_sent(ErrorKind::Unavailable, "the connection is closed");
        }
        match &self.failure {
            Some(failure) => Failure { may_have_run: false, ..failure.clone() },
            None => Failure::not_sent(ErrorKind::Connection, "the server is not connected yet"),
        }
    }

    pub(super) fn shown(&self) -> ConnectionState {
        match self.phase {
            Phase::Connecting | Phase::Held => ConnectionState::Connecting,
            Phase::Up => ConnectionState::Up,
            Phase::Down => ConnectionState::Down(self.failure()),
            Phase::Rejecting => ConnectionState::Rejecting(self.failure()),
            Phase::Resting => ConnectionState::Resting,
            Phase::Stopped => ConnectionState::Stopped,
        }
    }
}
