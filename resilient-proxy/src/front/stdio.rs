//! The front for one client over standard input and output.

mod pipe;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use resilient_client::Message;
use resilient_client::lines::{Line, MAX_MESSAGE, read_line};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::{Boxed, Output, Service, Session};
use pipe::{Input, Writer};

/// How long the end of a session may take.
const CLOSE: Duration = Duration::from_secs(2);

/// Serves the client on standard input and output until its input ends, or until `stop`. When the input ends, requests that
/// are under way may take `rest` to be answered.
///
/// # Errors
/// If standard input or output cannot be used.
pub(crate) async fn serve(service: Arc<dyn Service>, stop: CancellationToken, rest: Duration) -> io::Result<()> {
    let output = Arc::new(Stdout { writer: Arc::new(Mutex::new(pipe::stdout()?)), gone: CancellationToken::new() });
    let gone = output.gone.clone();
    let session = service.open(output);
    let tasks = TaskTracker::new();
    let input = BufReader::with_capacity(64 * 1024, pipe::stdin()?);
    let served = async {
        read(input, &session, &tasks).await;
        tasks.close();
        let _ = timeout(rest, tasks.wait()).await;
    };
    tokio::select! {
        () = served => {}
        () = stop.cancelled() => {}
        () = gone.cancelled() => {}
    }
    if timeout(CLOSE, session.close()).await.is_err() {
        tracing::warn!(event = "session.not_closed", "the server does not read that its client is gone");
    }
    Ok(())
}

/// Reads messages and passes them on, in order. Each is handled in its own task.
async fn read(mut input: BufReader<Input>, session: &Arc<dyn Session>, tasks: &TaskTracker) {
    // An error of the input ends it.
    while let Ok(Some(line)) = read_line(&mut input, MAX_MESSAGE).await {
        let read = match line {
            Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Line::Whole(line) => Message::parse_line(line).map_err(|line| line.len()),
            Line::TooLong { bytes, .. } => Err(bytes),
        };
        match read {
            Ok(messages) => {
                for message in messages {
                    start(message, session, tasks).await;
                }
            }
            // The id is not known, so that no client can relate an error to its request.
            Err(bytes) => tracing::warn!(event = "client.junk", bytes, "skipped input that is not a message"),
        }
    }
}

/// Polls the future once, so that the order of the messages is kept, and leaves the rest to a task.
async fn start(message: Message, session: &Arc<dyn Session>, tasks: &TaskTracker) {
    let session = Arc::clone(session);
    let mut handled: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move { session.handle(message).await });
    let is_done = poll_fn(|cx| Poll::Ready(handled.as_mut().poll(cx).is_ready())).await;
    if !is_done {
        tasks.spawn(handled);
    }
}

/// Standard output.
struct Stdout {
    writer: Arc<Mutex<Writer>>,
    /// Cancelled once the client no longer reads.
    gone: CancellationToken,
}

impl Output for Stdout {
    /// Writes a line to its end, even if the future is dropped.
    fn send(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            let line = message.to_line();
            let mut writer = Arc::clone(&self.writer).lock_owned().await;
            let written = match poll_fn(|cx| Pin::new(&mut *writer).poll_write(cx, &line)).await {
                Ok(written) if written == line.len() && !writer.is_buffered() => return,
                Ok(written) => written,
                Err(_) => return self.gone.cancel(),
            };
            let rest = tokio::spawn(async move {
                writer.write_all(&line[written..]).await?;
                writer.flush().await
            });
            if !matches!(rest.await, Ok(Ok(()))) {
                self.gone.cancel();
            }
        })
    }
}
