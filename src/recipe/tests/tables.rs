//! The tables beside `[image]`: `[budget]`, `[runtime]`, `[platform."…"]`, mounts and `[kubernetes]`.

use super::*;
use coracle_core::byte_size::ByteSize;
use coracle_kube::values::ValueSource;
use coracle_ld::implicit::{Inclusion, TimeZones};
use coracle_ld::ldso::HwcapsSelection;

const BUDGET_RECIPE: &str = "[image]\nprograms = [\"app\"]\n[budget]\nimage = \"5MB\"\ngrowth = \"2.5%\"\n";

#[test]
fn limits_have_positions() {
    let budget = read(BUDGET_RECIPE, &RecipeOverrides::default()).unwrap().checks.budget;
    let (image, growth) = (budget.image.unwrap(), budget.growth.unwrap());
    assert_eq!((image.value, growth.value), (ByteSize(5_000_000), GrowthLimit::Percent(2500)));
    assert_eq!(image.setting, "`image` below `[budget]`");
    assert_eq!((image.position.unwrap().line, growth.position.unwrap().line), (4, 5));
    assert_eq!(budget.previous, None);
}

#[test]
fn flags_override_single_limits() {
    let flags = RecipeOverrides {
        budget_growth: Some("200kB".into()),
        previous: Some("ghcr.io/acme/shop:1.1".into()),
        ..RecipeOverrides::default()
    };
    let budget = read(BUDGET_RECIPE, &flags).unwrap().checks.budget;
    let growth = budget.growth.unwrap();
    assert_eq!((growth.value, growth.position), (GrowthLimit::Size(ByteSize(200_000)), None));
    assert_eq!(growth.setting, "`--budget-growth`");
    assert_eq!(budget.image.unwrap().value, ByteSize(5_000_000));
    assert_eq!(budget.previous.unwrap().to_string(), "docker://ghcr.io/acme/shop:1.1");
}

#[test]
fn rejects_invalid_budgets() {
    assert_eq!(
        messages_of("[budget]\nimage = \"5 MB\"\ngrowth = 5\nsize = \"1MB\""),
        [
            "`5 MB` is not a size",
            "`5` is neither a percentage nor a size with a unit",
            "unknown key `size` in `[budget]`"
        ]
    );
    for (previous, message) in [
        ("containers-storage:x", "`--previous`: cannot compare with `containers-storage:x:latest`"),
        ("oci:", "`--previous`: `oci:` is not a valid image location"),
    ] {
        let flags = RecipeOverrides { previous: Some(previous.into()), ..RecipeOverrides::default() };
        let error = read(BUDGET_RECIPE, &flags).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn runtime_flags_replace_the_file() {
    let runtime = RuntimeOverrides {
        certificates: Some("false".into()),
        dlopen_notes: Some("false".into()),
        time_zones: Some(Vec::new()),
        charsets: strings(["UTF-16", "UTF-16"]),
        hwcaps: Some("none".into()),
        ..RuntimeOverrides::default()
    };
    let recipe = read(ALL_KEYS, &RecipeOverrides { runtime, ..RecipeOverrides::default() }).unwrap();
    assert_eq!(
        (recipe.contents.implicit.certificates, recipe.contents.implicit.nss),
        (Inclusion::Never, Inclusion::Auto)
    );
    assert_eq!(
        (recipe.contents.implicit.dlopen_notes, recipe.contents.implicit.time_zones),
        (None, Some(TimeZones::All))
    );
    assert_eq!(
        (recipe.contents.implicit.charsets, recipe.contents.hwcaps),
        (Some(strings(["UTF-16"])), HwcapsSelection::None)
    );
    assert_eq!(recipe.contents.implicit.locales, Some(strings(["C.UTF-8"])));
}

#[test]
fn rejects_invalid_runtime_values() {
    for (line, message) in [
        ("certificates = \"yes\"", "`yes` is none of `auto`, `true` and `false`"),
        ("certificate = true", "unknown key `certificate` in `[runtime]`; did you mean `certificates`?"),
        ("nss = 1", "expected `true`, `false` or a string"),
        ("time-zones = 1", "expected `true`, `false` or a list of names"),
        ("time-zones = [\"../passwd\"]", "`../passwd` is not a valid name"),
        ("locales = [\"a/b\"]", "`a/b` is not a valid name"),
        ("dlopen = [\"\"]", "`` is not a valid name"),
        ("dlopen-notes = true", "`true` is none of `required`, `recommended`, `suggested` and `false`"),
        ("plugins = [\"qt\"]", "`qt` is not a known plugin family"),
    ] {
        let text = format!("[image]\nprograms = [\"app\"]\n[runtime]\n{line}");
        let Err(RecipeError::Invalid(problems)) = read(&text, &RecipeOverrides::default()) else {
            panic!("{line}")
        };
        let found: Vec<_> =
            problems.iter().map(|p| (p.position.as_ref().unwrap().line, p.message.as_str())).collect();
        assert_eq!(found, [(4, message)], "{line}");
    }
}

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

fn secret_files(secret: &coracle_kube::config::SecretMount) -> Vec<(&str, &str)> {
    secret.files.iter().map(|file| (file.key.as_str(), file.path.as_str())).collect()
}

#[test]
fn parses_mounts_and_variables() {
    let text = r#"
[image]
programs = ["app"]
[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2"]
reload = "signal:SIGHUP"
optional = true
[[secret]]
mount = "/run/secrets/shop"
name = "shop"
keys = ["password", { key = "tls.key", path = "tls/server.key" }]
[[state]]
mount = "/var/lib/shop"
size = "10Gi"
shared = true
[[variable]]
name = "LEVEL"
from = "/etc/shop/level"
secret-in-environment = true
"#;
    let found = read(text, &RecipeOverrides::default()).unwrap().config;
    assert_eq!(
        (found.mounts[0].reload.to_string().as_str(), found.mounts[0].is_optional),
        ("signal:SIGHUP", true)
    );
    let secret = &found.secrets[0];
    assert_eq!(
        (secret.name.as_deref(), secret_files(secret)),
        (Some("shop"), vec![("password", "password"), ("tls.key", "tls/server.key")])
    );
    assert_eq!(
        (found.writable_directories[0].size.as_deref(), found.writable_directories[0].is_shared),
        (Some("10Gi"), true)
    );
    assert_eq!((found.variables[0].name.as_str(), found.variables[0].is_secret_allowed), ("LEVEL", true));

    let flags =
        ConfigOverrides { secrets: vec!["a,b:/run/secrets/app".into()], ..ConfigOverrides::default() };
    let flags = RecipeOverrides { config: flags, ..RecipeOverrides::default() };
    let found = read(text, &flags).unwrap().config;
    assert_eq!((found.secrets.len(), secret_files(&found.secrets[0])), (1, vec![("a", "a"), ("b", "b")]));
}

#[test]
fn rejects_invalid_mounts() {
    for (lines, expected) in [
        (
            "[[config]]\nmount = \"/a\"\ntemplates = [\"a\"]\nreload = \"never\"",
            "`never` is not one of `restart`, `watch` and `signal:NAME`",
        ),
        ("[[config]]\nmount = \"/a\"\ntemplates = [\"a\"]\nreload = \"signal:HUP\"", "`HUP` is not a signal"),
        ("[[secret]]\nmount = \"/a\"\nkeys = []", "no key is listed for the Secret at `/a`"),
        ("[[secret]]\nmount = \"/a\"\nkeys = [\"b\"]\nname = \"A\"", "`A` is not a valid name of a Secret"),
        ("[[state]]\nmount = \"/a\"\nsize = \"10 GB\"", "`10 GB` is not a quantity"),
        (
            "[[state]]\nmount = \"/a\"\nshared = true",
            "`/a` cannot be shared without a size: each pod would get its own",
        ),
        ("[[variable]]\nname = \"1\"\nfrom = \"/a/b\"", "`1` is not a valid variable name"),
        (
            "[image.labels]\n\"io.coracle.config.v1\" = \"x\"",
            "`io.coracle.config.v1` is a reserved label, which Coracle writes",
        ),
    ] {
        assert_eq!(messages_of(lines), [expected], "{lines}");
    }
}

#[test]
fn probes_are_shared_or_separate() {
    let probes = |text: &str| {
        let text = format!("[image]\nprograms = [\"app\"]\n[kubernetes]\nprobes = {text}\n");
        parse_recipe(Path::new("coracle.toml"), text.as_bytes(), &RecipeOverrides::default())
            .map(|recipe| recipe.kubernetes.probes)
    };
    let simple = probes("{ http = \"/health\", period = 3 }").unwrap();
    assert!(simple.startup.is_none() && simple.readiness == simple.liveness);
    assert_eq!(simple.liveness.unwrap().period, Some(3));
    let each = probes("{ startup = { tcp = 1 }, liveness = { exec = [\"/x\"] } }").unwrap();
    assert!(each.startup.is_some() && each.readiness.is_none() && each.liveness.is_some());
    for (text, part) in [
        ("{}", "needs exactly one of"),
        ("{ http = \"/\", tcp = 1 }", "needs exactly one of"),
        ("{ http = \"/\", liveness = { tcp = 1 } }", "a shared probe cannot be combined"),
        ("{ period = 1, liveness = { tcp = 1 } }", "applies to none of them"),
        ("{ tcp = 0 }", "cannot use port 0"),
        ("{ exec = [\"/x\"], port = 1 }", "has no effect without `http`"),
        (
            "{ liveness = { httpp = \"/\" } }",
            "unknown key `httpp` in `kubernetes.probes.liveness`; did you mean `http`?",
        ),
        ("\"/health\"", "expected a table"),
    ] {
        let message = probes(text).unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn paths_of_flags_may_be_any_bytes() {
    use std::os::unix::ffi::OsStringExt as _;

    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsString::from_vec(b"not-utf8-\xff".to_vec());
    let path = folder.path().join(name);
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("app.toml"), "").unwrap();
    let flag = |key: &str, path: &Path| {
        let mut text = std::ffi::OsString::from(key);
        text.push("=");
        text.push(path);
        text
    };
    let mut mount = path.clone().into_os_string();
    mount.push(":/etc/app");
    let flags = RecipeOverrides {
        programs: vec!["app".into()],
        config: ConfigOverrides {
            mounts: vec![mount],
            set_files: vec![flag("a.b", &path.join("app.toml"))],
            exact_set_files: vec![flag("a.c", &path.join("app.toml"))],
            ..ConfigOverrides::default()
        },
        sysroots: vec![flag("linux/arm64", &path)],
        ..RecipeOverrides::default()
    };
    let recipe = Recipe::from_flags(&flags).unwrap();
    assert_eq!(recipe.config.mounts[0].files[0].source, path.join("app.toml"));
    assert!(
        matches!(&recipe.config.values[0], ValueSource::SetFile { path: file, is_exact: false, .. } if *file == path.join("app.toml"))
    );
    let sysroot = &recipe.contents.root_overrides[0];
    assert_eq!(
        (sysroot.platform.as_ref().unwrap().to_string(), &sysroot.directory),
        ("linux/arm64".into(), &path)
    );
}
