//! Standard input and output without threads, where they are pipes or sockets.
//!
//! Tokio reads and writes them in threads, which costs two switches of threads for each message.

#[cfg(unix)]
use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::{UnixStream, unix::pipe};

/// Standard input.
pub(super) enum Input {
    #[cfg(unix)]
    Pipe(pipe::Receiver),
    #[cfg(unix)]
    Socket(UnixStream),
    Other(tokio::io::Stdin),
}

/// Standard output.
pub(super) enum Writer {
    #[cfg(unix)]
    Pipe(pipe::Sender),
    #[cfg(unix)]
    Socket(UnixStream),
    Other(tokio::io::Stdout),
}

/// A file descriptor by what it is.
#[cfg(unix)]
enum Opened {
    Pipe(File),
    Socket(UnixStream),
    Other,
}

#[cfg(unix)]
impl Opened {
    fn new(stream: impl AsFd) -> io::Result<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() {
            return Ok(Self::Pipe(file));
        }
        if kind.is_socket() {
            let socket = std::os::unix::net::UnixStream::from(OwnedFd::from(file));
            socket.set_nonblocking(true)?;
            return UnixStream::from_std(socket).map(Self::Socket);
        }
        Ok(Self::Other)
    }
}

/// Opens standard input.
#[cfg(unix)]
pub(super) fn stdin() -> io::Result<Input> {
    match Opened::new(io::stdin())? {
        Opened::Pipe(file) => pipe::Receiver::from_file(file).map(Input::Pipe),
        Opened::Socket(socket) => Ok(Input::Socket(socket)),
        Opened::Other => Ok(Input::Other(tokio::io::stdin())),
    }
}

/// Opens standard output.
#[cfg(unix)]
pub(super) fn stdout() -> io::Result<Writer> {
    match Opened::new(io::stdout())? {
        Opened::Pipe(file) => pipe::Sender::from_file(file).map(Writer::Pipe),
        Opened::Socket(socket) => Ok(Writer::Socket(socket)),
        Opened::Other => Ok(Writer::Other(tokio::io::stdout())),
    }
}

/// Opens standard input.
#[cfg(not(unix))]
pub(super) fn stdin() -> io::Result<Input> {
    Ok(Input::Other(tokio::io::stdin()))
}

/// Opens standard output.
#[cfg(not(unix))]
pub(super) fn stdout() -> io::Result<Writer> {
    Ok(Writer::Other(tokio::io::stdout()))
}

impl Writer {
    /// Returns whether what was written needs a flush.
    pub(super) const fn is_buffered(&self) -> bool {
        matches!(self, Self::Other(_))
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buf),
            #[cfg(unix)]
            Self::Socket(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Other(other) => Pin::new(other).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(pipe) => Pin::new(pipe).poll_write(cx, buf),
            #[cfg(unix)]
            Self::Socket(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Other(other) => Pin::new(other).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Pipe(_) => Poll::Ready(Ok(())),
            #[cfg(unix)]
            Self::Socket(_) => Poll::Ready(Ok(())),
            Self::Other(other) => Pin::new(other).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
