//! The body of an answer, which ends well only where its framing says so.

use super::connection::Connection;
use super::control::Control;
use super::failure::{Code, Failure, Result};
use super::head::Framing;
use super::limits::Limits;
use crate::chunked::{Chunked, Found};

/// Bytes received at once under chunked coding, where the pieces have to be cut out.
const PIECE: usize = 256 << 10;

/// Bytes that come in order and have a proven end.
pub(crate) trait Stream {
    /// Reads some bytes. @returns 0 only when the whole stream has been read
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// Reads until the buffer is full or the stream has been read. @returns bytes read
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}

enum Left {
    Bytes(u64),
    Chunks(Box<Chunked>),
}

/// The body that follows a head on a connection.
pub(crate) struct Body<'a> {
    connection: Connection<'a>,
    control: &'a Control,
    limits: &'a Limits,
    /// Received and not yet given on, from `at`.
    held: Vec<u8>,
    at: usize,
    left: Left,
}

impl<'a> Body<'a> {
    /// @param first bytes that came with the head
    pub(crate) fn new(
        connection: Connection<'a>,
        (control, limits): (&'a Control, &'a Limits),
        framing: Framing,
        first: Vec<u8>,
    ) -> Result<Self> {
        let left = match framing {
            Framing::Length(bytes) => Left::Bytes(bytes),
            Framing::Chunked => Left::Chunks(Box::new(Chunked::new())),
            Framing::Close => {
                let why = "the answer has neither a length nor chunks, so nothing would show that it was cut";
                return Err(incomplete(connection.peer(), why));
            }
        };
        Ok(Self {
            connection,
            control,
            limits,
            held: first,
            at: 0,
            left,
        })
    }

    fn read_counted(&mut self, buffer: &mut [u8], left: u64) -> Result<usize> {
        let wanted = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let here = wanted.min(self.held.len() - self.at);
        let read = if here > 0 {
            buffer[..here].copy_from_slice(&self.held[self.at..][..here]);
            self.at += here;
            here
        } else if wanted > 0 {
            self.connection.receive(&mut buffer[..wanted], wanted)?
        } else {
            return Ok(0);
        };
        if read == 0 {
            let why = format!("the connection was closed {left} bytes before the end");
            return Err(incomplete(self.connection.peer(), &why));
        }
        self.left = Left::Bytes(left - read as u64);
        Ok(read)
    }

    fn read_chunked(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let Left::Chunks(chunks) = &mut self.left else {
                unreachable!("called for chunks only")
            };
            // Never more than the buffer takes: what was found is copied at once.
            let end = self.held.len().min(self.at + buffer.len());
            match chunks.next(&self.held[..end], &mut self.at) {
                Ok(Found::Data(range)) => {
                    let length = range.len();
                    buffer[..length].copy_from_slice(&self.held[range]);
                    return Ok(length);
                }
                // Lotus and Sealyard send none: whoever does reports that something went wrong.
                Ok(Found::End) if chunks.has_trailers() => {
                    let why =
                        "fields stand behind the last chunk, as when a server reports an error";
                    return Err(incomplete(self.connection.peer(), why));
                }
                Ok(Found::End) => return Ok(0),
                Ok(Found::More) if self.at < self.held.len() => {}
                Ok(Found::More) => self.receive_more()?,
                Err(_) => {
                    return Err(incomplete(
                        self.connection.peer(),
                        "the chunks of the answer are malformed",
                    ));
                }
            }
        }
    }

    fn receive_more(&mut self) -> Result<()> {
        self.held.resize(PIECE, 0);
        self.at = 0;
        let read = self.connection.receive(&mut self.held, 1)?;
        self.held.truncate(read);
        if read == 0 {
            return Err(incomplete(
                self.connection.peer(),
                "the connection was closed before the last chunk",
            ));
        }
        Ok(())
    }
}

impl Stream for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.control.pass()?;
        let most = buffer.len().min(self.limits.grain());
        let read = match self.left {
            Left::Bytes(left) => self.read_counted(&mut buffer[..most], left)?,
            Left::Chunks(_) => self.read_chunked(&mut buffer[..most])?,
        };
        self.control.add(read);
        self.limits
            .charge(self.connection.peer(), read, self.control)?;
        Ok(read)
    }
}

fn incomplete(peer: &str, why: &str) -> Failure {
    Failure::new(Code::Incomplete, format!("{peer}: {why}"))
}
