//! A minimal HTTP client for the Docker API: one request per connection, over a Unix socket or TCP.
//!
//! All waits have a timeout and all reads a limit. Source: RFC 9112. Not a transport of `ureq`: that
//! sends the whole body before it reads the response, and cannot borrow the caller's [`Progress`].

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use coracle_core::fs::{self, SocketConnection};
use coracle_core::progress::{Cancelled, Progress};

/// The interval at which cancellation is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum size of the status line with all headers, and of the line with the size of a chunk.
const MAX_HEAD_BYTES: u64 = 64 << 10;

/// The address of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Endpoint {
    /// The path of a Unix socket.
    Socket(PathBuf),
    /// `HOST:PORT`.
    Tcp(String),
}

/// A connection with a timeout that polls for cancellation.
struct PollingStream<'a> {
    stream: Box<dyn SocketConnection>,
    progress: &'a dyn Progress,
    /// The timeout in poll intervals.
    max_polls: u128,
}

/// A response whose body has not been read yet.
pub(super) struct HttpResponse<'a> {
    pub(super) status: u16,
    pub(super) body: HttpResponseBody<'a>,
}

/// The body of a response.
pub(super) struct HttpResponseBody<'a> {
    reader: BufReader<PollingStream<'a>>,
    framing: BodyFraming,
}

/// How the end of a body is found. Source: RFC 9112, 6.3.
enum BodyFraming {
    /// After this number of bytes.
    Bytes(u64),
    /// Chunked; this number of bytes is left of the current chunk.
    Chunks(u64),
    /// When the connection is closed.
    UntilClosed,
}

/// A function that writes the body of a request.
pub(super) type WriteBody<'w> = dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'w;

impl Endpoint {
    /// Connects without sending anything.
    pub(super) fn connect(&self) -> io::Result<Box<dyn SocketConnection>> {
        match self {
            Self::Socket(path) => fs::connect_unix_socket(path, POLL_INTERVAL),
            Self::Tcp(address) => {
                let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
                        Ok(stream) => {
                            stream.set_read_timeout(Some(POLL_INTERVAL))?;
                            stream.set_write_timeout(Some(POLL_INTERVAL))?;
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

/// Sends a request over `stream` and reads the head of the response. `content` is the size of the
/// body and its writer. The server may respond before it has read the whole body.
pub(super) fn send_request<'a>(
    stream: Box<dyn SocketConnection>,
    request: &str,
    content: Option<(u64, Box<WriteBody<'_>>)>,
    timeout: Duration,
    progress: &'a dyn Progress,
) -> io::Result<HttpResponse<'a>> {
    let max_polls = timeout.as_millis() / POLL_INTERVAL.as_millis();
    let mut stream = PollingStream { stream, progress, max_polls: max_polls.max(1) };
    let size = content.as_ref().map_or(0, |(size, _)| *size);
    let content_type = if content.is_some() { "Content-Type: application/x-tar\r\n" } else { "" };
    let head = format!(
        "{request} HTTP/1.1\r\nHost: docker\r\nUser-Agent: coracle\r\n{content_type}Content-Length: {size}\r\nConnection: close\r\n\r\n"
    );
    let mut written = stream.write_all(head.as_bytes());
    if let (Ok(()), Some((_, write))) = (&written, content) {
        written = write(&mut stream);
    }
    match written {
        // The response explains more than the write error.
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            read_response(stream).map_err(|_| error)
        }
        written => written.and_then(|()| read_response(stream)),
    }
}

/// Reads the head of a response.
fn read_response(stream: PollingStream<'_>) -> io::Result<HttpResponse<'_>> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = (&mut reader).take(MAX_HEAD_BYTES);
        let first = read_line(&mut head)?;
        let mut parts = first.splitn(3, ' ');
        let (version, status) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let status = status.parse::<u16>().ok().filter(|_| version.starts_with("HTTP/1."));
        let status = status.ok_or_else(|| invalid_data("it is not HTTP"))?;
        let mut framing = BodyFraming::UntilClosed;
        loop {
            let header = read_line(&mut head)?;
            if header.is_empty() {
                break;
            }
            let (name, value) =
                header.split_once(':').ok_or_else(|| invalid_data("a header has no colon"))?;
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) if !matches!(framing, BodyFraming::Chunks(_)) => {
                    framing = BodyFraming::Bytes(
                        value.parse().map_err(|_| invalid_data("its Content-Length is not a number"))?,
                    );
                }
                ("transfer-encoding", value) if value.eq_ignore_ascii_case("chunked") => {
                    framing = BodyFraming::Chunks(0);
                }
                ("transfer-encoding", _) => {
                    return Err(invalid_data("its Transfer-Encoding is not supported"));
                }
                _ => {}
            }
        }
        // After an informational response, the final one follows.
        if !(100..200).contains(&status) {
            return Ok(HttpResponse { status, body: HttpResponseBody { reader, framing } });
        }
    }
}

/// Reads a line, without its end.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(closed_early());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| invalid_data("its headers are not UTF-8"))
}

fn invalid_data(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

fn closed_early() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed too early")
}

impl Read for HttpResponseBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let BodyFraming::Chunks(0) = self.framing {
            self.framing = self.next_chunk()?;
        }
        let left = match self.framing {
            BodyFraming::Bytes(left) | BodyFraming::Chunks(left) => left,
            BodyFraming::UntilClosed => return self.reader.read(buffer),
        };
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let read = (&mut self.reader).take(left).read(buffer)? as u64;
        if read == 0 {
            return Err(closed_early());
        }
        match &mut self.framing {
            BodyFraming::Bytes(left) => *left -= read,
            BodyFraming::Chunks(left) => {
                *left -= read;
                if *left == 0 {
                    read_line(&mut (&mut self.reader).take(2))?;
                }
            }
            BodyFraming::UntilClosed => {}
        }
        Ok(usize::try_from(read).unwrap_or_default())
    }
}

impl HttpResponseBody<'_> {
    /// Reads the size of the next chunk. Trailers are ignored.
    fn next_chunk(&mut self) -> io::Result<BodyFraming> {
        let head = read_line(&mut (&mut self.reader).take(MAX_HEAD_BYTES))?;
        let size = head.split(';').next().unwrap_or_default().trim();
        match u64::from_str_radix(size, 16).map_err(|_| invalid_data("a chunk has no valid size"))? {
            0 => Ok(BodyFraming::Bytes(0)),
            size => Ok(BodyFraming::Chunks(size)),
        }
    }
}

impl PollingStream<'_> {
    /// Retries on `WouldBlock` or `TimedOut` until success, another error, cancellation or the
    /// timeout.
    fn retry_until_timeout(
        &mut self,
        mut read_or_write: impl FnMut(&mut dyn SocketConnection) -> io::Result<usize>,
    ) -> io::Result<usize> {
        for _ in 0..self.max_polls {
            match read_or_write(&mut *self.stream) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.progress.is_cancelled() {
                        return Err(Cancelled.into());
                    }
                }
                done => return done,
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, "it did not respond in time"))
    }
}

impl Read for PollingStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry_until_timeout(|stream| stream.read(buffer))
    }
}

impl Write for PollingStream<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.retry_until_timeout(|stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
