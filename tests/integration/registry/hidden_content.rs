//! Registries without `HEAD`, and those that deny a login access to what does not exist: commands
//! that write to them need no more than the permission to write.

use std::fs;

use coracle_testing::registry::{FakeRegistry, Login};

use super::push_and_copy::{folder, run_with};

const LOGIN: [(&str, &str); 2] =
    [("CORACLE_REGISTRY_USER", "anna"), ("CORACLE_REGISTRY_PASSWORD", "correct horse battery staple")];

#[test]
fn what_is_written_may_be_hidden_until_then() {
    for (status, no_head) in [(401, false), (403, false), (404, true), (403, true)] {
        let (fake, folder) = (FakeRegistry::start(), folder());
        let at = folder.path();
        {
            let mut state = fake.state();
            (state.login, state.hidden, state.no_head) = (Login::Password, Some(status), no_head);
        }
        let place = |name: &str| format!("docker://{}/{name}:1", fake.address);
        let (cache, built) = (format!("{}/cache", fake.address), place("built"));
        let contract = format!("docker://{}/b", fake.address);
        fs::create_dir_all(at.join("config")).unwrap();
        fs::write(at.join("config/a.toml"), "a = 1\n").unwrap();
        for args in [
            &["build", "./app", "-o", &built, "-o=oci:app.oci", "--cache-dir=cache"][..],
            &["build", "./app", "-o", &place("grown"), "--no-cache", "--budget-growth=5%"],
            &[
                "build",
                "./app",
                "-o",
                &place("a"),
                "--no-cache",
                "--cache-from",
                &cache,
                "--cache-to",
                &cache,
            ],
            &[
                "build",
                "./app",
                "-o",
                &place("b"),
                "--config=config:/etc/app",
                "--publish-contract",
                &contract,
            ],
            &["copy", "oci:app.oci", &place("copied"), "--referrers"],
            &["copy", &built, &place("mounted")],
            &["index", &place("index"), "oci:app.oci"],
        ] {
            let (code, _, said) = run_with(at, args, &LOGIN);
            assert_eq!(code, Some(0), "{status} {no_head} {args:?}: {said}");
            assert!(!said.contains("cache `") && !said.contains("error"), "{status} {args:?}: {said}");
        }
        // Existing blobs are still found.
        let (code, _, said) = run_with(at, &["copy", "oci:app.oci", &built], &LOGIN);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(": unchanged"), "{said}");
        // An image that is read has to be there.
        let (code, _, said) = run_with(at, &["copy", &place("none"), &place("other")], &LOGIN);
        assert_eq!(code, Some(3), "{said}");
    }
}
