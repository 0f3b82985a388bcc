//! What `coracle diff` says about two images.

use serde_json::{Value, json};

use super::layout::{GZIP, Layout, Member, TAR, build, coracle, gzip, tar};

fn diff(old: &Layout, new: &Layout) -> Value {
    coracle(&["diff", &old.location(), &new.location(), "--format", "json"]).with_code(4).json()
}

fn one_layer(members: &[Member<'_>]) -> Layout {
    Layout::new(&[(TAR, tar(members))], json!({}))
}

#[test]
fn equal_images_end_with_0() {
    let (_one, old) = build("/usr/bin/env", &[]);
    let (_other, new) = build("/usr/bin/env", &[]);
    let ended = coracle(&["diff", &old, &new]).with_code(0);
    assert!(ended.stdout.ends_with("the images are the same\n"), "{}", ended.stdout);
    let report = coracle(&["diff", &old, &new, "--format", "json"]).with_code(0).json();
    assert_eq!((&report["same"], &report["version"]), (&json!(true), &json!(1)));
}

#[test]
fn files_are_compared_with_contents_and_headers() {
    let old = one_layer(&[
        Member("gone", b"1", 0o644, 0),
        Member("json", br#"{"a":1,"b":[1]}"#, 0o644, 0),
        Member("mode", b"same", 0o644, 0),
        Member("text", b"hello world", 0o644, 0),
        Member("time", b"same", 0o644, 5),
    ]);
    let new = one_layer(&[
        Member("json", br#"{"a":2,"b":[1,2]}"#, 0o644, 0),
        Member("mode", b"same", 0o755, 0),
        Member("new", b"1", 0o644, 0),
        Member("text", b"hello there", 0o644, 0),
        Member("time", b"same", 0o644, 6),
    ]);
    let files = diff(&old, &new)["platforms"][0]["files"].clone();
    let summary: Vec<String> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| format!("{} {}", file["change"].as_str().unwrap(), file["path"].as_str().unwrap()))
        .collect();
    assert_eq!(
        summary,
        [
            "removed /gone",
            "changed /json",
            "header-changed /mode",
            "added /new",
            "changed /text",
            "header-changed /time"
        ]
    );
    assert_eq!(files[1]["keys"][0], json!({"key": "a", "old": "1", "new": "2"}));
    assert_eq!(files[2]["fields"], json!([{"field": "mode", "old": "0644", "new": "0755"}]));
    assert_eq!(files[4]["first_difference"], 6);
    assert_eq!(files[5]["fields"], json!([{"field": "mtime", "old": "5", "new": "6"}]));
}

#[test]
fn layers_are_explained_to_the_byte() {
    let members = || [Member("a", b"one", 0o644, 0), Member("b", b"two", 0o644, 0)];
    let tar_of = tar(&members());
    let base = Layout::new(&[(GZIP, gzip(&tar_of, 1))], json!({}));
    let difference = |new: &Layout| diff(&base, new)["platforms"][0]["layers"][0]["difference"].clone();
    let level = difference(&Layout::new(&[(GZIP, gzip(&tar_of, 9))], json!({})));
    assert_eq!((&level["in"], &level["offset"]), (&json!("compression"), &json!(8)), "{level}");
    assert_eq!(level["part"], "the level in the gzip header");
    let codec = difference(&Layout::new(&[(TAR, tar_of.clone())], json!({})));
    assert!(codec["part"].as_str().unwrap().starts_with("another codec: "), "{codec}");
    let [a, b] = members();
    let order = difference(&Layout::new(&[(GZIP, gzip(&tar(&[b, a]), 1))], json!({})));
    assert_eq!(
        (&order["in"], &order["order"], &order["offset"]),
        (&json!("tar"), &json!(true), &json!(0)),
        "{order}"
    );
    let mut byte = tar_of.clone();
    byte[1024 + 512] = b'T';
    let content = difference(&Layout::new(&[(GZIP, gzip(&byte, 1))], json!({})));
    assert_eq!((&content["offset"], &content["path"]), (&json!(1536), &json!("/b")), "{content}");
    assert_eq!(content["part"], "byte 0 of the content");
    let time = difference(&Layout::new(
        &[(GZIP, gzip(&tar(&[Member("a", b"one", 0o644, 9), Member("b", b"two", 0o644, 0)]), 1))],
        json!({}),
    ));
    assert_eq!(time["part"], "the mtime in the header", "{time}");
}

#[test]
fn shared_layers_are_read_only_where_the_result_depends_on_them() {
    let shared = tar(&[Member("etc/a", b"low", 0o644, 0), Member("etc/x", b"low", 0o644, 0)]);
    let old = Layout::new(&[(TAR, shared.clone()), (TAR, tar(&[Member("app", b"1", 0o755, 0)]))], json!({}));
    let new = Layout::new(&[(TAR, shared.clone()), (TAR, tar(&[Member("app", b"2", 0o755, 0)]))], json!({}));
    // The shared layer is damaged in both, which is not noticed: it is not read.
    for layout in [&old, &new] {
        let mut damaged = shared.clone();
        damaged[512] = b'L';
        std::fs::write(layout.blob(&shared), damaged).unwrap();
    }
    let files = diff(&old, &new)["platforms"][0]["files"].clone();
    assert_eq!((files.as_array().unwrap().len(), &files[0]["path"]), (1, &json!("/app")));
    // A path that the upper layer of one image replaces was not added: the shared layer has it.
    let old = Layout::new(&[(TAR, shared.clone()), (TAR, tar(&[Member("app", b"1", 0o755, 0)]))], json!({}));
    let over = [
        Member("app", b"1", 0o755, 0),
        Member("etc/a", b"top", 0o644, 0),
        Member("etc/.wh.x", b"", 0o644, 0),
    ];
    let new = Layout::new(&[(TAR, shared), (TAR, tar(&over))], json!({}));
    let files = diff(&old, &new)["platforms"][0]["files"].clone();
    let changes: Vec<(&str, &str)> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["change"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("/etc/a", "changed"), ("/etc/x", "removed")]);
}

#[test]
fn elf_files_are_compared_by_libraries_versions_and_sections() {
    let read = |path: &str| std::fs::read(path).unwrap();
    let old = one_layer(&[Member("app", &read("/usr/bin/env"), 0o755, 0)]);
    let new = one_layer(&[Member("app", &read("/usr/bin/curl"), 0o755, 0)]);
    let elf = diff(&old, &new)["platforms"][0]["files"][0]["elf"].clone();
    let added = elf["added_libraries"].as_array().unwrap();
    assert!(added.contains(&json!("libcurl.so.4")), "{elf}");
    let sections: Vec<&str> =
        elf["sections"].as_array().unwrap().iter().map(|section| section["name"].as_str().unwrap()).collect();
    assert!(sections.contains(&".text") && sections.contains(&".dynamic"), "{elf}");
    assert!(!elf["added_versions"].as_array().unwrap().is_empty(), "{elf}");
}

#[test]
fn config_contract_and_packages_are_compared() {
    let contract = |mounts: Value| json!({"version": 1, "mounts": mounts}).to_string();
    let mount = json!([{"path": "/etc/app", "reload": "restart", "files": [{"key": "app.toml"}]}]);
    let status = |version: &str| {
        format!("Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n")
    };
    let image = |version: &str, env: &str, mounts: Value| {
        let status = status(version);
        let members = [
            Member("etc/os-release", b"ID=debian\nVERSION_ID=12\n", 0o644, 0),
            Member("usr/lib/libz.so.1", version.as_bytes(), 0o644, 0),
            Member("var/lib/dpkg/status.d/zlib1g", status.as_bytes(), 0o644, 0),
            Member(
                "var/lib/dpkg/status.d/zlib1g.md5sums",
                b"00000000000000000000000000000000  usr/lib/libz.so.1\n",
                0o644,
                0,
            ),
        ];
        let labels = json!({"io.coracle.config.v1": contract(mounts)});
        Layout::new(&[(TAR, tar(&members))], json!({"Env": [env], "Labels": labels}))
    };
    let old = image("1:1.3-1", "A=1", json!([]));
    let new = image("1:1.3-2", "A=2", mount);
    let report = diff(&old, &new)["platforms"][0].clone();
    assert_eq!(
        report["packages"],
        json!([{"name": "zlib1g", "kind": "deb", "old": "1:1.3-1", "new": "1:1.3-2"}])
    );
    assert_eq!(report["config"][0], json!({"key": "config.Env[0]", "old": "\"A=1\"", "new": "\"A=2\""}));
    assert_eq!(report["contract"][0]["breaking"], true, "{report}");
    let markdown =
        coracle(&["diff", &old.location(), &new.location(), "--format", "markdown"]).with_code(4).stdout;
    for part in
        ["**The contract has", "- `~ zlib1g 1:1.3-1 → 1:1.3-2`", "| linux/amd64 |", "<details><summary>"]
    {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

#[test]
fn damaged_layers_make_the_comparison_fail() {
    let layer = gzip(&tar(&[Member("a", b"1", 0o644, 0)]), 6);
    let old = Layout::new(&[(GZIP, layer.clone())], json!({}));
    let new = Layout::new(&[(GZIP, gzip(&tar(&[Member("a", b"2", 0o644, 0)]), 6))], json!({}));
    std::fs::write(old.blob(&layer), &layer[..layer.len() - 4]).unwrap();
    let ended = coracle(&["diff", &old.location(), &new.location()]).with_code(1);
    assert!(
        ended.stderr.contains("the images cannot be compared completely: layer 1 of"),
        "{}",
        ended.stderr
    );
}
