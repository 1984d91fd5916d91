//! Between those who log and stderr: nobody waits for a reader that does not read, or for the masking.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::line::masked;

/// How many lines wait at most; what comes then is lost, and counted.
const LINES: usize = 8_192;
/// How long the end of logging waits for what is still to be written.
const LONGEST_END: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<SyncSender<Message>> = OnceLock::new();
static LOST: AtomicU64 = AtomicU64::new(0);
/// Nobody takes lines out of the queue, or nobody will see to it that they are written.
static IS_DIRECT: AtomicBool = AtomicBool::new(false);

enum Message {
    Line(Vec<u8>),
    /// Everything before it is to be written.
    End(SyncSender<()>),
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

/// Writes a line, sooner or later.
pub(super) fn push(line: Vec<u8>) {
    let queue = QUEUE.get().filter(|_| !IS_DIRECT.load(Ordering::Acquire));
    let Some(queue) = queue else {
        write(&line);
        return;
    };
    match queue.try_send(Message::Line(line)) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Err(TrySendError::Disconnected(message)) => {
            if let Message::Line(line) = message {
                write(&line);
            }
        }
    }
}

/// Waits, for a second at most, until everything is written. Lines that come later are written where
/// they are made.
pub(super) fn end() {
    let Some(queue) = QUEUE.get() else { return };
    let until = Instant::now() + LONGEST_END;
    let (written, done) = sync_channel(1);
    let mut message = Message::End(written);
    while let Err(TrySendError::Full(again)) = queue.try_send(message) {
        if Instant::now() >= until {
            return;
        }
        message = again;
        thread::sleep(Duration::from_millis(1));
    }
    if done.recv_timeout(until.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout) {
        IS_DIRECT.store(true, Ordering::Release);
    }
}

fn write_all(lines: &Receiver<Message>) {
    while let Ok(message) = lines.recv() {
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let told = serde_json::json!({ "level": "WARN", "event": "log.lost", "lines": lost });
            write(told.to_string().as_bytes());
        }
        match message {
            Message::Line(line) => write(&line),
            Message::End(written) => {
                let _ = written.try_send(());
            }
        }
    }
}

/// Masks a line and writes it, all at once, so that those of other threads do not come between. A log
/// that cannot be written is no reason to fail.
fn write(line: &[u8]) {
    let line = masked(line);
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(&line).and_then(|()| stderr.flush());
}
