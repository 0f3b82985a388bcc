//! `coracle index`: what separate jobs pushed gets one name.

use std::fs;
use std::path::Path;

use coracle_core::digest::Digest;
use coracle_oci::registry::{ManifestReference, RepositoryClient};
use serde_json::{Value, json};

use super::docker_registry;
use super::fake::{FakeRegistry, FakeRepositories as _};
use super::push_and_copy::{folder, run};
use super::test_image::{Image, MANIFEST, image_of};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An image for this platform, its layers unlike those of others.
fn image_for(platform: &Value, size: usize) -> Image {
    image_of(platform, MANIFEST, &[size, 7])
}

fn amd64() -> Image {
    image_for(&json!({"os": "linux", "architecture": "amd64"}), 3)
}

fn arm64() -> Image {
    image_for(&json!({"os": "linux", "architecture": "arm64", "variant": "v8"}), 5)
}

/// The index of a tag, and its digest.
fn index(remote: &RepositoryClient, tag: &str) -> (Value, Digest) {
    let manifest = remote.pull_manifest(ManifestReference::Tag(tag)).unwrap().unwrap();
    assert_eq!(manifest.media_type, INDEX);
    (serde_json::from_slice(&manifest.bytes).unwrap(), manifest.digest)
}

/// Runs `coracle index`; every `@` is the registry's address.
#[track_caller]
fn join(fake: &FakeRegistry, at: &Path, args: &[&str]) -> (String, String) {
    let host = format!("docker://{}/", fake.address);
    let args: Vec<String> = args.iter().map(|arg| arg.replace('@', &host)).collect();
    let args: Vec<&str> = ["index"].into_iter().chain(args.iter().map(String::as_str)).collect();
    let (code, stdout, said) = run(at, &args);
    assert_eq!(code, Some(0), "{said}");
    (stdout, said)
}

#[test]
fn joins_images_of_one_repository_without_transfers() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, shop, (one, two)) = (folder.path(), fake.shop(), (amd64(), arm64()));
    one.push(&shop, "1-amd64").unwrap();
    two.push(&shop, "1-arm64").unwrap();
    fake.take_requests();
    let (stdout, said) = join(&fake, at, &["@shop:1", "@shop:1-arm64", "@shop:1-amd64"]);
    let asked = fake.take_requests();
    let (reads, writes) = asked.split_at(4);
    assert!(reads.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
    assert_eq!(writes, ["HEAD /v2/shop/manifests/1", "PUT /v2/shop/manifests/1"]);
    let (document, digest) = index(&shop, "1");
    assert_eq!(stdout, format!("{}/shop:1@{digest}\n", fake.address));
    assert!(said.contains(&format!("linux/arm64/v8    {}", two.digest())), "{said}");
    let entry = |image: &Image, platform: Value| {
        json!({
            "mediaType": MANIFEST, "digest": image.digest().to_string(), "size": image.manifest.len(), "platform": platform,
        })
    };
    let expected = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        entry(&one, json!({"os": "linux", "architecture": "amd64"})),
        entry(&two, json!({"os": "linux", "architecture": "arm64", "variant": "v8"})),
    ]});
    assert_eq!(document, expected);

    // The other way round, by digest, and with an image named twice: the same bytes, and nothing is written.
    fake.take_requests();
    let by_digest = format!("docker://{}/shop@{}", fake.address, one.digest());
    let host = format!("docker://{}/shop", fake.address);
    let (code, again, said) = run(
        at,
        &["index", &format!("{host}:1"), &by_digest, &format!("{host}:1-arm64"), &format!("{host}:1-amd64")],
    );
    assert_eq!((code, again), (Some(0), stdout), "{said}");
    assert!(said.contains(": unchanged\n"), "{said}");
    let asked = fake.take_requests();
    let others: Vec<&String> = asked.iter().filter(|request| !request.starts_with("GET ")).collect();
    assert_eq!(others, ["HEAD /v2/shop/manifests/1"]);

    // An index is joined with what it has, and says what is said of it.
    let three = image_for(&json!({"os": "linux", "architecture": "s390x"}), 9);
    three.push(&shop, "1-s390x").unwrap();
    join(&fake, at, &["@shop:2", "@shop:1", "@shop:1-s390x", "--annotation", "a=b=c", "-q"]);
    let (document, _) = index(&shop, "2");
    assert_eq!(document["annotations"], json!({"a": "b=c"}));
    assert_eq!(document["manifests"].as_array().unwrap().len(), 3);
}

#[test]
fn mounts_or_copies_images_of_other_repositories() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let other = coracle_oci::registry::RegistryClient::new(super::fake::settings())
        .unwrap()
        .repository_client(&fake.repository("other"), &coracle_oci::registry::Access::push());
    let (one, two) = (amd64(), arm64());
    one.push(&other, "amd64").unwrap();
    two.push(&other, "arm64").unwrap();
    join(&fake, at, &["oci:two.oci", "@other:arm64"]);
    let blobs = |layout: &str| fs::read_dir(at.join(layout).join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs("two.oci"), 5, "the index, one manifest, its config, two layers");
    fake.take_requests();
    let (stdout, said) = join(&fake, at, &["@shop:1", "oci:two.oci", "@other:amd64"]);
    assert!(said.contains("sent 2 blobs") && said.contains("mounted from another repository"), "{said}");
    let asked = fake.take_requests();
    assert_eq!(asked.last().unwrap(), "PUT /v2/shop/manifests/1", "the name comes last: {asked:?}");
    // Into a layout, whose index is the same.
    let (local, _) = join(&fake, at, &["oci:all.oci:1", "@shop:1", "-q"]);
    assert_eq!(stdout.trim().split_once('@').unwrap().1, local.trim());
    assert_eq!(blobs("all.oci"), 8, "one layer is in both");
    let layout: Value = serde_json::from_slice(&fs::read(at.join("all.oci/index.json")).unwrap()).unwrap();
    assert_eq!(layout["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "1");
    let (shown, _) = join(&fake, at, &["@shop:1", "oci:all.oci:1", "--format=json", "-q"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["sent"]["unchanged"], &shown["digest"]), (&json!(true), &json!(local.trim())));
    assert_eq!(shown["images"][1]["platform"], "linux/arm64/v8");
}

/// Docker's manifests stay what they are, versions of Windows are told apart, attestations are about another index.
#[test]
fn joins_images_of_other_tools() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, shop) = (folder.path(), fake.shop());
    let windows = |version: &str| json!({"os": "windows", "architecture": "amd64", "os.version": version});
    let docker = image_of(&json!({"os": "linux", "architecture": "amd64"}), DOCKER, &[4]);
    docker.push(&shop, "docker").unwrap();
    for (tag, version) in [("2022", "10.0.20348"), ("2019", "10.0.17763")] {
        image_for(&windows(version), 3).push(&shop, tag).unwrap();
    }
    let attested = arm64();
    attested.push(&shop, "x").unwrap();
    let entry = |platform: Value| {
        json!({
            "mediaType": MANIFEST, "digest": attested.digest().to_string(), "size": attested.manifest.len(), "platform": platform,
        })
    };
    let of =
        |entries: Value| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    let unknown = json!({"os": "unknown", "architecture": "unknown"});
    let built = of(json!([entry(json!({"os": "linux", "architecture": "arm64"})), entry(unknown)]));
    shop.put_manifest(ManifestReference::Tag("built"), INDEX, built.as_bytes()).unwrap();
    let (_, said) = join(&fake, at, &["@shop:1", "@shop:2022", "@shop:built", "@shop:docker", "@shop:2019"]);
    assert!(
        said.contains("warning: left out 1 manifest of other kinds than images, such as attestations"),
        "{said}"
    );
    let (document, _) = index(&shop, "1");
    let seen: Vec<(&str, &str)> = document["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (entry["mediaType"].as_str().unwrap(), entry["platform"]["os.version"].as_str().unwrap_or("-"))
        })
        .collect();
    assert_eq!(seen, [(DOCKER, "-"), (MANIFEST, "-"), (MANIFEST, "10.0.17763"), (MANIFEST, "10.0.20348")]);
    assert_eq!(document["manifests"][0]["digest"], docker.digest().to_string());
}

/// Each is one error, and nothing gets the name.
#[test]
fn reports_images_that_can_not_be_joined() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let (at, shop) = (folder.path(), fake.shop());
    let (one, same) = (amd64(), image_for(&json!({"os": "linux", "architecture": "amd64"}), 11));
    one.push(&shop, "one").unwrap();
    same.push(&shop, "same").unwrap();
    let host = format!("docker://{}/shop", fake.address);
    let (to, one_at, same_at) = (format!("{host}:1"), format!("{host}:one"), format!("{host}:same"));
    let digest = format!("{host}@{}", one.digest());
    let none = format!("{host}:none");
    for (args, exit, parts) in [
        (
            &[&*to, &*one_at, &*same_at][..],
            1,
            &["cannot create the index: two images have the platform `linux/amd64`", &*one_at, &*same_at][..],
        ),
        (&[&to, &none], 3, &["there is no image at"]),
        (&[&digest, &one_at], 2, &["a new index's digest is not known in advance"]),
        (&[&to], 2, &["<IMAGE>"]),
        (&["shop:1", &one_at], 2, &["is not a valid image location"]),
        (&["containerd:x", &one_at], 1, &["can't hold an index", "write the index to a layout"]),
        (&[&to, &one_at, "--annotation", "x"], 2, &["`x` is not NAME=VALUE", "NAME=VALUE"]),
        (&[&to, &one_at, "--annotation=x=1", "--annotation=x=2"], 2, &["`x` has two values, `1` and `2`"]),
    ] {
        let args: Vec<&str> = ["index"].into_iter().chain(args.iter().copied()).collect();
        let (code, stdout, said) = run(at, &args);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{args:?}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{args:?}: {said}");
        assert!(shop.head_manifest(ManifestReference::Tag("1")).unwrap().is_none(), "{args:?}");
    }
    assert_eq!(fs::read_dir(at).unwrap().count(), 1, "the program alone");
}

/// The jobs of docs/registries.md: each machine builds and pushes its own, then they are joined.
#[test]
fn the_documented_jobs_work() {
    if !docker_registry::met(&["docker-registry", "skopeo"], "docker-registry skopeo") {
        return;
    }
    let registry = docker_registry::Registry::plain();
    let page = fs::read_to_string("docs/registries.md").unwrap();
    let jobs: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let jobs: Vec<&&str> = jobs.iter().filter(|job| job.contains("coracle index")).collect();
    assert_eq!(jobs.len(), 2, "one of GitHub, one of GitLab");
    for (job, name) in jobs.iter().zip(["acme/shop", "group/shop"]) {
        let host = format!("localhost:{}", registry.port);
        let folder = tempfile::tempdir().unwrap();
        let mut last = String::new();
        for command in commands(job) {
            let machines = if command.contains("coracle build") {
                &[("amd64", 62), ("arm64", 183)][..]
            } else {
                &[("", 0)]
            };
            for (architecture, machine) in machines {
                fs::write(folder.path().join("shop"), coracle_testing::static_program(*machine)).unwrap();
                let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                fs::set_permissions(folder.path().join("shop"), permissions).unwrap();
                let text = command
                    .replace("ghcr.io", &host)
                    .replace("${{ github.sha }}", "abc")
                    .replace("${{ matrix.arch }}", architecture);
                let coracle = coracle_testing::coracle_in(folder.path(), []).command();
                let program = coracle.get_program().to_owned();
                let path = Path::new(&program).parent().unwrap();
                let output = std::process::Command::new("sh")
                    .args(["-euc", &text])
                    .current_dir(folder.path())
                    .env("PATH", format!("{}:/usr/bin:/bin", path.display()))
                    .env("HOME", folder.path())
                    .env("CI_REGISTRY_IMAGE", format!("{host}/{name}"))
                    .env("CI_COMMIT_SHORT_SHA", "abc")
                    .env("CI_COMMIT_TAG", "1.2")
                    .env("ARCH", architecture)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
                last = String::from_utf8(output.stdout).unwrap();
            }
        }
        let (name, digest) = last.trim().split_once('@').unwrap();
        for architecture in ["amd64", "arm64"] {
            let inspected = std::process::Command::new("skopeo")
                .args(["inspect", "--tls-verify=false", "--override-arch", architecture])
                .args([
                    "--format={{.Architecture}}",
                    &format!("docker://{}@{digest}", name.rsplit_once(':').unwrap().0),
                ])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(inspected.stdout).unwrap().trim(), architecture);
        }
    }
}

/// The commands of a job that are Coracle's, each as it stands there.
fn commands(job: &str) -> Vec<String> {
    let mut found = Vec::new();
    for document in coracle_kube::yaml::parse_nodes(job).unwrap() {
        collect(&document, &mut found);
    }
    found
}

fn collect(node: &coracle_kube::yaml::Node, found: &mut Vec<String>) {
    if let Some(text) = node.text().filter(|text| text.starts_with("coracle ")) {
        found.push(text.to_owned());
    }
    node.items().iter().for_each(|item| collect(item, found));
    node.entries().for_each(|(_, member)| collect(member, found));
}
