//! Images that Coracle did not build: hostile names, damaged and encrypted layers, artifacts.

use serde_json::json;

use super::layout::{CONFIG, GZIP, Layout, Member, TAR, coracle, gzip, tar};

#[test]
fn names_and_labels_cannot_control_the_terminal() {
    let members = [Member("a\x1b[2Jb", b"1", 0o644, 0), Member("c\u{202e}d", b"2", 0o644, 0)];
    let config =
        json!({"Labels": {"x\x1b[2J": "y\u{9b}2J"}, "Entrypoint": ["/a\x1b]8;;x\x07"], "User": "u\r\n"});
    let layout = Layout::new(&[(GZIP, gzip(&tar(&members), 6))], config);
    for args in [
        vec!["inspect", "IMAGE"],
        vec!["inspect", "IMAGE", "--files"],
        vec!["inspect", "IMAGE", "--format", "json"],
        vec!["inspect", "IMAGE", "--format", "mtree"],
        vec!["inspect", "IMAGE", "--format", "html"],
        vec!["inspect", "IMAGE", "--why", "/a\x1b[2Jb"],
    ] {
        let location = layout.location();
        let args: Vec<&str> =
            args.into_iter().map(|arg| if arg == "IMAGE" { &location } else { arg }).collect();
        let ended = coracle(&args).with_code(0);
        for text in [&ended.stdout, &ended.stderr] {
            let bad = text.find(['\x1b', '\x07', '\r', '\u{9b}', '\u{202e}']);
            assert_eq!(bad, None, "{args:?}: {text}");
        }
    }
    let files = coracle(&["inspect", &layout.location(), "--files"]).stdout;
    assert!(files.contains("/a\\u{1b}[2Jb"), "{files}");
}

#[test]
fn unreadable_layers_are_named_and_do_not_hide_the_rest() {
    let good = gzip(&tar(&[Member("etc/a", b"1", 0o644, 0)]), 6);
    let layout = Layout::new(
        &[
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", b"x".to_vec()),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"y".to_vec()),
            (GZIP, good.clone()),
        ],
        json!({}),
    );
    let ended = coracle(&["inspect", &layout.location()]).with_code(0);
    assert!(ended.stdout.contains("cannot be read: it is encrypted"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("cannot be read: it is not distributed with the image"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("1 file: /etc"), "{}", ended.stdout);
    // Damaged: reported, and a failure.
    std::fs::write(layout.blob(&good), &good[..good.len() - 9]).unwrap();
    let ended = coracle(&["inspect", &layout.location()]).with_code(1);
    assert!(
        ended.stderr.contains("layer 3 of `oci:") && ended.stderr.contains("is damaged"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_bomb_is_read_in_bounded_memory_and_space() {
    let zeros = vec![0; 64 << 20];
    let layer = gzip(&tar(&[Member("zeros", &zeros, 0o644, 0)]), 9);
    assert!(layer.len() < 100_000);
    let layout = Layout::new(&[(GZIP, layer)], json!({}));
    let report = coracle(&["inspect", &layout.location(), "--files", "--format", "json"]).with_code(0).json();
    assert_eq!(report["image"]["files"][0]["size"], 64 << 20);
}

#[test]
fn an_image_without_files_and_an_artifact_are_described() {
    let empty = Layout::new(&[], json!({"Cmd": ["/none"]}));
    let ended = coracle(&["inspect", &empty.location()]).with_code(0);
    assert!(ended.stdout.contains("no layers: the image has no files"), "{}", ended.stdout);
    let no_program = coracle(&["deps", &empty.location()]).with_code(1);
    assert!(no_program.stderr.contains("the program that `oci:"), "{}", no_program.stderr);
    let chart = Layout::with_config(
        &[("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart".to_vec())],
        "application/vnd.cncf.helm.config.v1+json",
        &json!({"name": "shop"}),
    );
    let ended = coracle(&["inspect", &chart.location()]).with_code(0);
    assert!(ended.stdout.contains("artifact application/vnd.cncf.helm.config.v1+json"), "{}", ended.stdout);
    assert!(ended.stdout.contains("is not a file system layer"), "{}", ended.stdout);
    assert_eq!(CONFIG.len(), 40);
}

#[test]
fn whiteouts_and_opaque_directories_are_applied() {
    let low = [Member("d/a", b"1", 0o644, 0), Member("d/b", b"2", 0o644, 0), Member("e/c", b"3", 0o644, 0)];
    let high = [
        Member("d/.wh.a", b"", 0o644, 0),
        Member("e/.wh..wh..opq", b"", 0o644, 0),
        Member("e/n", b"4", 0o644, 0),
    ];
    let layout = Layout::new(&[(TAR, tar(&low)), (TAR, tar(&high))], json!({}));
    let report = coracle(&["inspect", &layout.location(), "--files", "--format", "json"]).with_code(0).json();
    let files = report["image"]["files"].as_array().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/d", "/d/b", "/e", "/e/n"]);
    assert_eq!(report["image"]["layers"][1]["removed"], 2);
    let removed = coracle(&["inspect", &layout.location(), "--file", "/d/a"]).with_code(1);
    assert!(removed.stderr.contains("has no `/d/a`"), "{}", removed.stderr);
}

#[test]
fn images_of_engines_are_asked_of_the_engine() {
    for command in [vec!["inspect"], vec!["config", "show"], vec!["deps"]] {
        let output = std::process::Command::new(coracle_testing::program("coracle"))
            .args(command)
            .arg("docker-daemon:app:1")
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("/nonexistent/docker.sock"), "{stderr}");
        assert_eq!(output.status.code(), Some(1));
    }
}
