//! `coracle resolve`

use coracle_testing::registry::FakeRegistry;

use crate::contract::test_image::{MANIFEST, TestFolder, changed, digest, shop};

#[test]
fn pins_references_and_keeps_the_rest() {
    let folder = TestFolder::new();
    let text = changed(&[("image: ghcr.io/acme/shop:1.2", "image: 'coracle://shop'  # pinned by CI")]);
    folder.file("a.yaml", &text).file("b.yaml", "# a comment\nkind: Other");
    let pinned = format!("image: 'ghcr.io/acme/shop:1.2@{}'  # pinned by CI", digest());
    let expected = text.replace("image: 'coracle://shop'  # pinned by CI", &pinned);
    let ended = folder.run(&["resolve", "a.yaml", "--image", "shop=@"]);
    assert_eq!((ended.status, &ended.stdout, ended.stderr.as_str()), (0, &expected, ""));
    let ended = folder.run(&["resolve", "a.yaml", "b.yaml", "--image", "shop=@"]);
    assert_eq!(ended.stdout, expected.clone() + "---\n# a comment\nkind: Other");
    let ended = folder.run_with(&["resolve", "-", "--image", "ghcr.io/acme/shop=@"], MANIFEST);
    let reference = format!("ghcr.io/acme/shop:1.2@{}", digest());
    let expected = MANIFEST.replace("ghcr.io/acme/shop:1.2", &reference);
    assert_eq!((ended.status, ended.stdout), (0, expected));
}

#[test]
fn an_image_that_matches_nothing_is_an_error() {
    let folder = TestFolder::new();
    let other = MANIFEST.replace("shop:1.2", "shop:1.1");
    for (text, name, expected) in [
        (
            other.as_str(),
            "ghcr.io/acme/shop",
            "no image in the manifests is `ghcr.io/acme/shop:1.2`: `ghcr.io/acme/shop:1.1` has another tag",
        ),
        (MANIFEST, "ghcr.io/acme/shpo", "no image in the manifests is named `ghcr.io/acme/shpo`"),
        ("kind: ConfigMap\ndata: {image: shop}\n", "shop", "no image in the manifests is named `shop`"),
    ] {
        let ended = folder.run_with(&["resolve", "-", "--image", &format!("{name}=@")], text);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{name}");
        assert!(
            ended.stderr.contains(expected) && ended.stderr.contains("docs/contract.md"),
            "{}",
            ended.stderr
        );
    }
    for text in ["image: coracle://shop:9.9\n", "image: coracle://shop@sha256:00\n"] {
        let ended = folder.run_with(&["resolve", "-", "--image", "shop=@"], text);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{text}");
        assert!(ended.stderr.contains("is another version than the known image"), "{}", ended.stderr);
    }
    let ended = folder.run_with(&["resolve", "-", "--image", "shop=@"], "a: 1\na: 2\n");
    assert_eq!(ended.status, 1);
    assert!(!ended.stderr.contains("--image"), "{}", ended.stderr);
}

#[test]
fn writes_the_name_that_the_image_has() {
    let folder = TestFolder::new();
    for text in ["image: placeholder\n", "image: coracle://placeholder\n"] {
        let ended = folder.run_with(&["resolve", "-", "--no-check", "--image", "placeholder=@"], text);
        let expected = format!("image: ghcr.io/acme/shop:1.2@{}\n", digest());
        assert_eq!((ended.status, ended.stdout), (0, expected), "{}", ended.stderr);
    }
    let ended = folder.run_with(
        &["resolve", "-", "--no-check", "--image", "localhost:5000/mine:3=@"],
        "image: localhost:5000/mine:3\n",
    );
    assert_eq!(ended.stderr, "");
    assert_eq!((ended.status, ended.stdout), (0, format!("image: localhost:5000/mine:3@{}\n", digest())));
}

/// Without `--remote`, no registry is asked for an image on disk.
#[test]
fn a_registry_without_the_image_is_a_warning_if_it_may_be_asked() {
    let (folder, registry) = (TestFolder::new(), FakeRegistry::start());
    let name = format!("127.0.0.1:{}/acme/shop:1.2", registry.address.port());
    let (text, image) = (format!("image: {name}\n"), format!("{name}=@"));
    let resolve = |flags: &[&str]| {
        folder.run_with(&[&["resolve", "-", "--no-check", "--image", &image], flags].concat(), &text)
    };
    let ended = resolve(&[]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(registry.take_requests().is_empty());
    let ended = resolve(&["--remote"]);
    assert_eq!((ended.status, &ended.stdout), (0, &format!("image: {name}@{}\n", digest())));
    assert!(ended.stderr.contains("is not in its registry, so pods cannot pull it"), "{}", ended.stderr);
    let location = format!("oci:{}/shop.oci", shop().display());
    let pushed = folder.run(&["copy", "-q", &location, &format!("docker://{name}")]);
    assert_eq!((pushed.status, pushed.stderr.as_str()), (0, ""));
    assert_eq!(resolve(&["--remote"]).stderr, "");
    // The name of an image in a registry is the one that is written.
    for text in ["image: placeholder\n", "image: coracle://placeholder\n"] {
        let flag = format!("placeholder=docker://{name}");
        let ended = folder.run_with(&["resolve", "-", "--no-check", "--image", &flag], text);
        let expected = format!("image: {name}@{}\n", digest());
        assert_eq!((ended.status, ended.stdout, ended.stderr.as_str()), (0, expected, ""));
    }
}

#[test]
fn a_recipe_is_built_for_its_digest() {
    let folder = TestFolder::new();
    let recipe = shop().join("coracle.toml");
    let ended = folder.run_with(&["resolve", "-", "-f", recipe.to_str().unwrap()], MANIFEST);
    let expected = MANIFEST.replace("shop:1.2", &format!("shop:1.2@{}", digest()));
    assert_eq!((ended.status, ended.stdout, ended.stderr.as_str()), (0, expected, ""));
    assert_eq!(std::fs::read_dir(folder.folder()).unwrap().count(), 0);
}

#[test]
fn writes_nothing_if_a_reference_is_unknown_or_a_contract_unmet() {
    let folder = TestFolder::new();
    let ended = folder.run_with(&["resolve", "-", "--image", "shop=@"], "a: 1\nimage: coracle://store\n");
    let expected = "error: stdin:2:8: no known image is named `coracle://store`\n\n\
                    hint: name the location of images with `--image NAME=oci:DIR`, or their recipes with `-f`\n";
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (1, "", expected));
    let text = changed(&[("mountPath: /etc/shop}", "mountPath: /etc/store}")]);
    let ended = folder.run_with(&["resolve", "-", "--image", "ghcr.io/acme/shop:1.2=@"], &text);
    let expected = "error: the manifests violate the image's contract\n  \
                    stdin:30:9: Deployment/shop, container `shop`: nothing is mounted at `/etc/shop`, but the program reads `motd`, `shop.toml` there\n\n\
                    hint: correct the manifests, or pass `--no-check`\n";
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (4, "", expected));
    let ended = folder.run_with(&["resolve", "-", "--image", "ghcr.io/acme/shop:1.2=@", "--no-check"], &text);
    assert_eq!(ended.status, 0);
    let ended = folder.run_with(&["resolve", "-", "--image", "shop"], &text);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
}

#[test]
fn reports_each_violation_once_for_two_names_of_an_image() {
    let folder = TestFolder::new();
    let with_name = |name| {
        changed(&[
            ("mountPath: /etc/shop}", "mountPath: /etc/store}"),
            ("image: ghcr.io/acme/shop:1.2", name),
        ])
    };
    folder.file("a.yaml", with_name("image: coracle://shop"));
    folder.file("b.yaml", with_name("image: coracle://store"));
    let ended = folder.run(&["resolve", "a.yaml", "b.yaml", "--image", "shop=@", "--image", "store=@"]);
    let messages = ended.stderr.matches("nothing is mounted at `/etc/shop`").count();
    assert_eq!((ended.status, messages), (4, 2), "{}", ended.stderr);
}
