//! A login of the environment goes to the registry that is written to; where images are only read,
//! the registry has to be named, because a file of a checkout may have named it.

use std::fs;

use coracle_testing::registry::{FakeRegistry, Login};

use super::push_and_copy::run_with;
use super::read_images::shop;

const LOGIN: [(&str, &str); 2] =
    [("CORACLE_REGISTRY_USER", "anna"), ("CORACLE_REGISTRY_PASSWORD", "correct horse battery staple")];

/// Whether a request since the last call had credentials.
fn credentials_were_sent(fake: &FakeRegistry) -> bool {
    let requests = std::mem::take(&mut fake.state().requests);
    assert!(!requests.is_empty());
    requests.iter().any(|request| request.header("authorization").is_some())
}

#[test]
fn reading_needs_the_registry_to_be_named() {
    let fake = FakeRegistry::start();
    let (folder, _) = shop(&fake);
    fake.state().login = Login::Password;
    let (at, host) = (folder.path(), fake.address.to_string());
    fs::write(at.join("m.yaml"), format!("spec: {{containers: [{{image: '{host}/shop:1'}}]}}\n")).unwrap();
    fs::write(
        at.join("base.toml"),
        format!("[image]\nprograms = [\"app\"]\nbase = \"docker://{host}/shop:1\"\n"),
    )
    .unwrap();
    let image = format!("docker://{host}/shop:1");
    let (by_name, cache) = (format!("shop={image}"), format!("{host}/cache"));
    let named = [LOGIN[0], LOGIN[1], ("CORACLE_REGISTRY", host.as_str())];
    let elsewhere = [LOGIN[0], LOGIN[1], ("CORACLE_REGISTRY", "ghcr.io")];
    for args in [
        &["resolve", "--remote", "m.yaml"][..],
        &["resolve", "pod.yaml", "--image", &by_name],
        &["config", "show", &image],
        &["config", "check", &image, "pod.yaml"],
        &["config", "diff", &image, "oci:shop.oci"],
        &["config", "show", "oci:shop.oci", "--contract", &image],
        &["manifests", &image, "--config=config:/etc/shop", "-q"],
        &["copy", &image, "oci:copy.oci"],
        &["index", "oci:index.oci", &image],
        &["build", "./app", "--no-cache", "-o=oci:x.oci", "--cache-from", &cache],
        &["build", "-f=base.toml", "--no-cache", "-o=oci:y.oci"],
        &["build", "./app", "--no-cache", "-o=oci:z.oci", "--budget-growth=5%", "--previous", &image],
    ] {
        for env in [&LOGIN[..], &elsewhere] {
            let (_, _, said) = run_with(at, args, env);
            assert!(!credentials_were_sent(&fake), "{args:?}: {said}");
            assert!(args[0] == "build" || said.contains(&format!("CORACLE_REGISTRY={host}")), "{said}");
        }
        let (_, _, said) = run_with(at, args, &named);
        assert!(credentials_were_sent(&fake), "{args:?}: {said}");
    }
}

#[test]
fn the_registry_that_is_written_to_gets_it_and_no_other() {
    let (here, there) = (FakeRegistry::start(), FakeRegistry::start());
    let (folder, _) = shop(&there);
    here.state().login = Login::Password;
    // Anybody gets a token to read.
    there.state().login = Login::Tokens;
    let password_was_sent = || {
        let requests = std::mem::take(&mut there.state().requests);
        let sent = requests.iter().filter_map(|request| request.header("authorization"));
        sent.into_iter().any(|header| header.starts_with("Basic"))
    };
    let to = format!("docker://{}/shop:1", here.address);
    let image = format!("docker://{}/shop:1", there.address);
    let cache = format!("{}/cache", there.address);
    for args in [
        &["build", "./app", "--no-cache", "-o", &to, "--cache-from", &cache][..],
        &["build", "./app", "--no-cache", "-o", &to, "--budget-growth=5%", "--previous", &image],
        &["copy", &image, &to],
        &["index", &to, &image],
    ] {
        let (code, _, said) = run_with(folder.path(), args, &LOGIN);
        assert_eq!(code, Some(0), "{args:?}: {said}");
        assert!(credentials_were_sent(&here), "{args:?}");
        assert!(!password_was_sent(), "{args:?}");
    }
}
