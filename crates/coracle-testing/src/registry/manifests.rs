//! Manifests, accepted only if all blobs and manifests that they reference exist.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{State, sha256};

impl State {
    pub fn manifest(&mut self, request: &Request, name: &str, what: &str, _: SocketAddr) -> Response {
        if request.method == "PUT" {
            return self.put(request, name, what);
        }
        assert!(request.header("accept").unwrap().contains("vnd.oci.image.index"), "it accepts everything");
        let digest = match self.tags.get(&(name.to_owned(), what.to_owned())) {
            Some(digest) => digest.clone(),
            None => what.to_owned(),
        };
        match self.manifests.get(&(name.to_owned(), digest.clone())) {
            None => Response::error(404, "MANIFEST_UNKNOWN"),
            Some((kind, bytes)) => {
                let response = Response::new(200)
                    .header("content-type", kind)
                    .header("docker-content-digest", &digest)
                    .body(bytes);
                if self.etags { response.header("etag", &format!("\"{digest}\"")) } else { response }
            }
        }
    }

    fn put(&mut self, request: &Request, name: &str, what: &str) -> Response {
        let digest = sha256(&request.body);
        if what.contains(':') && what != digest {
            return Response::error(400, "DIGEST_INVALID");
        }
        let Ok(document) = serde_json::from_slice::<Value>(&request.body) else {
            return Response::error(400, "MANIFEST_INVALID");
        };
        let there = |digest: &Value| {
            let key = (name.to_owned(), digest.as_str().unwrap().to_owned());
            self.blobs.contains_key(&key) || self.manifests.contains_key(&key)
        };
        let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
        let mut needed = [list("layers"), list("manifests")].concat();
        needed.extend(document.get("config").cloned());
        if !needed.iter().all(|descriptor| there(&descriptor["digest"])) {
            return Response::error(400, "MANIFEST_BLOB_UNKNOWN");
        }
        let current = self.tags.get(&(name.to_owned(), what.to_owned()));
        if let Some(wanted) = request.header("if-match").filter(|_| self.etags)
            && current.map(|digest| format!("\"{digest}\"")).as_deref() != Some(wanted)
        {
            return Response::error(412, "MANIFEST_INVALID");
        }
        let kind = request.header("content-type").unwrap().to_owned();
        self.manifests.insert((name.to_owned(), digest.clone()), (kind, request.body.clone()));
        if !what.contains(':') {
            self.tags.insert((name.to_owned(), what.to_owned()), digest.clone());
        }
        let response = Response::new(201).header("docker-content-digest", &digest);
        match document["subject"]["digest"].as_str().filter(|_| self.referrers && !self.no_subject_header) {
            Some(subject) => response.header("oci-subject", subject),
            None => response,
        }
    }

    pub fn list_referrers(
        &mut self,
        request: &Request,
        name: &str,
        subject: &str,
        _: SocketAddr,
    ) -> Response {
        if !self.referrers {
            return Response::new(404).header("content-type", "text/plain").body(b"404 page not found\n");
        }
        let mut found = Vec::new();
        for ((repository, digest), (kind, bytes)) in &self.manifests {
            let document: Value = serde_json::from_slice(bytes).unwrap();
            let artifact = match &document["artifactType"] {
                artifact if !artifact.is_null() && !self.config_as_artifact_type => artifact,
                _ => &document["config"]["mediaType"],
            };
            if repository == name && document["subject"]["digest"] == subject {
                found.push(json!({
                    "mediaType": kind, "digest": digest, "size": bytes.len(), "artifactType": artifact,
                    "annotations": document["annotations"],
                }));
            }
        }
        let start: usize = request.parameter("start").map_or(0, |start| start.parse().unwrap());
        let end = self.page_size.map_or(found.len(), |size| found.len().min(start + size));
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": found[start..end]});
        let response = Response::new(200).header("content-type", kind).body(index.to_string().as_bytes());
        if end == found.len() {
            return response;
        }
        let next = format!("</v2/{name}/referrers/{subject}?start={end}>; rel=\"next\"");
        response.header("link", &next)
    }
}
