//! Mounts, variables and probes.

use super::*;

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
    let found = read(text, &RecipeOverrides::default()).unwrap().config;
    assert_eq!(
        (found.mounts[0].reload.to_string().as_str(), found.mounts[0].is_optional),
        ("signal:SIGHUP", true)
    );
    let secret = &found.secrets[0];
    assert_eq!(
        (secret.name.as_deref(), &secret.keys),
        (Some("shop"), &strings(["password", "tls.key"]).to_vec())
    );
    assert_eq!(
        (found.writable_directories[0].size.as_deref(), found.writable_directories[0].is_shared),
        (Some("10Gi"), true)
    );
    assert_eq!((found.variables[0].name.as_str(), found.variables[0].is_secret_allowed), ("LEVEL", true));

    let flags =
        ConfigOverrides { secrets: vec!["/run/secrets/app=a,b".into()], ..ConfigOverrides::default() };
    let flags = RecipeOverrides { config: flags, ..RecipeOverrides::default() };
    let found = read(text, &flags).unwrap().config;
    assert_eq!((found.secrets.len(), &found.secrets[0].keys), (1, &strings(["a", "b"]).to_vec()));
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
