//! Secrets are referred to; their values are printed on demand alone, and never needed otherwise.

use coracle_testing::kubernetes_tools;
use coracle_testing::listing;

use crate::manifests::config_map_contents::bytes_of;
use crate::manifests::project::Project;

#[test]
fn no_output_format_contains_a_secret() {
    let project = Project::of("Deployment");
    assert!(!project.printed([]).contains("s3cret"));
    assert!(!project.printed(["--set-file", "password=password"]).contains("czNjcmV0"));
    project.printed(["--set-file", "password=password", "--layout", "kustomize", "-o", "deploy"]);
    project.printed(["--set-file", "password=password", "--layout", "helm", "-o", "chart"]);
    for folder in ["deploy", "chart"] {
        let folder = project.path().join(folder);
        for path in listing(&folder).into_keys().filter(|path| folder.join(path).is_file()) {
            let bytes = std::fs::read(folder.join(&path)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            for word in ["s3cret", "czNjcmV0", "PASSWORD"] {
                assert!(!text.contains(word), "{}: {text}", path.display());
            }
        }
    }
}

#[test]
fn prints_secrets_on_request_with_hashed_names() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let project = Project::of("Deployment");
    let text = project.printed(["--with-secrets", "--set-file", "password=password"]);
    let objects = kubernetes_tools::documents(project.path(), &text);
    let secret = objects.iter().find(|object| object["kind"] == "Secret").unwrap();
    assert_eq!(bytes_of(secret), [("login.env".to_owned(), b"PASSWORD='s3cret'\n".to_vec())].into());
    let name = secret["metadata"]["name"].as_str().unwrap();
    assert_eq!((name.len(), &secret["immutable"] == true), ("shop-etc-shop-".len() + 10, true));
    assert_eq!(text.matches(name).count(), 2, "the pod refers to it");
}
