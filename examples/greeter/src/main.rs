//! A small HTTP server that greets. It reads `/etc/greeter/greeter.toml` (or the file named as its argument) and takes
//! up changes of it while it runs: the program to try Coracle with.
//!
//! ```toml
//! listen = "0.0.0.0:8080"
//! greeting = "Hello"
//! ```

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a server speaks to whoever runs it")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

const CONFIG: &str = "/etc/greeter/greeter.toml";

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    listen: String,
    greeting: String,
}

impl Config {
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text =
            std::fs::read_to_string(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        toml::from_str(&text).map_err(|e| format!("cannot use `{}`:\n{e}", path.display()).into())
    }
}

/// The configuration as it was last readable: a file that breaks while the server runs does not stop it.
struct Live {
    path: PathBuf,
    last: Mutex<Config>,
}

impl Live {
    /// Reads the file anew. A ConfigMap's files are links that are replaced as a whole, so opening the path is all it
    /// takes to see a change.
    fn current(&self) -> Config {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match Config::read(&self.path) {
            Ok(config) => *last = config,
            Err(error) => eprintln!("greeter: keeps its configuration: {error}"),
        }
        last.clone()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| CONFIG.into(), PathBuf::from);
    let config = Config::read(&path)?;
    let listener =
        TcpListener::bind(&config.listen).map_err(|e| format!("cannot listen on {}: {e}", config.listen))?;
    stop_when_asked()?;
    println!("greeter listens on {}", listener.local_addr()?);

    let live = Arc::new(Live { path, last: Mutex::new(config) });
    for stream in listener.incoming() {
        let (live, stream) = (live.clone(), stream?);
        std::thread::spawn(move || {
            if let Err(error) = answer(stream, &live) {
                eprintln!("greeter: {error}");
            }
        });
    }
    Ok(())
}

/// Process 1 of a container ignores SIGTERM unless it says otherwise.
#[cfg(unix)]
fn stop_when_asked() -> Result<(), Box<dyn Error>> {
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            std::process::exit(0);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn stop_when_asked() -> Result<(), Box<dyn Error>> {
    Ok(())
}

/// Greets whom the path names: `/ada` → `Hello, ada!`.
fn answer(mut stream: TcpStream, live: &Live) -> Result<(), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = String::new();
    BufReader::new(&stream).read_line(&mut request)?;
    let path = request.split(' ').nth(1).unwrap_or("/");
    let body = match path.trim_start_matches('/') {
        "health" => "ok\n".to_owned(),
        "" => format!("{}!\n", live.current().greeting),
        name => format!("{}, {name}!\n", live.current().greeting),
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}
