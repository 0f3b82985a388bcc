use super::*;
use crate::elf::Priority;
use crate::runtime::{TimeZones, When};

fn read(text: &str, flags: &Overrides) -> Result<Recipe, Error> {
    parse(Path::new("coracle.toml"), text.as_bytes(), flags)
}

/// What is wrong with a recipe that names a program and has these lines below `[image]`.
fn refused(lines: &str) -> Vec<String> {
    let text = format!("[image]\nprograms = [\"app\"]\n{lines}");
    match read(&text, &Overrides::default()) {
        Err(Error::Illegal(problems)) => problems.into_iter().map(|problem| problem.message).collect(),
        other => panic!("{other:?}"),
    }
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).into()
}

pub(super) const WHOLE: &str = r#"
version = 1

[image]
name = "ghcr.io/acme/shop"
programs = ["target/release/shop", { from = "bin/tool", to = "/usr/bin/" }]
args = ["--config", "/etc/shop/shop.toml"]
user = 1000
group = 100
expose = [8080, "9000/udp"]
env = { RUST_LOG = "info", LANG = "C" }
working-dir = "/srv/"
stop-signal = "SIGRTMIN+3"
labels = { a = "1" }
strip = true
compression = "zstd:9"
platform = "linux/arm/v7"

[image.annotations]
"org.opencontainers.image.title" = "Shop"

[[include]]
from = "assets/"
to = "/srv/assets/"

[runtime]
certificates = true
nss = "auto"
nss-modules = ["sss"]
openssl = false
libgcc = "false"
dlopen = ["libpq.so.5"]
dlopen-notes = "suggested"
time-zones = ["Europe/Berlin"]
locales = ["C.UTF-8"]
charsets = []
pam = ["login"]
plugins = ["gio"]
hwcaps = "x86-64-v3"

[allow]
"/srv/assets/demo.pem" = "a certificate for the tutorial"
"#;

#[test]
fn a_whole_recipe() {
    let recipe = read(WHOLE, &Overrides::default()).unwrap();
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect();
    let expected = Recipe {
        names: vec!["ghcr.io/acme/shop".parse().unwrap()],
        programs: vec![
            Program { from: "target/release/shop".into(), to: None },
            Program { from: "bin/tool".into(), to: Some("/usr/bin/tool".parse().unwrap()) },
        ],
        args: strings(["--config", "/etc/shop/shop.toml"]),
        user: Owner { uid: 1000, gid: 100 },
        expose: ["8080", "9000/udp"].map(|port| port.parse().unwrap()).into(),
        env: map(&[("RUST_LOG", "info"), ("LANG", "C")]),
        working_dir: "/srv".parse().unwrap(),
        stop_signal: Some("SIGRTMIN+3".parse().unwrap()),
        labels: map(&[("a", "1")]),
        annotations: map(&[("org.opencontainers.image.title", "Shop")]),
        includes: vec![Include { from: "assets/".into(), to: Spelled::new("/srv/assets/") }],
        runtime: Policy {
            certificates: When::Always,
            nss: When::Auto,
            nss_modules: strings(["sss"]),
            openssl: When::Never,
            libgcc: When::Never,
            dlopen: strings(["libpq.so.5"]),
            dlopen_notes: Some(Priority::Suggested),
            time_zones: Some(TimeZones::Some(strings(["Europe/Berlin"]))),
            locales: Some(strings(["C.UTF-8"])),
            charsets: Some(Vec::new()),
            pam: Some(strings(["login"])),
            plugins: Some(strings(["gio"])),
        },
        hwcaps: Hwcaps::UpTo(b"x86-64-v3".to_vec()),
        config: Configuration::default(),
        compression: "zstd:9".parse().unwrap(),
        kubernetes: crate::kubernetes::Settings::default(),
        strip: true,
        roots: Vec::new(),
        platform: Some("linux/arm/v7".parse().unwrap()),
        destinations: vec![],
        publish_contract: None,
        allow: [("/srv/assets/demo.pem".parse().unwrap(), "a certificate for the tutorial".into())].into(),
        allow_words: BTreeMap::new(),
        strict: false,
        folder: ".".into(),
        places: BTreeMap::new(),
    };
    assert_eq!(recipe, expected);
}

#[test]
fn flags_replace_lists_and_merge_into_maps() {
    let flags = Overrides {
        names: strings(["shop:1", "shop:2", "shop:1"]),
        programs: vec!["other:/app/other".into()],
        args: strings(["-v"]),
        user: Some("5".into()),
        expose: strings(["1"]),
        env: strings(["LANG=de=AT", "EMPTY="]),
        working_dir: Some("/".into()),
        stop_signal: Some("2".into()),
        includes: vec!["a:b:/c".into()],
        platform: Some("linux/arm64".into()),
        destinations: vec!["oci:x".parse().unwrap()],
        ..Overrides::default()
    };
    let recipe = read(WHOLE, &flags).unwrap();
    assert_eq!(recipe.names.iter().map(Reference::to_string).collect::<Vec<_>>(), ["shop:1", "shop:2"]);
    let to = Some("/app/other".parse().unwrap());
    assert_eq!(recipe.programs, [Program { from: "other".into(), to }]);
    assert_eq!(recipe.args, ["-v"]);
    assert_eq!(recipe.user, Owner { uid: 5, gid: 100 });
    assert_eq!(recipe.expose, ["1".parse().unwrap()].into());
    let env: Vec<_> = recipe.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["EMPTY=", "LANG=de=AT", "RUST_LOG=info"]);
    assert_eq!(recipe.working_dir, ImagePath::root());
    assert_eq!(recipe.stop_signal.unwrap().as_str(), "2");
    assert_eq!(recipe.includes, [Include { from: "a:b".into(), to: Spelled::new("/c") }]);
    assert!(recipe.strip);
    let whole = Overrides { user: Some("7:8".into()), ..Overrides::default() };
    assert_eq!(read(WHOLE, &whole).unwrap().user, Owner { uid: 7, gid: 8 });
}

#[test]
fn flags_alone_have_defaults() {
    let flags = Overrides { programs: vec!["./app".into()], ..Overrides::default() };
    let recipe = Recipe::from_flags(&flags).unwrap();
    assert_eq!(recipe.user.to_string(), "65532:65532");
    assert_eq!(recipe.locate(&recipe.programs[0].from), Path::new("./app"));
    assert_eq!((recipe.working_dir.to_string().as_str(), recipe.strip), ("/", false));
}

#[test]
fn paths_start_where_they_are_written() {
    let flags = Overrides { includes: vec!["assets:/a".into()], ..Overrides::default() };
    let recipe = parse(Path::new("sub/coracle.toml"), WHOLE.as_bytes(), &flags).unwrap();
    assert_eq!(recipe.folder, Path::new("sub"));
    assert_eq!(recipe.locate(&recipe.programs[0].from), Path::new("sub/target/release/shop"));
    assert_eq!(recipe.locate(&recipe.includes[0].from), std::path::absolute("assets").unwrap());
}

#[test]
fn a_program_that_is_there_keeps_its_colons() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a:/b");
    std::fs::create_dir(folder.path().join("a:")).unwrap();
    for (there, from, to) in [(false, folder.path().join("a"), Some("/b")), (true, path.clone(), None)] {
        if there {
            std::fs::write(&path, "").unwrap();
        }
        let flags = Overrides { programs: vec![path.clone().into()], ..Overrides::default() };
        let programs = Recipe::from_flags(&flags).unwrap().programs;
        assert_eq!(programs, [Program { from, to: to.map(|to| to.parse().unwrap()) }]);
    }
}

#[test]
fn every_unknown_key_is_found_in_every_table() {
    let text = r#"
imgae = 1
name = "shop"
zebra = 1
nam = "shop"
[image]
nmae = "shop"
working_dir = "/"
zebra = true
version = 1
programs = [{ form = "a", from = "b" }]
[[include]]
from = "a"
to = "/b"
form = "a"
"#;
    let Err(Error::Illegal(problems)) = read(text, &Overrides::default()) else { panic!() };
    let found: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.place.as_ref().unwrap().line, problem.message))
        .collect();
    assert_eq!(
        found,
        [
            "2: unknown key `imgae` in the recipe; did you mean `image`?",
            "3: unknown key `name` in the recipe; it belongs below `[image]`",
            "4: unknown key `zebra` in the recipe",
            "5: unknown key `nam` in the recipe; did you mean `name` below `[image]`?",
            "7: unknown key `nmae` in `[image]`; did you mean `name`?",
            "8: unknown key `working_dir` in `[image]`; did you mean `working-dir`?",
            "9: unknown key `zebra` in `[image]`",
            "10: unknown key `version` in `[image]`; it belongs to the top of the recipe",
            "11: unknown key `form` in this table; did you mean `from`?",
            "15: unknown key `form` in `[[include]]`; did you mean `from`?",
        ]
    );
}

#[test]
fn all_wrong_types_are_found_beside_unknown_keys() {
    let text = r#"
include = [{ from = 1, to = "/a" }, { from = "a", to = "/b", too = 1 }]
[image]
name = 1
programs = ["a", 2]
user = true
expose = "8080"
strip = "yes"
nmae = "x"
"#;
    let Err(Error::Illegal(problems)) = read(text, &Overrides::default()) else { panic!() };
    let found: Vec<_> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.place.as_ref().unwrap().line, problem.message))
        .collect();
    assert_eq!(
        found,
        [
            "2: invalid type: integer `1`, expected a string",
            "2: unknown key `too` in `[[include]]`; did you mean `to`?",
            "4: invalid type: integer `1`, expected a string",
            "5: invalid type: integer `2`, expected a path, or a table with `from`",
            "6: invalid type: boolean `true`, expected a number or a string",
            "7: invalid type: string \"8080\", expected a sequence",
            "8: invalid type: string \"yes\", expected a boolean",
            "9: unknown key `nmae` in `[image]`; did you mean `name`?",
        ]
    );
}

#[test]
fn a_table_is_no_list() {
    for text in ["image = [\"shop\"]", "[[image]]\nname = \"a\"", "include = [[\"a\", \"/b\"]]", "image = 1"]
    {
        let Err(Error::Illegal(problems)) = read(text, &Overrides::default()) else { panic!("{text}") };
        assert!(problems[0].message.ends_with("expected a table"), "{problems:?}");
    }
}

#[test]
fn illegal_words() {
    for (line, message) in [
        ("name = \"Shop\"", "`Shop` is not an image name: "),
        ("expose = [0]", "`0` is not a port: it must be a number from 1 to 65535"),
        ("user = \"nobody\"", "the user `nobody` is not numeric"),
        ("user = -1", "`-1` is not a user number: it must be a number from 0 to 2147483647"),
        ("user = \"1:2\"\ngroup = 2", "the group is said twice, by `user` and by `group`"),
        ("env = { \"A=B\" = \"1\" }", "`A=B` is not the name of a variable: it holds `=`"),
        ("env = { \"\" = \"1\" }", "a name is empty"),
        ("env = { A = \"\\u0000\" }", "a value holds a NUL byte"),
        ("args = [\"\\u0000\"]", "an argument holds a NUL byte"),
        ("working-dir = \"srv\"", "`srv` is not a path inside an image: it must start with `/`"),
        ("stop-signal = \"TERM\"", "`TERM` is not a signal"),
        ("platform = \"arm64\"", "`arm64` is not a platform"),
        ("[[include]]\nfrom = \"\"\nto = \"/a\"", "the path of a file is empty"),
        ("[[include]]\nfrom = \"a\"\nto = \"/a/../b\"", "`/a/../b` is not a path inside an image: "),
        ("[[include]]\nfrom = \"a\"", "missing field `to`"),
        ("[allow]\nsrv = \"x\"", "`srv` is not a path inside an image: it must start with `/`"),
        ("[allow]\n\"/a\" = \" \"", "nothing says why `/a` is allowed"),
    ] {
        let problems = refused(line);
        assert!(problems.len() == 1 && problems[0].starts_with(message), "{line}: {problems:?}");
    }
}

#[test]
fn platforms_have_roots_of_their_own() {
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
fn illegal_roots_of_platforms() {
    for (text, line, message) in [
        (
            "[platform.\"linux/arm64\"]\nsysrot = \"a\"\nroot = \"b\"",
            4,
            "unknown key `sysrot` in `[platform.\"linux/arm64\"]`; did you mean `sysroot`?",
        ),
        (
            "[platform.\"linux/arm64\"]\nsysroot = \"a\"\nroot = \"b\"",
            4,
            "`sysroot` can't go together with `root`",
        ),
        ("[platform.arm64]\nroot = \"b\"", 3, "`arm64` is not a platform"),
        ("[platform.\"linux/arm64\"]", 3, "nothing is said of this platform"),
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
        // A top-level key has to stand above the first table.
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

#[test]
fn what_runtime_says_by_flags_replaces_the_file() {
    let runtime = RuntimeOverrides {
        certificates: Some("false".into()),
        dlopen_notes: Some("false".into()),
        time_zones: Some(Vec::new()),
        charsets: strings(["UTF-16", "UTF-16"]),
        hwcaps: Some("none".into()),
        ..RuntimeOverrides::default()
    };
    let recipe = read(WHOLE, &Overrides { runtime, ..Overrides::default() }).unwrap();
    assert_eq!((recipe.runtime.certificates, recipe.runtime.nss), (When::Never, When::Auto));
    assert_eq!((recipe.runtime.dlopen_notes, recipe.runtime.time_zones), (None, Some(TimeZones::All)));
    assert_eq!((recipe.runtime.charsets, recipe.hwcaps), (Some(strings(["UTF-16"])), Hwcaps::None));
    assert_eq!(recipe.runtime.locales, Some(strings(["C.UTF-8"])));
}

#[test]
fn illegal_words_about_the_runtime() {
    for (line, message) in [
        ("certificates = \"yes\"", "`yes` is none of `auto`, `true` and `false`"),
        ("certificate = true", "unknown key `certificate` in `[runtime]`; did you mean `certificates`?"),
        ("nss = 1", "expected `true`, `false` or a word"),
        ("time-zones = 1", "expected `true`, `false` or a list of names"),
        ("time-zones = [\"../passwd\"]", "`../passwd` is no name of such a thing"),
        ("locales = [\"a/b\"]", "`a/b` is no name of such a thing"),
        ("dlopen = [\"\"]", "`` is no name of such a thing"),
        ("dlopen-notes = true", "`true` is none of `required`, `recommended`, `suggested` and `false`"),
        ("plugins = [\"qt\"]", "`qt` is no family of plugins"),
    ] {
        let text = format!("[image]\nprograms = [\"app\"]\n[runtime]\n{line}");
        let Err(Error::Illegal(problems)) = read(&text, &Overrides::default()) else { panic!("{line}") };
        let found: Vec<_> =
            problems.iter().map(|p| (p.place.as_ref().unwrap().line, p.message.as_str())).collect();
        assert_eq!(found, [(4, message)], "{line}");
    }
}

#[test]
fn illegal_flags_name_the_flag() {
    let flags = Overrides {
        programs: vec!["app:/".into(), "".into()],
        names: strings(["UP"]),
        env: strings(["A", "=1"]),
        includes: vec!["a".into(), "a:/../b".into()],
        ..Overrides::default()
    };
    let Err(Error::Illegal(problems)) = Recipe::from_flags(&flags) else { panic!() };
    let flags: Vec<_> = problems.iter().map(|problem| problem.message.split(':').next().unwrap()).collect();
    assert_eq!(flags, ["`--tag`", "`PROGRAM`", "`--env`", "`--env`", "`--include`", "`--include`"]);
}

#[test]
fn places_are_shown_with_a_mark() {
    let error = read("[image]\n\tname = \"Shop\"", &Overrides::default()).unwrap_err().to_string();
    let (message, place) = error.split_once('\n').unwrap();
    assert!(message.starts_with("`Shop` is not an image name: "), "{message}");
    assert_eq!(place, "   --> coracle.toml:2:9\n  2 |  name = \"Shop\"\n    |         ^^^^^^");
}

#[test]
fn broken_toml_shows_the_place() {
    for (text, line, column) in [
        ("[image\n", 1, 7),
        ("a = \n", 1, 5),
        ("[image]\nname = \"a\"\nname = \"b\"", 3, 1),
        ("é = \"\u{7f}\"", 1, 1),
    ] {
        let Err(Error::Illegal(problems)) = read(text, &Overrides::default()) else { panic!("{text}") };
        let place = problems[0].place.as_ref().unwrap();
        assert_eq!((place.line, place.column), (line, column), "{text}: {problems:?}");
        assert!(problems[0].message.starts_with("`coracle.toml` is not TOML: "));
    }
    let error = parse(Path::new("x"), b"a = 1\nb = \"\xff\"", &Overrides::default()).unwrap_err().to_string();
    assert_eq!(error, "`x` is not UTF-8, so it is no TOML\n   --> x:2:6\n  2 | b = \"\n    |      ^");
}

#[test]
fn a_long_line_is_cut_round_its_place() {
    let long = format!("/{}", "x".repeat(499));
    let text = format!("[allow]\n\"{long}\" = \"\"");
    let error = read(&text, &Overrides::default()).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines[1], "   --> coracle.toml:2:506");
    let mark = lines[3].find('^').unwrap();
    assert_eq!(&lines[2][mark..], "\"\"");
    assert!(lines[2].len() < 120);
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_panic(bytes: Vec<u8>, text in "(\\[image\\]\n)?([a-z]{0,5} ?= ?[\\[\\]{}\",=a-z0-9\n]{0,12}\n){0,4}") {
        let _ = parse(Path::new("x"), &bytes, &Overrides::default()).map_err(|e| e.to_string());
        let _ = parse(Path::new("x"), text.as_bytes(), &Overrides::default()).map_err(|e| e.to_string());
    }
}

#[test]
fn the_template_is_a_recipe_and_its_values_are_the_defaults() {
    let template = include_bytes!("../../templates/coracle.toml");
    let recipe = parse(Path::new("coracle.toml"), template, &Overrides::default()).unwrap();
    let flags = Overrides {
        programs: vec!["target/release/app".into()],
        names: vec!["app".into()],
        ..Overrides::default()
    };
    assert_eq!(recipe, Recipe::from_flags(&flags).unwrap());
}

/// The keys that the template shows in comments are legal, and all keys are shown.
#[test]
fn the_template_shows_how_it_runs_on_kubernetes() {
    let template = include_str!("../../templates/coracle.toml");
    let (_, shown) = template.split_once("# [[secret]]").unwrap();
    let (shown, _) = shown.split_once("# Static data").unwrap();
    let is_key = |line: &str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let lines = shown.lines().filter_map(|line| line.strip_prefix("# ").filter(|line| is_key(line)));
    let text = format!("[image]\nprograms = [\"app\"]\n[[secret]]\n{}", lines.collect::<Vec<_>>().join("\n"));
    let recipe = parse(Path::new("coracle.toml"), text.as_bytes(), &Overrides::default()).unwrap();
    assert_eq!((recipe.kubernetes.replicas, recipe.config.states.len()), (Some(2), 1));
    for key in super::schema::keys_of::<super::schema::Kubernetes>() {
        assert!(shown.contains(key), "{key}");
    }
}

#[test]
fn probes_are_one_for_everything_or_one_for_each() {
    let probes = |text: &str| {
        let text = format!("[image]\nprograms = [\"app\"]\n[kubernetes]\nprobes = {text}\n");
        parse(Path::new("coracle.toml"), text.as_bytes(), &Overrides::default())
            .map(|recipe| recipe.kubernetes.probes)
    };
    let simple = probes("{ http = \"/health\", period = 3 }").unwrap();
    assert!(simple.startup.is_none() && simple.readiness == simple.liveness);
    assert_eq!(simple.liveness.unwrap().period, Some(3));
    let each = probes("{ startup = { tcp = 1 }, liveness = { exec = [\"/x\"] } }").unwrap();
    assert!(each.startup.is_some() && each.readiness.is_none() && each.liveness.is_some());
    for (text, part) in [
        ("{}", "asks one question"),
        ("{ http = \"/\", tcp = 1 }", "asks one question"),
        ("{ http = \"/\", liveness = { tcp = 1 } }", "beside one that has a name"),
        ("{ period = 1, liveness = { tcp = 1 } }", "belongs to one of them"),
        ("{ tcp = 0 }", "no port 0"),
        ("{ exec = [\"/x\"], port = 1 }", "goes with `http` alone"),
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
fn what_a_program_finds_beside_its_image() {
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
keys = ["password", "tls.key"]
[[state]]
mount = "/var/lib/shop"
size = "10Gi"
shared = true
[[variable]]
name = "LEVEL"
from = "/etc/shop/level"
secret-in-environment = true
"#;
    let found = read(text, &Overrides::default()).unwrap().config;
    assert_eq!(
        (found.mounts[0].reload.to_string().as_str(), found.mounts[0].is_optional),
        ("signal:SIGHUP", true)
    );
    let secret = &found.secrets[0];
    assert_eq!(
        (secret.name.as_deref(), &secret.keys),
        (Some("shop"), &strings(["password", "tls.key"]).to_vec())
    );
    assert_eq!((found.states[0].size.as_deref(), found.states[0].is_shared), (Some("10Gi"), true));
    assert_eq!((found.variables[0].name.as_str(), found.variables[0].may_be_secret), ("LEVEL", true));

    let flags =
        ConfigOverrides { secrets: vec!["/run/secrets/app=a,b".into()], ..ConfigOverrides::default() };
    let flags = Overrides { config: flags, ..Overrides::default() };
    let found = read(text, &flags).unwrap().config;
    assert_eq!((found.secrets.len(), &found.secrets[0].keys), (1, &strings(["a", "b"]).to_vec()));
}

#[test]
fn mounts_that_are_wrong() {
    for (lines, expected) in [
        (
            "[[config]]\nmount = \"/a\"\ntemplates = [\"a\"]\nreload = \"never\"",
            "`never` is none of `restart`, `watch` and `signal:NAME`",
        ),
        ("[[config]]\nmount = \"/a\"\ntemplates = [\"a\"]\nreload = \"signal:HUP\"", "`HUP` is not a signal"),
        ("[[secret]]\nmount = \"/a\"\nkeys = []", "no key of the Secret at `/a` is named"),
        ("[[secret]]\nmount = \"/a\"\nkeys = [\"b\"]\nname = \"A\"", "`A` is no name of a Secret"),
        ("[[state]]\nmount = \"/a\"\nsize = \"10 GB\"", "`10 GB` is no quantity"),
        ("[[state]]\nmount = \"/a\"\nshared = true", "`/a` has no size, so every pod has one of its own"),
        ("[[variable]]\nname = \"1\"\nfrom = \"/a/b\"", "`1` is no name of a variable"),
        (
            "[image.labels]\n\"io.coracle.config.v1\" = \"x\"",
            "`io.coracle.config.v1` is written by Coracle itself",
        ),
    ] {
        assert_eq!(refused(lines), [expected], "{lines}");
    }
}
