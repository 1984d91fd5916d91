//! Lines of bounded length, read as bytes: for transports over standard input and output.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The maximum length of a message, in bytes.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// A line that was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line, without its line break.
    Whole(Vec<u8>),
    /// A line that is too long.
    TooLong {
        /// Its first bytes, 256 at most.
        start: Vec<u8>,
        /// Its last bytes, 256 at most.
        end: Vec<u8>,
        /// How many bytes it has.
        bytes: usize,
    },
}

/// The number of bytes that are kept of the start and of the end of a line that is too long.
const KEPT: usize = 256;

/// Reads one line of at most `limit` bytes. A longer one is read to its end and not kept. Returns `None` at the end of the
/// input; a last line without a line break counts. Dropping the future loses what was read of the line.
///
/// # Errors
/// The errors of the reader.
pub async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R, limit: usize) -> io::Result<Option<Line>> {
    let (mut line, mut last) = (Vec::new(), Vec::new());
    let mut bytes = 0_usize;
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok((bytes > 0).then(|| ended(line, last, bytes, limit)));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        bytes += part.len();
        if bytes <= limit {
            line.extend_from_slice(part);
        } else {
            if last.is_empty() {
                last.extend_from_slice(&line[line.len().saturating_sub(KEPT)..]);
            }
            // Frees what is not kept.
            if line.len() < KEPT {
                line.extend(part.iter().take(KEPT - line.len()));
            }
            line.truncate(KEPT);
            line.shrink_to_fit();
            last.extend_from_slice(&part[part.len().saturating_sub(KEPT)..]);
            last.drain(..last.len().saturating_sub(KEPT));
        }
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(ended(line, last, bytes, limit)));
        }
    }
}

fn ended(mut line: Vec<u8>, end: Vec<u8>, bytes: usize, limit: usize) -> Line {
    if bytes > limit {
        return Line::TooLong { start: line, end, bytes };
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Line::Whole(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &[u8], limit: usize) -> Vec<Line> {
        let mut reader = tokio::io::BufReader::with_capacity(3, text);
        let mut read = Vec::new();
        while let Some(line) = read_line(&mut reader, limit).await.unwrap() {
            read.push(line);
        }
        read
    }

    #[tokio::test]
    async fn lines_end_at_line_breaks_and_at_the_end_of_the_input() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(lines(b"one\r\n\ntwo\xff\nlast", 10).await[..2], [whole("one"), whole("")]);
        assert_eq!(lines(b"one\ntwo\xff\nlast", 10).await[1..], [Line::Whole(b"two\xff".into()), whole("last")]);
        assert_eq!(lines(b"", 10).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
        let text = [&[b'x'; 1_000][..], b"\nshort\n"].concat();
        let read = lines(&text, 999).await;
        assert_eq!(
            read,
            [
                Line::TooLong { start: vec![b'x'; KEPT], end: vec![b'x'; KEPT], bytes: 1_000 },
                Line::Whole(b"short".into())
            ]
        );
    }
}
