//! A Docker that fails in every way: what is said is short and clear, and nobody waits without an
//! end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use coracle_core::fs::Durability;
use coracle_core::progress::Progress;
use coracle_oci::copy::{self, CopySettings, ImageLocation};
use coracle_oci::engine::EngineSettings;
use coracle_oci::registry::{self, RegistryClient};

use crate::registry::push_and_copy::{folder, run};

/// The responses of the fake: to the request that loads, and to all queries.
type Script = fn(&str, &mut TcpStream);

struct AlwaysCancelled;

impl Progress for AlwaysCancelled {
    fn is_cancelled(&self) -> bool {
        true
    }
}

fn say(stream: &mut TcpStream, status: &str, body: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

/// Serves one connection after the other until nobody asks any more.
fn serve(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut request = String::new();
                let _ = reader.read_line(&mut request);
                let (mut header, mut length) = (String::new(), 0);
                while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
                    if let Some(value) = header.strip_prefix("Content-Length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    header.clear();
                }
                let _ = std::io::copy(&mut reader.take(length), &mut std::io::sink());
                script(&request, &mut stream);
            });
        }
    });
    address
}

fn usual(request: &str, stream: &mut TcpStream, load: impl Fn(&mut TcpStream)) {
    match request {
        text if text.starts_with("GET /version") => {
            say(stream, "200 OK", r#"{"Os":"linux","Arch":"amd64"}"#);
        }
        text if text.starts_with("POST /images/load") => load(stream),
        _ => say(stream, "404 Not Found", r#"{"message":"No such image"}"#),
    }
}

#[test]
fn reports_errors_of_docker() {
    let folder = folder();
    let (code, _, said) = run(folder.path(), &["build", "./app", "-q", "-o=oci:app.oci"]);
    assert_eq!(code, Some(0), "{said}");
    let from: ImageLocation = format!("oci:{}", folder.path().join("app.oci").display()).parse().unwrap();
    let to: ImageLocation = "docker-daemon:app:1".parse().unwrap();
    let client = RegistryClient::new(registry::RegistrySettings::default()).unwrap();
    let scripts: [(Script, &str); 12] = [
        (
            |_, stream| say(stream, "500 Oops", r#"{"message":"no\u001b[2Jspace"}"#),
            "failed to report its version",
        ),
        (|_, stream| say(stream, "200 OK", "[]"), "it does not contain a platform"),
        (|_, stream| say(stream, "200 OK", "<html>"), "it is not JSON"),
        (|_, stream| drop(stream.write_all(b"SSH-2.0-x\r\n")), "it is not HTTP"),
        (
            |_, stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")),
            "no response from Docker",
        ),
        (|_, _| std::thread::sleep(Duration::from_secs(5)), "no response from Docker"),
        (|_, stream| while stream.write_all(&[b'x'; 4096]).is_ok() {}, "no response from Docker"),
        (
            |request, stream| {
                usual(request, stream, |stream| say(stream, "500 Oops", r#"{"message":"disk full"}"#));
            },
            "failed to load an image: disk full",
        ),
        (
            |request, stream| {
                usual(request, stream, |stream| {
                    say(stream, "200 OK", "{\"stream\":\"x\"}\n{\"error\":\"bad tar\"}\n");
                });
            },
            "failed to load an image: bad tar",
        ),
        (
            |request, stream| {
                usual(request, stream, |stream| {
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                    while stream.write_all(&b"{\"stream\":\"x\"}\n".repeat(1000)).is_ok() {}
                });
            },
            "more than 8388608 bytes of progress messages",
        ),
        (
            |request, stream| {
                usual(request, stream, |stream| {
                    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
                    drop(stream.write_all(head.as_bytes()));
                });
            },
            "no response from Docker to the request to load an image",
        ),
        (
            |request, stream| {
                usual(request, stream, |stream| {
                    let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n";
                    drop(stream.write_all(head.as_bytes()));
                });
            },
            "the engine loaded the image, but does not have it",
        ),
    ];
    for (number, (script, part)) in scripts.into_iter().enumerate() {
        let engines = EngineSettings {
            docker_endpoints: vec![serve(script)],
            timeout: Duration::from_millis(300),
            ..EngineSettings::default()
        };
        let ways = CopySettings {
            client: &client,
            engines: &engines,
            durability: Durability::Unsynced,
            with_referrers: false,
        };
        let error = copy::copy_image(&from, &to, ways, &()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(part), "{number}: {said}");
        assert!(!said.contains('\u{1b}') && said.len() < 2000, "{number}: {said}");
        assert!(!error.is_network(), "{number}");
    }
    // Cancelled while the engine does not respond.
    let engines = EngineSettings {
        docker_endpoints: vec![serve(|_, _| std::thread::sleep(Duration::from_secs(60)))],
        ..EngineSettings::default()
    };
    let ways = CopySettings {
        client: &client,
        engines: &engines,
        durability: Durability::Unsynced,
        with_referrers: false,
    };
    let error = copy::copy_image(&from, &to, ways, &AlwaysCancelled).unwrap_err();
    assert!(matches!(error, copy::CopyError::Cancelled), "{error}");
}
