//! The part of HTTP/1.1 that a registry needs.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::Fault;

#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The length of a body that is not sent, for HEAD.
    length: Option<usize>,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The first value of a parameter, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }

    pub fn parameters(&self, name: &str) -> Vec<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        pairs(query, name)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The values of `name` in a query or a form.
pub(super) fn pairs(text: &str, name: &str) -> Vec<String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).collect()
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).unwrap());
        out.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(out).unwrap()
}

/// The head of the next request; nothing when the other side has ended, or speaks no HTTP.
pub(super) fn head(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 || bytes.len() > 1 << 16 {
            return None;
        }
        bytes.push(byte[0]);
        if !bytes[0].is_ascii_uppercase() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return None;
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.trim_end().lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    assert!(!headers.contains_key("transfer-encoding"), "bodies say how long they are");
    let length = headers.contains_key("content-length");
    assert!(
        length || ["GET", "HEAD", "DELETE", "CONNECT"].contains(&method.as_str()),
        "411: {method} {target}"
    );
    Some(Request { method, target, headers, body: Vec::new() })
}

/// Returns the body, or its first `keep` bytes, and their number; `None` if the connection is closed
/// before.
pub(super) fn body(
    stream: &mut TcpStream,
    request: &Request,
    keep: usize,
    discard: bool,
) -> Option<(Vec<u8>, usize)> {
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let (mut bytes, mut block, mut size) = (Vec::new(), vec![0; 1 << 16], 0);
    while size < length.min(keep) {
        let most = block.len().min(length.min(keep) - size);
        let read = stream.read(&mut block[..most]).ok().filter(|read| *read > 0)?;
        if !discard {
            bytes.extend(&block[..read]);
        }
        size += read;
    }
    Some((bytes, size))
}

impl Response {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), length: None }
    }

    /// As registries say no.
    pub fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"the fake says no"}}]}}"#);
        Self::new(status).header("content-type", "application/json").body(body.as_bytes())
    }

    pub fn is_not_found(&self) -> bool {
        self.status == 404
    }

    /// Replaces the status of a response that is a success.
    pub fn replace_success(&mut self, status: u16) {
        if matches!(self.status, 200..=299) {
            self.status = status;
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Sends it; nothing when the connection ended, or is to.
    pub fn send(mut self, stream: &mut TcpStream, request: &Request, fault: Option<&Fault>) -> Option<()> {
        let mut ends = None;
        match fault {
            Some(Fault::TruncateResponse(bytes)) => {
                self.length = Some(self.body.len());
                ends = Some(*bytes);
            }
            Some(Fault::ResizeResponse(size)) => self.body.resize(*size, b'!'),
            Some(Fault::AlterResponse) => *self.body.last_mut().unwrap() ^= 1,
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} So\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.length.unwrap_or(self.body.len());
        head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
        stream.write_all(head.as_bytes()).ok()?;
        if let Some(Fault::Trickle(pause)) = fault {
            for byte in &self.body {
                std::thread::sleep(*pause);
                stream.write_all(&[*byte]).ok()?;
            }
            return Some(());
        }
        if request.method != "HEAD" {
            stream.write_all(&self.body[..ends.unwrap_or(self.body.len()).min(self.body.len())]).ok()?;
        }
        ends.is_none().then_some(())
    }
}
