//! Random histories, in which a store is compared with [`MemoryStore`].

use std::fmt::Debug;
use std::time::Duration;

use super::{Clients, LEASE, MemoryStore, START, caller, claim_of, failure, write};
use crate::deferred::{
    Bounds, ClaimToken, Claims, Control, DeferredSettings, DeferredStore, Entry, Filter, Found, NewEntry, NextTry,
    OnExhausted, Put, Receipt, State, StoreError, StoreErrorKind, Timestamp, Viewer,
};

/// The tools of a history.
const TOOLS: [&str; 2] = ["write", "other"];

/// The bounds with which a history opens the store.
const BOUNDS: Bounds = Bounds { entries: 12, arguments: 1_000, bytes: 64 * 1024 * 1024 };

/// Runs a random history of `steps` calls on two clients of a store, and compares each result with that of a
/// [`MemoryStore`]: writes, claims by two workers, leases that end, late calls with old tokens, cancellations, and
/// clocks that move forwards and backwards. One seed is always the same history. `open` returns two clients of a new,
/// empty store with these bounds.
///
/// # Panics
/// At the first difference, with the seed and the calls so far.
pub async fn check_history(open: impl AsyncFn(Bounds) -> Clients, seed: u64, steps: usize) {
    let mut history = History {
        clients: open(BOUNDS).await,
        model: MemoryStore::new(BOUNDS),
        random: fastrand::Rng::with_seed(seed),
        seed,
        now: START,
        receipts: Vec::new(),
        tokens: Vec::new(),
        calls: Vec::new(),
    };
    for _ in 0..steps {
        history.step().await;
    }
    history.compare_everything().await;
}

struct History {
    clients: Clients,
    model: MemoryStore,
    random: fastrand::Rng,
    seed: u64,
    now: Timestamp,
    /// All receipts so far, with those that were not accepted.
    receipts: Vec<Receipt>,
    /// All tokens so far, most of them old: that of the store and that of the model, whose numbers may differ.
    tokens: Vec<(ClaimToken, ClaimToken)>,
    calls: Vec<String>,
}

/// Makes one call on a random client and on the model, and returns both results. Each has its own token.
macro_rules! call {
    ($history:ident, |$store:ident $(, $token:ident)?| $call:expr) => {{
        $history.calls.push(format!("at {:?}: {}", $history.now.since(START), stringify!($call)));
        let real = {
            $(let ($token, _) = $token;)?
            let clients = &$history.clients;
            let $store: &dyn DeferredStore = if $history.random.bool() { &*clients.first } else { &*clients.second };
            $call.await
        };
        let model = {
            $(let (_, $token) = $token;)?
            let $store: &dyn DeferredStore = &$history.model;
            $call.await
        };
        (real, model)
    }};
}

/// Makes one call on a random client and on the model, and compares the results.
macro_rules! both {
    ($history:ident, |$store:ident $(, $token:ident)?| $call:expr) => {{
        let (real, model) = call!($history, |$store $(, $token)?| $call);
        $history.compare(real, model);
    }};
}

impl History {
    async fn step(&mut self) {
        let (receipt, token, now) = (self.receipt(), self.token(), self.now);
        let next = now.after(Duration::from_secs(self.random.u64(0..90)));
        match self.random.u8(0..100) {
            0..25 => self.put().await,
            25..28 => both!(self, |store| store.withdraw(receipt)),
            28..31 => {
                let NewEntry { scope, arguments, .. } = self.new_entry();
                both!(self, |store| store.find(&scope, &arguments, now));
            }
            31..33 => {
                let NewEntry { scope, arguments, .. } = self.new_entry();
                both!(self, |store| store.share(&scope, &arguments, now));
            }
            33..36 => both!(self, |store| store.get(receipt, &caller())),
            36..56 => {
                let tools = if self.random.bool() { &TOOLS[..] } else { &TOOLS[..1] };
                let claim = claim_of(tools, self.random.usize(0..4), now);
                let (real, model) = call!(self, |store| store.claim(&claim));
                if let (Ok(real), Ok(model)) = (&real, &model) {
                    let tokens = real.entries.iter().map(Entry::token).zip(model.entries.iter().map(Entry::token));
                    self.tokens.extend(tokens);
                }
                self.compare(real, model);
            }
            56..60 => both!(self, |store, token| store.renew(token, LEASE, now)),
            60..67 => both!(self, |store, token| store.complete(token, Some("{}".into()), now)),
            67..74 => {
                let next = if self.random.u8(0..4) == 0 { NextTry::Never } else { NextTry::At(next) };
                both!(self, |store, token| store.fail(token, failure("timeout", next), now));
            }
            74..77 => both!(self, |store, token| store.postpone(token, next, now)),
            77..80 => both!(self, |store| store.cancel(receipt, &Viewer::Operator, now)),
            80..82 => both!(self, |store| store.retry(receipt, now)),
            82..83 => both!(self, |store| store.discard(receipt, now)),
            83..85 => both!(self, |store| store.counts(Some("server"))),
            85..88 => both!(self, |store| store.sweep("server", now)),
            88..89 => both!(self, |store| store.check()),
            89..91 => self.restart().await,
            91..98 => self.now = self.now.after(Duration::from_secs(self.random.u64(0..40))),
            _ => self.now = self.now.after(Duration::from_secs(self.random.u64(0..3_000))),
        }
    }

    fn new_entry(&mut self) -> NewEntry {
        let random = &mut self.random;
        let mut new = write(random.u128(..), &random.u8(0..8).to_string());
        new.scope.tool = TOOLS[usize::from(random.u8(0..4) == 0)].into();
        new.arguments = "x".repeat(random.usize(1..3) * if random.u8(0..50) == 0 { 600 } else { 1 });
        let on_exhausted = if random.bool() { OnExhausted::DeadLetter } else { OnExhausted::Discard };
        let (base, cap) = (Duration::from_secs(5), Duration::from_secs(60));
        let ttl = Duration::from_secs(random.u64(60..900));
        new.policy =
            DeferredSettings::new().tries(random.u32(1..4)).base(base).cap(cap).ttl(ttl).on_exhausted(on_exhausted);
        new.now = self.now;
        new.due = self.now.after(Duration::from_secs(random.u64(0..20)));
        new
    }

    async fn put(&mut self) {
        let new = self.new_entry();
        self.receipts.push(new.receipt);
        both!(self, |store| store.put(new.clone()));
    }

    /// A process starts, perhaps with another clock.
    async fn restart(&mut self) {
        self.now = match self.random.u8(0..4) {
            0 => self.now.after(Duration::from_secs(24 * 60 * 60)),
            1 => Timestamp::from_millis(self.now.millis().saturating_sub(24 * 60 * 60 * 1_000)),
            _ => self.now,
        };
        let now = self.now;
        both!(self, |store| store.recover("server", now));
    }

    /// Compares every entry, at the end.
    async fn compare_everything(&mut self) {
        let all = Filter { limit: usize::MAX, ..Filter::default() };
        both!(self, |store| store.list(&all));
        for receipt in std::mem::take(&mut self.receipts) {
            both!(self, |store| store.get(receipt, &Viewer::Operator));
        }
    }

    fn receipt(&mut self) -> Receipt {
        // Recent ones more often: most of the others are gone.
        let recent = self.receipts.len().saturating_sub(self.random.usize(1..30));
        self.receipts.get(recent).copied().unwrap_or(Receipt::from_bits(0))
    }

    fn token(&mut self) -> (ClaimToken, ClaimToken) {
        let recent = self.tokens.len().saturating_sub(self.random.usize(1..6));
        let none = ClaimToken { receipt: Receipt::from_bits(0), fence: 0 };
        self.tokens.get(recent).copied().unwrap_or((none, none))
    }

    /// Compares two results, except for hashes, the numbers of claims and the texts of errors, which differ from store
    /// to store.
    fn compare<T: WithoutHashes + PartialEq + Debug>(&self, real: Result<T, StoreError>, model: Result<T, StoreError>) {
        let plain = |result: Result<T, StoreError>| -> Result<T, StoreErrorKind> {
            result.map(WithoutHashes::without_hashes).map_err(|error| error.kind())
        };
        let (real, model) = (plain(real), plain(model));
        if real != model {
            let calls = self.calls.join("\n");
            panic!("seed {}:\n{calls}\nThe store returned\n{real:#?}\nand not\n{model:#?}", self.seed);
        }
    }
}

/// A result whose hashes, which depend on the secret of a store, and numbers of claims can be removed.
trait WithoutHashes: Sized {
    fn without_hashes(self) -> Self {
        self
    }
}

impl WithoutHashes for bool {}
impl WithoutHashes for u64 {}
impl WithoutHashes for () {}
impl WithoutHashes for Timestamp {}
impl WithoutHashes for State {}
impl WithoutHashes for crate::deferred::Cancellation {}
impl WithoutHashes for crate::deferred::Counts {}
impl WithoutHashes for crate::deferred::Retried {}
impl WithoutHashes for crate::deferred::Summary {}
impl WithoutHashes for crate::deferred::Swept {}

impl<T: WithoutHashes> WithoutHashes for Option<T> {
    fn without_hashes(self) -> Self {
        self.map(T::without_hashes)
    }
}

impl<T: WithoutHashes> WithoutHashes for Vec<T> {
    fn without_hashes(self) -> Self {
        self.into_iter().map(T::without_hashes).collect()
    }
}

impl WithoutHashes for Entry {
    fn without_hashes(self) -> Self {
        // Whether there was a claim is the same in all stores.
        let control = Control { fence: self.control.fence.min(1), ..self.control };
        Self { principal_hash: 0, key_hash: 0, arguments_hash: 0, control, ..self }
    }
}

impl WithoutHashes for Found {
    fn without_hashes(self) -> Self {
        Self { entry: self.entry.without_hashes(), ..self }
    }
}

impl WithoutHashes for Put {
    fn without_hashes(self) -> Self {
        match self {
            Self::Existing(found) => Self::Existing(found.without_hashes()),
            accepted @ Self::Accepted(_) => accepted,
        }
    }
}

impl WithoutHashes for Claims {
    fn without_hashes(self) -> Self {
        Self { entries: self.entries.without_hashes(), ..self }
    }
}
