//! A recipe with all keys, and how flags change it.

use super::*;
use coracle_ld::elf::Priority;
use coracle_ld::implicit::{TimeZones, When};

#[test]
fn parses_all_keys() {
    let recipe = read(WHOLE, &Overrides::default()).unwrap();
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect();
    let expected = Recipe {
        names: vec!["ghcr.io/acme/shop".parse().unwrap()],
        programs: vec![
            Program { from: "target/release/shop".into(), to: None },
            Program { from: "bin/tool".into(), to: Some("/usr/bin/tool".parse().unwrap()) },
        ],
        args: strings(["--config", "/etc/shop/shop.toml"]),
        base: None,
        user: Some(Owner { uid: 1000, gid: 100 }),
        expose: ["8080", "9000/udp"].map(|port| port.parse().unwrap()).into(),
        env: map(&[("RUST_LOG", "info"), ("LANG", "C")]),
        working_dir: Some("/srv".parse().unwrap()),
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
        kubernetes: coracle_kube::manifests::Settings::default(),
        strip: true,
        linkage: crate::recipe::Linkage::Dynamic,
        roots: Vec::new(),
        platform: Some("linux/arm/v7".parse().unwrap()),
        destinations: vec![],
        push: false,
        load: None,
        publish_contract: None,
        allow: [("/srv/assets/demo.pem".parse().unwrap(), "a certificate for the tutorial".into())].into(),
        allow_words: BTreeMap::new(),
        budget: Budget::default(),
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
    assert_eq!(recipe.user, Some(Owner { uid: 5, gid: 100 }));
    assert_eq!(recipe.expose, ["1".parse().unwrap()].into());
    let env: Vec<_> = recipe.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["EMPTY=", "LANG=de=AT", "RUST_LOG=info"]);
    assert_eq!(recipe.working_dir, Some(ImagePath::root()));
    assert_eq!(recipe.stop_signal.unwrap().as_str(), "2");
    assert_eq!(recipe.includes, [Include { from: "a:b".into(), to: Spelled::new("/c") }]);
    assert!(recipe.strip);
    let whole = Overrides { user: Some("7:8".into()), ..Overrides::default() };
    assert_eq!(read(WHOLE, &whole).unwrap().user, Some(Owner { uid: 7, gid: 8 }));
}

#[test]
fn flags_alone_use_defaults() {
    let flags = Overrides { programs: vec!["./app".into()], ..Overrides::default() };
    let recipe = Recipe::from_flags(&flags).unwrap();
    assert_eq!(recipe.user, None);
    assert_eq!(recipe.locate(&recipe.programs[0].from), Path::new("./app"));
    assert_eq!((recipe.working_dir, recipe.strip), (None, false));
}

#[test]
fn paths_are_relative_to_recipe_or_working_directory() {
    let flags = Overrides { includes: vec!["assets:/a".into()], ..Overrides::default() };
    let recipe = parse(Path::new("sub/coracle.toml"), WHOLE.as_bytes(), &flags).unwrap();
    assert_eq!(recipe.folder, Path::new("sub"));
    assert_eq!(recipe.locate(&recipe.programs[0].from), Path::new("sub/target/release/shop"));
    assert_eq!(recipe.locate(&recipe.includes[0].from), std::path::absolute("assets").unwrap());
}

#[test]
fn existing_program_keeps_its_colons() {
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
