//! Roots and sysroots by platform.

use super::*;

#[test]
fn platforms_have_own_sysroots() {
    let tables = "[platform.\"linux/arm64\"]\nsysroot = \"sysroots/arm64\"\n\
                  [platform.\"linux/arm/v7\"]\nsysroot = \"/opt/armhf\"\n";
    let text = format!("[image]\nprograms = [\"app\"]\n{tables}");
    let root = |platform: &str, directory: &str| Root {
        kind: RootKind::Libraries,
        platform: Some(platform.parse().unwrap()),
        directory: directory.into(),
    };
    let recipe = parse(Path::new("sub/coracle.toml"), text.as_bytes(), &Overrides::default()).unwrap();
    assert_eq!(recipe.roots, [root("linux/arm/v7", "/opt/armhf"), root("linux/arm64", "sysroots/arm64")]);
    assert_eq!(recipe.locate(&recipe.roots[1].directory), Path::new("sub/sysroots/arm64"));
    let flags = Overrides { roots: vec!["rootfs".into()], ..Overrides::default() };
    let replaced = read(&text, &flags).unwrap().roots;
    assert_eq!(replaced, [Root { kind: RootKind::Whole, platform: None, directory: "rootfs".into() }]);
}

#[test]
fn rejects_invalid_roots_of_platforms() {
    for (text, line, message) in [
        (
            "[platform.\"linux/arm64\"]\nsysrot = \"a\"\nroot = \"b\"",
            4,
            "unknown key `sysrot` in `[platform.\"linux/arm64\"]`; did you mean `sysroot`?",
        ),
        (
            "[platform.\"linux/arm64\"]\nsysroot = \"a\"\nroot = \"b\"",
            4,
            "`sysroot` cannot be combined with `root`",
        ),
        ("[platform.arm64]\nroot = \"b\"", 3, "`arm64` is not a platform"),
        ("[platform.\"linux/arm64\"]", 3, "this platform has neither `root` nor `sysroot`"),
        ("[platform.\"linux/arm64\"]\nroot = \"\"", 4, "the path of a directory is empty"),
        ("[platform.\"linux/arm64\"]\nroot = 1", 4, "invalid type: integer `1`, expected a string"),
        ("platform = 1", 3, "invalid type: integer `1`, expected a map"),
        ("[platform]\nroot = \"a\"", 4, "invalid type: string \"a\", expected a table"),
        (
            "[platform.\"linux/amd64\"]\nroot = \"a\"\n[platform.\"linux/arm64\"]\nsysroot = \"b\"",
            6,
            "one platform has a `root`, another a `sysroot`",
        ),
    ] {
        // A top-level key must come before the first table.
        let text = if text.starts_with("platform") {
            format!("\n\n{text}\n[image]\nprograms = [\"app\"]")
        } else {
            format!("[image]\nprograms = [\"app\"]\n{text}")
        };
        let Err(Error::Illegal(problems)) = read(&text, &Overrides::default()) else { panic!("{text}") };
        let found: Vec<_> =
            problems.iter().map(|p| (p.place.as_ref().unwrap().line, p.message.as_str())).collect();
        assert_eq!(found, [(line, message)], "{text}");
    }
}
