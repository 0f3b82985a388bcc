//! As much of HTTP as Docker's API needs: one request a connection, over a socket or TCP.
//!
//! Nothing is waited for without an end, and nothing is read without a bound. Source: RFC 9112.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use super::Observer;
use coracle_core::fs::{self, Connection};

/// How long nobody asks whether to go on.
const MOMENT: Duration = Duration::from_millis(100);

/// Bytes of a status line with its headers, and of a line that gives a chunk's size.
const MAX_HEAD: u64 = 64 << 10;

/// Where a server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Endpoint {
    Socket(PathBuf),
    Tcp(String),
}


/// A connection that waits for its peer as long as its patience lasts and nobody asks to end.
struct Patient<'a> {
    stream: Box<dyn Connection>,
    observer: &'a Observer<'a>,
    moments: u128,
}

/// An answer: its status, and its body to be read.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: Body<'a>,
}

/// The body of an answer.
pub(super) struct Body<'a> {
    reader: BufReader<Patient<'a>>,
    rest: Rest,
}

/// What is still to come.
enum Rest {
    Bytes(u64),
    /// So many bytes of this chunk, and then others.
    Chunks(u64),
    UntilClosed,
}

/// What a request carries: how many bytes, and who writes them.
pub(super) type Writer<'w> = dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'w;

impl Endpoint {
    /// Connects, and no more.
    pub(super) fn connect(&self) -> io::Result<Box<dyn Connection>> {
        match self {
            Self::Socket(path) => fs::connect(path, MOMENT),
            Self::Tcp(address) => {
                let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
                        Ok(stream) => {
                            stream.set_read_timeout(Some(MOMENT))?;
                            stream.set_write_timeout(Some(MOMENT))?;
                            return Ok(Box::new(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

/// Sends a request over `stream` and reads the head of the answer. A server may answer before it has read all.
pub(super) fn ask<'a>(
    stream: Box<dyn Connection>,
    request: &str,
    content: Option<(u64, Box<Writer<'_>>)>,
    patience: Duration,
    observer: &'a Observer<'a>,
) -> io::Result<Answer<'a>> {
    let moments = patience.as_millis() / MOMENT.as_millis();
    let mut patient = Patient { stream, observer, moments: moments.max(1) };
    let size = content.as_ref().map_or(0, |(size, _)| *size);
    let kind = if content.is_some() { "Content-Type: application/x-tar\r\n" } else { "" };
    let head = format!(
        "{request} HTTP/1.1\r\nHost: docker\r\nUser-Agent: coracle\r\n{kind}Content-Length: {size}\r\nConnection: close\r\n\r\n"
    );
    let mut written = patient.write_all(head.as_bytes());
    if let (Ok(()), Some((_, write))) = (&written, content) {
        written = write(&mut patient);
    }
    match written {
        // What it has to say tells more than that it takes nothing any more.
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            answer(patient).map_err(|_| error)
        }
        written => written.and_then(|()| answer(patient)),
    }
}

fn answer(patient: Patient<'_>) -> io::Result<Answer<'_>> {
    let mut reader = BufReader::new(patient);
    loop {
        let mut head = (&mut reader).take(MAX_HEAD);
        let first = line(&mut head)?;
        let mut words = first.splitn(3, ' ');
        let (version, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let status = status.parse::<u16>().ok().filter(|_| version.starts_with("HTTP/1."));
        let status = status.ok_or_else(|| invalid("it speaks no HTTP"))?;
        let mut rest = Rest::UntilClosed;
        loop {
            let header = line(&mut head)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or_else(|| invalid("a header has no colon"))?;
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) if !matches!(rest, Rest::Chunks(_)) => {
                    rest = Rest::Bytes(value.parse().map_err(|_| invalid("its length is no number"))?);
                }
                ("transfer-encoding", value) if value.eq_ignore_ascii_case("chunked") => {
                    rest = Rest::Chunks(0);
                }
                ("transfer-encoding", _) => return Err(invalid("its encoding is unknown")),
                _ => {}
            }
        }
        // Of these, another follows.
        if !(100..200).contains(&status) {
            return Ok(Answer { status, body: Body { reader, rest } });
        }
    }
}

/// A line without its end.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(cut());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| invalid("its head is no text"))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

fn cut() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed in the middle")
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Rest::Chunks(0) = self.rest {
            self.rest = self.next_chunk()?;
        }
        let left = match self.rest {
            Rest::Bytes(left) | Rest::Chunks(left) => left,
            Rest::UntilClosed => return self.reader.read(buffer),
        };
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let read = (&mut self.reader).take(left).read(buffer)? as u64;
        if read == 0 {
            return Err(cut());
        }
        match &mut self.rest {
            Rest::Bytes(left) => *left -= read,
            Rest::Chunks(left) => {
                *left -= read;
                if *left == 0 {
                    line(&mut (&mut self.reader).take(2))?;
                }
            }
            Rest::UntilClosed => {}
        }
        Ok(usize::try_from(read).unwrap_or_default())
    }
}

impl Body<'_> {
    /// What follows the chunk that is done; trailers are left.
    fn next_chunk(&mut self) -> io::Result<Rest> {
        let head = line(&mut (&mut self.reader).take(MAX_HEAD))?;
        let size = head.split(';').next().unwrap_or_default().trim();
        match u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk has no size"))? {
            0 => Ok(Rest::Bytes(0)),
            size => Ok(Rest::Chunks(size)),
        }
    }
}

impl Patient<'_> {
    /// Tries until something happens.
    fn attempt(
        &mut self,
        mut act: impl FnMut(&mut dyn Connection) -> io::Result<usize>,
    ) -> io::Result<usize> {
        for _ in 0..self.moments {
            match act(&mut *self.stream) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if (self.observer)(0).is_break() {
                        return Err(io::Error::other("interrupted"));
                    }
                }
                done => return done,
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, "it was silent for too long"))
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.attempt(|stream| stream.read(buffer))
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.attempt(|stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
