use super::*;

const OLD: &str = r#"{"version":1,"user":"65532:65532","ports":["8080/tcp"],
    "mounts":[{"path":"/etc/shop","reload":"watch","files":[{"key":"a.toml","format":"toml"},{"key":"b"}]}],
    "parameters":{"n":{"type":"integer"},"s":{"type":"string"}},
    "env":[{"name":"A","from":"/etc/shop/b"}],"writable":[{"path":"/var/lib/shop"}]}"#;

/// The changes from `OLD` to a version of it with `from` replaced.
fn changed(from: &str, to: &str) -> Vec<String> {
    let text = OLD.replace(from, to);
    assert_ne!(text, OLD, "{from}");
    let show = |change: ContractChange| {
        format!(
            "{}{} {} {}",
            if change.is_breaking { "! " } else { "" },
            change.part,
            change.name,
            change.message
        )
    };
    diff_contracts(&Contract::parse(OLD).unwrap(), &Contract::parse(&text).unwrap())
        .into_iter()
        .map(show)
        .collect()
}

#[test]
fn classifies_every_change() {
    for (from, to, expected) in [
        (
            "{\"key\":\"b\"}",
            "{\"key\":\"b\"},{\"key\":\"c\"}",
            "! file /etc/shop/c is new, and the program needs it",
        ),
        (
            "{\"key\":\"b\"}",
            "{\"key\":\"b\"},{\"key\":\"c\",\"optional\":true}",
            "file /etc/shop/c is new, and the program starts without it",
        ),
        (",{\"key\":\"b\"}", "", "file /etc/shop/b is no longer read"),
        (
            "{\"key\":\"b\"}",
            "{\"key\":\"b\",\"secret\":true}",
            "! file /etc/shop/b is secret now and must be in a Secret",
        ),
        ("{\"key\":\"b\"}", "{\"key\":\"b\",\"optional\":true}", "file /etc/shop/b is optional now"),
        ("\"format\":\"toml\"", "\"format\":\"yaml\"", "! file /etc/shop/a.toml is yaml, was toml"),
        ("\"path\":\"/etc/shop\"", "\"path\":\"/etc/store\"", "! mount /etc/store was at `/etc/shop`"),
        ("\"reload\":\"watch\"", "\"reload\":\"restart\"", "reload /etc/shop is `restart`, was `watch`"),
        ("\"type\":\"integer\"", "\"type\":\"number\"", "parameter n is number, was integer"),
        ("\"type\":\"integer\"", "\"type\":\"string\"", "! parameter n is string, was integer"),
        ("{\"type\":\"string\"}", "{\"type\":\"string\",\"secret\":true}", "! parameter s is secret now"),
        ("{\"type\":\"string\"}", "{\"type\":\"string\",\"required\":true}", "! parameter s is required now"),
        (
            ",\"s\":{\"type\":\"string\"}",
            ",\"s\":{\"type\":\"string\"},\"t\":{\"required\":true}",
            "! parameter t is new, and has no default",
        ),
        (",\"s\":{\"type\":\"string\"}", "", "parameter s is no longer used"),
        ("\"name\":\"A\"", "\"name\":\"B\"", "! env B is new, with the text of `/etc/shop/b`"),
        ("8080/tcp", "9090/tcp", "! port 8080/tcp is no longer exposed"),
        ("65532:65532", "1:1", "! user 1:1 was 65532:65532"),
        (
            "{\"path\":\"/var/lib/shop\"}",
            "{\"path\":\"/var/lib/shop\",\"persistent\":true}",
            "! writable /var/lib/shop must outlive the pod now",
        ),
        (
            "{\"path\":\"/var/lib/shop\"}",
            "{\"path\":\"/srv\"}",
            "! writable /srv is new: the program writes to it",
        ),
    ] {
        let found = changed(from, to);
        assert!(found.iter().any(|found| found == expected), "{expected}: {found:#?}");
    }
    let same = Contract::parse(OLD).unwrap();
    assert_eq!(diff_contracts(&same, &same), []);
}
