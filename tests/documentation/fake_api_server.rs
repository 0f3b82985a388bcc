//! As much of an API server as kubectl needs for one pod and for objects that are applied: it
//! answers what is asked, takes what is sent and gives it back, changes nothing, and keeps what it
//! was told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

pub(crate) struct Cluster {
    /// Where it listens: `http://…`.
    pub(crate) address: String,
    requests: Arc<Mutex<String>>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&requests);
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that leaves is no matter of ours: its command is held to what it did.
                drop(stream.and_then(|stream| serve(stream, &kept)));
            }
        });
        Self { address, requests }
    }

    /// The requests since the last call: a line for each, with its body.
    pub(crate) fn asked(&self) -> String {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(stream: TcpStream, requests: &Mutex<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body)?;
    // kubectl sends some objects in a form of its own, which is no text.
    let body = String::from_utf8_lossy(&body);
    requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push_str(&format!("{} {body}\n", request.trim_end()));
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let answer = match request.starts_with("GET ") {
        true => answer(path),
        // There is nobody who could start a container.
        false if path.ends_with("/ephemeralcontainers") => None,
        false => serde_json::from_str(&body).ok(),
    };
    let (status, body) = match answer {
        Some(body) => ("200 OK", body),
        None => (
            "404 Not Found",
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404 }),
        ),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(format!("{head}{body}").as_bytes())
}

fn answer(path: &str) -> Option<Value> {
    let resource = |name: &str, kind: &str| json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["create", "get", "list", "patch"] });
    Some(match path.strip_prefix("/api/v1/namespaces/default/").unwrap_or(path) {
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [{
            "name": "apps",
            "versions": [{ "groupVersion": "apps/v1", "version": "v1" }],
            "preferredVersion": { "groupVersion": "apps/v1", "version": "v1" },
        }] }),
        "/apis/apps/v1" => json!({
            "kind": "APIResourceList",
            "groupVersion": "apps/v1",
            "resources": [resource("deployments", "Deployment")],
        }),
        "/api/v1" => json!({
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [
                resource("pods", "Pod"),
                resource("configmaps", "ConfigMap"),
                resource("secrets", "Secret"),
                resource("services", "Service"),
                resource("persistentvolumeclaims", "PersistentVolumeClaim"),
            ],
        }),
        "pods/POD" => json!({
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": { "name": "POD", "namespace": "default" },
            "spec": { "securityContext": {}, "containers": [{ "name": "CONTAINER", "image": "shop" }] },
        }),
        "configmaps" => json!({ "kind": "ConfigMapList", "apiVersion": "v1", "items": [] }),
        _ => return None,
    })
}
