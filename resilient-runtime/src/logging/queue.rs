//! Between those who log and stderr: nobody waits for a reader that does not read, or for the masking.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::line::{self, masked};
use crate::context::CallContext;
use crate::identity::CorrelationId;

/// How many lines wait at most; what comes then is lost, and counted.
const LINES: usize = 8_192;
/// How many bytes those lines have at most, all together.
const BYTES: usize = 8 * 1024 * 1024;
/// The longest line that waits as it is; a longer one is masked, and so cut, before.
const LONGEST: usize = 64 * 1024;
/// How long the end of logging waits for what is still to be written.
const LONGEST_END: Duration = Duration::from_secs(1);
/// How long a panic waits for its line to be written.
const LONGEST_PANIC: Duration = Duration::from_millis(100);

static QUEUE: OnceLock<SyncSender<Message>> = OnceLock::new();
/// How many bytes wait.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static LOST: AtomicU64 = AtomicU64::new(0);
/// Nobody takes lines out of the queue, or nobody will see to it that they are written.
static IS_DIRECT: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

enum Message {
    Line(Entry),
    /// Everything before it is to be written.
    End(SyncSender<()>),
}

/// A line, and the call that runs where it is made.
struct Entry {
    line: Vec<u8>,
    correlation_id: Option<CorrelationId>,
}

impl Entry {
    fn new(line: Vec<u8>) -> Self {
        let correlation_id = CallContext::current().map(|context| context.correlation_id().clone());
        let line = if line.len() > LONGEST { masked(&line, None) } else { line };
        Self { line, correlation_id }
    }

    /// Masks a line and writes it, all at once, so that those of other threads do not come between. A
    /// log that cannot be written is no reason to fail.
    fn write(&self) {
        let line = masked(&self.line, self.correlation_id.as_ref());
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(&line).and_then(|()| stderr.flush());
    }
}

/// Collects a line, and puts it into the queue.
#[derive(Default)]
pub(super) struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.0.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                push(std::mem::take(&mut self.0));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            push(std::mem::take(&mut self.0));
        }
    }
}

/// Begins to write in a thread of its own. Where there can be none, lines are written where they are
/// made.
pub(super) fn start() {
    let (sender, receiver) = sync_channel(LINES);
    let writes = thread::Builder::new().name("resilient-log".into()).spawn(move || write_all(&receiver));
    if writes.is_err() || QUEUE.set(sender).is_err() {
        IS_DIRECT.store(true, Ordering::Release);
    }
}

/// Whether this is the thread that writes.
pub(super) fn is_writer() -> bool {
    IS_WRITER.get()
}

/// Writes a line, sooner or later.
fn push(line: Vec<u8>) {
    let entry = Entry::new(line);
    match queue() {
        Some(queue) => settle(put(queue, Message::Line(entry))),
        None => entry.write(),
    }
}

/// Writes a line, and waits until it is written: the process may be about to end. It waits no longer than
/// 100 ms, as nobody may be reading.
pub(super) fn push_now(line: Vec<u8>) {
    if is_writer() {
        // It is about to end, and would wait for itself.
        IS_DIRECT.store(true, Ordering::Release);
    }
    let entry = Entry::new(line);
    let Some(queue) = queue() else {
        entry.write();
        return;
    };
    let until = Instant::now() + LONGEST_PANIC;
    settle(put_until(queue, Message::Line(entry), until));
    wait(queue, until);
}

/// Waits, for a second at most, until everything is written. Lines that come later are written where
/// they are made.
pub(super) fn end() {
    let Some(queue) = QUEUE.get() else { return };
    if wait(queue, Instant::now() + LONGEST_END) {
        IS_DIRECT.store(true, Ordering::Release);
    }
}

/// The queue, while somebody takes lines out of it.
fn queue() -> Option<&'static SyncSender<Message>> {
    QUEUE.get().filter(|_| !IS_DIRECT.load(Ordering::Acquire))
}

/// Waits until everything is written, or will not be any more. Whether that was in time.
fn wait(queue: &SyncSender<Message>, until: Instant) -> bool {
    let (written, done) = sync_channel(1);
    if let Err(TrySendError::Full(_)) = put_until(queue, Message::End(written), until) {
        return false;
    }
    done.recv_timeout(until.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout)
}

/// Puts a message into the queue as soon as there is a place for it.
fn put_until(queue: &SyncSender<Message>, message: Message, until: Instant) -> Result<(), TrySendError<Message>> {
    let mut put_in = put(queue, message);
    while let Err(TrySendError::Full(message)) = put_in {
        if Instant::now() >= until {
            return Err(TrySendError::Full(message));
        }
        thread::sleep(Duration::from_millis(1));
        put_in = put(queue, message);
    }
    put_in
}

/// Puts a message into the queue if there is a place for it.
fn put(queue: &SyncSender<Message>, message: Message) -> Result<(), TrySendError<Message>> {
    let bytes = match &message {
        Message::Line(entry) => entry.line.len(),
        Message::End(_) => 0,
    };
    let waiting = WAITING.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    let put_in = if waiting > BYTES { Err(TrySendError::Full(message)) } else { queue.try_send(message) };
    if put_in.is_err() {
        WAITING.fetch_sub(bytes, Ordering::Relaxed);
    }
    put_in
}

/// Takes note of a line that found no place, and writes one that nobody else writes.
fn settle(put_in: Result<(), TrySendError<Message>>) {
    match put_in {
        Err(TrySendError::Full(_)) => {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Err(TrySendError::Disconnected(Message::Line(entry))) => entry.write(),
        Ok(()) | Err(TrySendError::Disconnected(Message::End(_))) => {}
    }
}

fn write_all(lines: &Receiver<Message>) {
    IS_WRITER.set(true);
    while let Ok(message) = lines.recv() {
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            Entry::new(line::told("WARN", "log.lost", [("lines", lost.into())])).write();
        }
        match message {
            Message::Line(entry) => {
                WAITING.fetch_sub(entry.line.len(), Ordering::Relaxed);
                entry.write();
            }
            Message::End(written) => {
                let _ = written.try_send(());
            }
        }
    }
}
