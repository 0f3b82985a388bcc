//! Layers of other machines, in a repository.

use std::fs;
use std::path::Path;

use super::fake::{FakeRegistry, Fault};
use super::push_and_copy::{folder, run};

fn builds(folder: &Path, args: &[&str]) -> (String, String) {
    let args = [&["build", "./app", "--no-cache"], args].concat();
    let (code, stdout, said) = run(folder, &args);
    assert_eq!(code, Some(0), "{said}");
    let digest = stdout.trim().rsplit_once('@').map_or(stdout.trim(), |(_, digest)| digest).to_owned();
    (digest, said)
}

fn count(asked: &[String], start: &str, part: &str) -> usize {
    asked.iter().filter(|request| request.starts_with(start) && request.contains(part)).count()
}

#[test]
fn reuses_layers_of_other_machines() {
    let (fake, one, other) = (FakeRegistry::start(), folder(), folder());
    let cache = format!("{}/cache", fake.address);
    let shop = |tag: &str| format!("docker://{}/shop:{tag}", fake.address);
    let (digest, said) =
        builds(one.path(), &["--cache-from", &cache, "--cache-to", &cache, "-o", &shop("1")]);
    assert!(!said.contains("warning"), "{said}");
    let asked = fake.take_requests();
    assert_eq!(count(&asked, "PUT", "/v2/cache/manifests/layer-v1-"), 2, "{asked:?}");
    assert!(count(&asked, "POST", "/v2/cache/blobs/uploads/?mount=") >= 2, "from the image: {asked:?}");

    // Another machine: fetched, unpacked, and mounted rather than sent.
    let (again, said) =
        builds(other.path(), &["--cache-from", &cache, "-o", &format!("docker://{}/other:1", fake.address)]);
    assert_eq!(again, digest);
    assert!(said.contains("sent 1 blob, ") && said.contains("2 mounted from another repository"), "{said}");
    let asked = fake.take_requests();
    assert_eq!(count(&asked, "GET", "/v2/cache/blobs/"), 2, "{asked:?}");
    assert_eq!(count(&asked, "PUT", "/v2/cache/"), 0, "it may read alone");

    // Who trusts it does not even fetch.
    let third = format!("docker://{}/third:1", fake.address);
    let (again, _) = builds(other.path(), &["--cache-from", &cache, "--trust-cache", "-o", &third]);
    assert_eq!(again, digest);
    let asked = fake.take_requests();
    assert_eq!(count(&asked, "GET", "/v2/cache/blobs/"), 0, "{asked:?}");
    assert_eq!(count(&asked, "PUT", "/v2/third/blobs/"), 1, "the config");

    // Into a layout it has to come.
    let (again, _) = builds(other.path(), &["--cache-from", &cache, "--trust-cache", "-o", "oci:out"]);
    assert_eq!(again, digest);
    assert!(coracle_oci::layout::verify_layout(&other.path().join("out")).unwrap().is_empty());

    // Another program: its own layer alone is packed, and kept beside the first.
    let mut bytes = fs::read(other.path().join("app")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(other.path().join("app"), bytes).unwrap();
    fake.take_requests();
    let (changed, _) =
        builds(other.path(), &["--cache-from", &cache, "--cache-to", &cache, "-o", &shop("2")]);
    assert_ne!(changed, digest);
    assert_eq!(count(&fake.take_requests(), "PUT", "/v2/cache/manifests/layer-v1-"), 1);
    let (again, _) = builds(one.path(), &["--cache-from", &cache, "--cache-to", &cache, "-o", &shop("3")]);
    assert_eq!(again, digest, "of one shape, both are there");
    assert_eq!(count(&fake.take_requests(), "PUT", "/v2/cache/manifests/"), 0);
}

/// A layer under the name of another, and caches that fail: the image is what it is without.
#[test]
fn verifies_cached_layers() {
    let (fake, one) = (FakeRegistry::start(), folder());
    let cache = format!("{}/cache", fake.address);
    let (digest, _) = builds(one.path(), &["--cache-to", &cache, "-o", "oci:out"]);
    let forged = fake.forge_layers("cache");
    assert!(forged > 0);
    let (again, said) = builds(one.path(), &["--cache-from", &cache, "-o", "oci:again"]);
    assert_eq!(again, digest);
    assert!(
        said.contains("warning: the remote cache `") && said.contains("does not have the expected contents"),
        "{said}"
    );
    for (verb, part) in
        [("GET", "/v2/cache/manifests/"), ("GET", "/v2/cache/blobs/"), ("PUT", "/v2/cache/manifests/")]
    {
        fake.inject_fault(100, verb, part, Fault::Respond(403, vec![], ""));
        let (again, said) =
            builds(one.path(), &["--cache-from", &cache, "--cache-to", &cache, "-o", "oci:again"]);
        assert_eq!(again, digest);
        assert!(said.contains("was not used: "), "{said}");
    }
}

#[test]
fn reports_invalid_caches() {
    let folder = folder();
    for (args, words) in [
        (["--cache-from", "ghcr.io/acme/cache:1"], "includes a tag, but the cache uses a whole repository"),
        (["--cache-to", "Not A Name"], "the value of `--cache-to` is invalid: "),
        (["--trust-cache", "-q"], "--cache-from"),
    ] {
        let (code, _, said) = run(folder.path(), &[&["build", "./app"], args.as_slice()].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
