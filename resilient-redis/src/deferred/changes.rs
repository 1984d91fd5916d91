//! A change of the store: what has to hold, and the commands that Redis then runs, all at once.

use std::sync::LazyLock;

use redis::{Script, Value};
use resilient_runtime::deferred::StoreErrorKind;

use super::client::Client;
use super::error::Fault;
use super::identity::Identity;
use super::reply::{array, number};

/// The memory that a change may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// What Redis may use: for new entries, and for results.
    Limited,
    /// More than that, so that a full Redis can still end what it has.
    Exceeding,
}

/// The same script, with a line before it that says whether Redis runs it beyond its limit of memory.
static LIMITED: LazyLock<Script> = LazyLock::new(|| with_line("#!lua"));
static EXCEEDING: LazyLock<Script> = LazyLock::new(|| with_line("#!lua flags=allow-oom"));

fn with_line(line: &str) -> Script {
    Script::new(&format!("{line}\n{}", include_str!("scripts/transact.lua")))
}

/// A change of the store. If a check fails, nothing happens, and other clients see all of it or nothing. Only if a key
/// holds something that this crate did not write can a command fail; those before it have happened then.
#[derive(Debug, Default)]
pub(super) struct Changes {
    checks: Vec<Check>,
    commands: Vec<Command>,
    numbers: bool,
}

#[derive(Debug)]
struct Check {
    test: &'static str,
    key: String,
    field: String,
    value: String,
    otherwise: Failed,
}

/// What a failed check means.
#[derive(Debug, Clone)]
enum Failed {
    Conflict,
    Refused(StoreErrorKind, String),
}

#[derive(Debug)]
struct Command {
    name: &'static str,
    key: String,
    /// Whether the number of the new entry precedes the last argument.
    is_numbered: bool,
    arguments: Vec<Vec<u8>>,
}

impl Changes {
    pub(super) const fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Requires that a field of a hash has this value, or is missing if the value is empty. Otherwise the change
    /// conflicts with that of another client.
    pub(super) fn expect(&mut self, key: &str, field: &str, value: String) {
        let (key, field) = (key.to_owned(), field.to_owned());
        self.checks.push(Check { test: "equal", key, field, value, otherwise: Failed::Conflict });
    }

    /// Requires that a field of a hash is missing.
    pub(super) fn expect_none(&mut self, key: &str, field: &str, kind: StoreErrorKind, message: &str) {
        let (key, field, value) = (key.to_owned(), field.to_owned(), String::new());
        let otherwise = Failed::Refused(kind, message.to_owned());
        self.checks.push(Check { test: "equal", key, field, value, otherwise });
    }

    /// Requires that a number in a hash is at most this.
    pub(super) fn expect_at_most(&mut self, key: &str, field: &str, most: u64, message: String) {
        let (key, field, value) = (key.to_owned(), field.to_owned(), most.to_string());
        let otherwise = Failed::Refused(StoreErrorKind::Full, message);
        self.checks.push(Check { test: "at most", key, field, value, otherwise });
    }

    /// Refuses the change.
    pub(super) fn refuse(&mut self, key: &str, message: String) {
        // No number is below zero.
        let otherwise = Failed::Refused(StoreErrorKind::Full, message);
        let (key, field, value) = (key.to_owned(), String::new(), "-1".to_owned());
        self.checks.push(Check { test: "at most", key, field, value, otherwise });
    }

    /// Adds a command.
    pub(super) fn run<const N: usize>(&mut self, name: &'static str, key: &str, arguments: [&[u8]; N]) {
        self.push(name, key, false, arguments.iter().map(|it| it.to_vec()).collect());
    }

    /// Adds a command whose last argument begins with the number of the new entry.
    pub(super) fn run_numbered<const N: usize>(&mut self, name: &'static str, key: &str, arguments: [&[u8]; N]) {
        self.numbers = true;
        self.push(name, key, true, arguments.iter().map(|it| it.to_vec()).collect());
    }

    /// Adds an amount to a number in a hash.
    pub(super) fn add(&mut self, key: &str, field: &str, amount: i64) {
        if amount != 0 {
            self.run("HINCRBY", key, [field.as_bytes(), amount.to_string().as_bytes()]);
        }
    }

    fn push(&mut self, name: &'static str, key: &str, is_numbered: bool, arguments: Vec<Vec<u8>>) {
        self.commands.push(Command { name, key: key.to_owned(), is_numbered, arguments });
    }

    /// Makes the change, and returns the reply of each command.
    pub(super) async fn apply(
        &self,
        client: &Client,
        identity: &Identity,
        memory: Memory,
    ) -> Result<Vec<Value>, Fault> {
        let script = match memory {
            Memory::Limited => &*LIMITED,
            Memory::Exceeding => &*EXCEEDING,
        };
        let mut call = script.key(&client.names.store);
        call.key(&client.names.totals);
        call.arg(&identity.id).arg(if self.numbers { "new" } else { "" }).arg(self.checks.len());
        for Check { test, key, field, value, .. } in &self.checks {
            call.key(key).arg(*test).arg(field).arg(value);
        }
        for Command { name, key, is_numbered, arguments } in &self.commands {
            call.key(key).arg(*name).arg(if *is_numbered { "new" } else { "" }).arg(arguments.len());
            for argument in arguments {
                call.arg(argument.as_slice());
            }
        }
        let mut replies = array(client.invoke(&call).await?)?;
        let failed = if replies.is_empty() { None } else { Some(number(&replies.remove(0))?) };
        match failed {
            Some(0) => Ok(replies),
            Some(-1) => Err(Fault::OtherStore),
            Some(check) => Err(self.failed(check)),
            None => Err(Fault::Row("an empty reply")),
        }
    }

    fn failed(&self, check: i64) -> Fault {
        let index = usize::try_from(check).ok().and_then(|check| check.checked_sub(1));
        match index.and_then(|index| self.checks.get(index)).map(|check| check.otherwise.clone()) {
            Some(Failed::Refused(kind, message)) => Fault::Store(kind, message),
            Some(Failed::Conflict) | None => Fault::Conflict,
        }
    }
}
