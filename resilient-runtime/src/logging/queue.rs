//! The queue between log calls and stderr: callers wait neither for a slow reader nor for the masking.

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

/// The maximum number of queued lines; further lines are dropped and counted.
const LINES: usize = 8_192;
/// The maximum total size of the queued lines, in bytes.
const BYTES: usize = 8 * 1024 * 1024;
/// The maximum length of a line that is queued as is, in bytes; a longer line is masked and cut before.
const LONGEST: usize = 64 * 1024;
/// How long ending the log waits for the queued lines.
const LONGEST_END: Duration = Duration::from_secs(1);
/// How long a panic waits for its line to be written.
const LONGEST_PANIC: Duration = Duration::from_millis(100);

static QUEUE: OnceLock<SyncSender<Message>> = OnceLock::new();
/// The total size of the queued lines, in bytes.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static LOST: AtomicU64 = AtomicU64::new(0);
/// Whether lines are written synchronously, because there is no writer thread or logging has ended.
static IS_DIRECT: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

enum Message {
    Line(Entry),
    /// Reports when all earlier messages are written.
    End(SyncSender<()>),
}

/// A line, and the correlation id of the call that logged it.
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

    /// Masks the line and writes it in one piece, so that lines of different threads do not interleave. Write errors
    /// are ignored.
    fn write(&self) {
        let line = masked(&self.line, self.correlation_id.as_ref());
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(&line).and_then(|()| stderr.flush());
    }
}

/// A writer that collects a line and puts it into the queue.
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

/// Starts the writer thread. If it cannot be started, lines are written synchronously.
pub(super) fn start() {
    let (sender, receiver) = sync_channel(LINES);
    let writes = thread::Builder::new().name("resilient-log".into()).spawn(move || write_all(&receiver));
    if writes.is_err() || QUEUE.set(sender).is_err() {
        IS_DIRECT.store(true, Ordering::Release);
    }
}

/// Returns whether the current thread is the writer thread.
pub(super) fn is_writer() -> bool {
    IS_WRITER.get()
}

/// Queues a line.
fn push(line: Vec<u8>) {
    let entry = Entry::new(line);
    match queue() {
        Some(queue) => settle(put(queue, Message::Line(entry))),
        None => entry.write(),
    }
}

/// Queues a line and waits until it is written, because the process may be about to exit. Waits at most 100 ms, because
/// stderr may not be read.
pub(super) fn push_now(line: Vec<u8>) {
    if is_writer() {
        // The writer thread is about to end, and would wait for itself.
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

/// Waits up to one second until all lines are written. Later lines are written synchronously.
pub(super) fn end() {
    let Some(queue) = QUEUE.get() else { return };
    if wait(queue, Instant::now() + LONGEST_END) {
        IS_DIRECT.store(true, Ordering::Release);
    }
}

/// Returns the queue if the writer thread serves it.
fn queue() -> Option<&'static SyncSender<Message>> {
    QUEUE.get().filter(|_| !IS_DIRECT.load(Ordering::Acquire))
}

/// Waits until all queued lines are written, or the writer thread has ended. Returns whether that happened before
/// `until`.
fn wait(queue: &SyncSender<Message>, until: Instant) -> bool {
    let (written, done) = sync_channel(1);
    if let Err(TrySendError::Full(_)) = put_until(queue, Message::End(written), until) {
        return false;
    }
    done.recv_timeout(until.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout)
}

/// Puts a message into the queue, waiting until `until` if the queue is full.
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

/// Puts a message into the queue if it is not full.
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

/// Counts a dropped line, or writes the line directly if the writer thread has ended.
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
            Entry::new(line::build("WARN", "log.lost", [("lines", lost.into())])).write();
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
