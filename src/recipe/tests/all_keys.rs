//! A recipe with all keys, how flags change it, and the template with all keys.

use super::*;
use crate::recipe::{Inventory, SbomOutput};
use coracle_inventory::sbom::SbomFormat;
use coracle_ld::elf::DlopenPriority;
use coracle_ld::implicit::{ImplicitPolicy, Inclusion, TimeZones};
use coracle_ld::ldso::HwcapsSelection;

#[test]
fn parses_all_keys() {
    let recipe = read(ALL_KEYS, &RecipeOverrides::default()).unwrap();
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect();
    let image = ImageSettings {
        names: vec!["ghcr.io/acme/shop".parse().unwrap()],
        has_default_name: false,
        args: strings(["--config", "/etc/shop/shop.toml"]),
        base: None,
        user: Some(Owner { uid: 1000, gid: 100 }),
        exposed_ports: ["8080", "9000/udp"].map(|port| port.parse().unwrap()).into(),
        env: map(&[("RUST_LOG", "info"), ("LANG", "C")]),
        working_dir: Some("/srv".parse().unwrap()),
        stop_signal: Some("SIGRTMIN+3".parse().unwrap()),
        labels: map(&[("a", "1")]),
        annotations: map(&[("org.opencontainers.image.title", "Shop")]),
        platform: Some("linux/arm/v7".parse().unwrap()),
    };
    let contents = Contents {
        programs: vec![
            RecipeProgram { from: "target/release/shop".into(), to: None },
            RecipeProgram { from: "bin/tool".into(), to: Some("/usr/bin/tool".parse().unwrap()) },
        ],
        includes: vec![RecipeInclude {
            from: "assets/".into(),
            to: RawPath::new("/srv/assets/"),
            exclude: vec!["*.map".parse().unwrap()],
            times: FileTimes::Epoch,
        }],
        exclude: Vec::new(),
        include_times: None,
        implicit: ImplicitPolicy {
            certificates: Inclusion::Always,
            local_certificates: true,
            nss: Inclusion::Auto,
            nss_modules: strings(["sss"]),
            openssl: Inclusion::Never,
            libgcc: Inclusion::Never,
            dlopen: strings(["libpq.so.5"]),
            dlopen_notes: Some(DlopenPriority::Suggested),
            time_zones: Some(TimeZones::Listed(strings(["Europe/Berlin"]))),
            locales: Some(strings(["C.UTF-8"])),
            charsets: Some(Vec::new()),
            pam: Some(strings(["login"])),
            plugins: Some(strings(["gio"])),
            ignored: ["/usr/share/vim".to_owned()].into(),
        },
        complete: true,
        hwcaps: HwcapsSelection::UpTo(b"x86-64-v3".to_vec()),
        strip: true,
        inventory: Inventory { packages: false, licences: true },
        root_overrides: Vec::new(),
    };
    let checks = BuildChecks {
        linkage: Linkage::Dynamic,
        allowed_paths: [("/srv/assets/demo.pem".parse().unwrap(), "a certificate for the tutorial".into())]
            .into(),
        ..BuildChecks::default()
    };
    let sbom = SbomOutput { attached: [SbomFormat::CycloneDx].into(), ..SbomOutput::default() };
    let output = OutputSettings { compression: "zstd:9".parse().unwrap(), sbom, ..OutputSettings::default() };
    assert_eq!(recipe, Recipe { image, contents, output, checks, ..Recipe::default() });
}

#[test]
fn flags_replace_lists_and_merge_into_maps() {
    let flags = RecipeOverrides {
        names: strings(["shop:1", "shop:2", "shop:1"]),
        programs: vec!["other:/app/other".into()],
        args: strings(["-v"]),
        user: Some("5".into()),
        expose: strings(["1"]),
        env: strings(["LANG=de=AT", "EMPTY="]),
        working_dir: Some("/".into()),
        stop_signal: Some("2".into()),
        includes: vec!["a:b:/c".into()],
        exclude: strings(["*.o"]),
        include_times: Some("zero".into()),
        platform: Some("linux/arm64".into()),
        destinations: vec!["oci:x".parse().unwrap()],
        ..RecipeOverrides::default()
    };
    let recipe = read(ALL_KEYS, &flags).unwrap();
    assert_eq!(recipe.image.names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["shop:1", "shop:2"]);
    let to = Some("/app/other".parse().unwrap());
    assert_eq!(recipe.contents.programs, [RecipeProgram { from: "other".into(), to }]);
    assert_eq!(recipe.image.args, ["-v"]);
    assert_eq!(recipe.image.user, Some(Owner { uid: 5, gid: 100 }));
    assert_eq!(recipe.image.exposed_ports, ["1".parse().unwrap()].into());
    let env: Vec<_> = recipe.image.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["EMPTY=", "LANG=de=AT", "RUST_LOG=info"]);
    assert_eq!(recipe.image.working_dir, Some(ImagePath::root()));
    assert_eq!(recipe.image.stop_signal.unwrap().as_str(), "2");
    let include = RecipeInclude { from: "a:b".into(), to: RawPath::new("/c"), ..RecipeInclude::default() };
    assert_eq!(recipe.contents.includes, [include]);
    assert_eq!(recipe.contents.exclude, ["*.o".parse().unwrap()]);
    assert_eq!(recipe.contents.include_times, Some(FileTimes::Zero));
    assert!(recipe.contents.strip);
    let whole = RecipeOverrides { user: Some("7:8".into()), ..RecipeOverrides::default() };
    assert_eq!(read(ALL_KEYS, &whole).unwrap().image.user, Some(Owner { uid: 7, gid: 8 }));
}

#[test]
fn flags_alone_use_defaults() {
    let flags = RecipeOverrides { programs: vec!["./app".into()], ..RecipeOverrides::default() };
    let recipe = Recipe::from_flags(&flags).unwrap();
    assert_eq!(recipe.image.user, None);
    assert_eq!(recipe.resolve_path(&recipe.contents.programs[0].from), Path::new("./app"));
    assert_eq!((recipe.image.working_dir, recipe.contents.strip), (None, false));
}

#[test]
fn paths_are_relative_to_recipe_or_working_directory() {
    let flags = RecipeOverrides { includes: vec!["assets:/a".into()], ..RecipeOverrides::default() };
    let recipe = parse_recipe(Path::new("sub/coracle.toml"), ALL_KEYS.as_bytes(), &flags).unwrap();
    assert_eq!(recipe.source.recipe_dir, Path::new("sub"));
    assert_eq!(recipe.resolve_path(&recipe.contents.programs[0].from), Path::new("sub/target/release/shop"));
    assert_eq!(
        recipe.resolve_path(&recipe.contents.includes[0].from),
        std::path::absolute("assets").unwrap()
    );
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
        let flags = RecipeOverrides { programs: vec![path.clone().into()], ..RecipeOverrides::default() };
        let programs = Recipe::from_flags(&flags).unwrap().contents.programs;
        assert_eq!(programs, [RecipeProgram { from, to: to.map(|to| to.parse().unwrap()) }]);
    }
}

#[test]
fn template_has_the_default_values() {
    let template = include_bytes!("../../../templates/coracle.toml");
    let recipe = parse_recipe(Path::new("coracle.toml"), template, &RecipeOverrides::default()).unwrap();
    let flags = RecipeOverrides {
        programs: vec!["target/release/app".into()],
        names: vec!["app".into()],
        ..RecipeOverrides::default()
    };
    assert_eq!(recipe, Recipe::from_flags(&flags).unwrap());
}

/// The keys in comments of the template are valid, and all keys are there.
#[test]
fn template_shows_all_kubernetes_keys() {
    let template = include_str!("../../../templates/coracle.toml");
    let (_, shown) = template.split_once("# [[secret]]").unwrap();
    let (shown, _) = shown.split_once("# Static data").unwrap();
    let is_key = |line: &str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let lines = shown.lines().filter_map(|line| line.strip_prefix("# ").filter(|line| is_key(line)));
    let text = format!("[image]\nprograms = [\"app\"]\n[[secret]]\n{}", lines.collect::<Vec<_>>().join("\n"));
    let recipe =
        parse_recipe(Path::new("coracle.toml"), text.as_bytes(), &RecipeOverrides::default()).unwrap();
    assert_eq!((recipe.kubernetes.replicas, recipe.config.writable_directories.len()), (Some(2), 1));
    for key in known_keys::known_keys_of::<schema::KubernetesTable>() {
        assert!(shown.contains(key), "{key}");
    }
}
