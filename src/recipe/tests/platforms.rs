//! Roots and sysroots by platform.

use super::*;

#[test]
fn platforms_have_own_sysroots() {
    let tables = "[platform.\"linux/arm64\"]\nsysroot = \"sysroots/arm64\"\n\
                  [platform.\"linux/arm/v7\"]\nsysroot = \"/opt/armhf\"\n";
    let text = format!("[image]\nprograms = [\"app\"]\n{tables}");
    let root = |platform: &str, directory: &str| RootOverride {
        kind: RootOverrideKind::Sysroot,
        platform: Some(platform.parse().unwrap()),
        directory: directory.into(),
    };
    let recipe =
        parse_recipe(Path::new("sub/coracle.toml"), text.as_bytes(), &RecipeOverrides::default()).unwrap();
    assert_eq!(
        recipe.contents.root_overrides,
        [root("linux/arm/v7", "/opt/armhf"), root("linux/arm64", "sysroots/arm64")]
    );
    assert_eq!(
        recipe.resolve_path(&recipe.contents.root_overrides[1].directory),
        Path::new("sub/sysroots/arm64")
    );
    let flags = RecipeOverrides { roots: vec!["rootfs".into()], ..RecipeOverrides::default() };
    let replaced = read(&text, &flags).unwrap().contents.root_overrides;
    assert_eq!(
        replaced,
        [RootOverride { kind: RootOverrideKind::Root, platform: None, directory: "rootfs".into() }]
    );
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
        let Err(RecipeError::Invalid(problems)) = read(&text, &RecipeOverrides::default()) else {
            panic!("{text}")
        };
        let found: Vec<_> =
            problems.iter().map(|p| (p.position.as_ref().unwrap().line, p.message.as_str())).collect();
        assert_eq!(found, [(line, message)], "{text}");
    }
}
