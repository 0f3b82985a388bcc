//! Scans of whole files: what is found in which format, and what is not.
//!
//! Secrets are joined here so that secret scanners do not report this file.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;

const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ9vT2LsE4pH";
const PASSWORD: &str = "x7Kp2q9ZtL";

fn token() -> String {
    ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat()
}

fn pem() -> String {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let (begin, end) = (format!("BEGIN PRIVATE{}", " KEY"), format!("END PRIVATE{}", " KEY"));
    format!("-----{begin}-----\n{line}\n{line}\n-----{end}-----\n")
}

/// Returns the descriptions of the errors in a file that is included at `path`.
fn errors(path: &str, content: &[u8]) -> Vec<String> {
    let path: coracle_core::path::ImagePath = path.parse().unwrap();
    let is_config = path.file_name().is_some_and(config_file_names::is_config_file_name);
    let scope = if is_config { ScanScope::IncludedConfig } else { ScanScope::Included };
    let findings = SecretScanner::new(ForbiddenContents::default()).scan_bytes(&path, scope, content);
    let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.description).collect()
}

#[test]
fn finds_logins_in_the_formats_of_programs() {
    let authority = BASE64_STANDARD.encode("certificate ".repeat(100));
    let encoded = BASE64_STANDARD.encode(format!("ada:{PASSWORD}"));
    for (name, content) in [
        (".npmrc", format!("//registry.npmjs.org/:_authToken={SECRET}")),
        (".npmrc", format!("//registry.npmjs.org/:_password={}", BASE64_STANDARD.encode(PASSWORD))),
        (".npmrc", format!("_auth={encoded}")),
        (
            "kube/config",
            format!(
                "clusters:\n- certificate-authority-data: {authority}\ncontexts: []\ncurrent-context: a\nusers:\n- user:\n    token: {SECRET}\n"
            ),
        ),
        (".pgpass", format!("db.acme.dev:5432:shop:ada:{PASSWORD}")),
        (".netrc", format!("default login ada password {PASSWORD}")),
        ("redis.conf", format!("requirepass {PASSWORD}")),
        ("secrets.yml", format!("secret_key_base: {SECRET}")),
        (".env", format!("DB_PASS={PASSWORD}")),
        (".env", format!("DB_PASS=#{PASSWORD}$&;")),
        ("config.json", format!("{{\"pass\": \"{PASSWORD}\"}}")),
        ("wp-config.php", format!("<?php\ndefine( 'DB_PASSWORD', '{PASSWORD}' );")),
        ("appsettings.json", format!("{{\"Db\": \"Server=db;Password={PASSWORD};User=sa\"}}")),
        ("notes", format!("postgres://ada:{PASSWORD}@server7.acme.dev/shop")),
        ("notes", format!("postgres://ada:{PASSWORD}@db.example.com/shop")),
        ("values.yaml", format!("db:\n  env:\n  - name: DB_PASSWORD\n    value: {PASSWORD}\n")),
        ("settings.xml", format!("<server><password>{PASSWORD}</password></server>")),
        ("rclone.conf", format!("[dav]\npass = {PASSWORD}")),
        ("deploy.sh", format!("curl -u ada:{PASSWORD} https://acme.dev")),
        ("header.txt", format!("Authorization: Basic {encoded}")),
    ] {
        assert_eq!(errors(&format!("/srv/{name}"), content.as_bytes()).len(), 1, "{name}: {content}");
    }
}

#[test]
fn finds_tokens_of_new_issuers() {
    let hex = "f47ac10b58cc4372a5670e02b2c3d479";
    for token in [
        ["AI", "zaSy", &SECRET[..33]].concat(),
        ["cf", "ut_", SECRET, &hex[..8]].concat(),
        ["rk_", "test_", &SECRET[..24]].concat(),
        ["fm", "2_lJPECAAAAAAAAAAAxBA", SECRET, SECRET, SECRET].concat(),
    ] {
        assert_eq!(errors("/srv/notes", token.as_bytes()).len(), 1, "{token}");
    }
    let key = format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"{SECRET}abc\"}}");
    assert_eq!(errors("/srv/key.jwk", key.as_bytes()), ["a private JSON Web Key"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn finds_tokens_in_encodings() {
    let token = token();
    let twice = format!("the token is {token}, the token is {token}");
    let encoded = BASE64_STANDARD.encode(format!("the token is {token}\n"));
    let unicode: String = token.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let percent: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    let utf16: Vec<u8> = format!("token: {token}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for content in [
        encoded.clone().into_bytes(),
        hex.into_bytes(),
        format!("{{\"token\":\"{unicode}\"}}").into_bytes(),
        format!("token={percent}").into_bytes(),
        utf16,
        gzip(twice.as_bytes()),
        gzip(encoded.as_bytes()),
        BASE64_STANDARD.encode(gzip(twice.as_bytes())).into_bytes(),
        [&b"\0\x01z("[..], token.as_bytes(), b"zz\0"].concat(),
    ] {
        assert!(!errors("/srv/data", &content).is_empty(), "{}", String::from_utf8_lossy(&content));
    }
}

#[test]
fn finds_a_key_once() {
    let indented: String = pem().lines().map(|line| format!("    {line}\n")).collect();
    for (name, content) in [
        ("key.pem", pem()),
        ("key.yaml", format!("key: |\n{indented}")),
        ("key.json", format!("{{\"key\": {:?}}}", pem())),
        (".env", format!("KEY={:?}", pem())),
        ("key.b64", BASE64_STANDARD.encode(pem())),
    ] {
        assert_eq!(errors(&format!("/srv/{name}"), content.as_bytes()).len(), 1, "{name}");
    }
}

#[test]
fn accepts_what_is_no_secret() {
    for (path, content) in [
        ("/srv/secrets.yaml", format!("password: ENC[AES256_GCM,data:{SECRET},iv:x,tag:y,type:str]")),
        (
            "/srv/sealed.yaml",
            format!("kind: SealedSecret\nspec:\n  encryptedData:\n    password: AgB{SECRET}{SECRET}"),
        ),
        ("/srv/app.py", "new_token = record[\"_id\"]\npassword = os.environ[\"PASSWORD\"]".to_owned()),
        ("/srv/.env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN=changeme\n# PASSWORD=tr0ub4dor".to_owned()),
        ("/srv/values.yaml", "existingSecret: my-secret\nsecretName: db-password\npassword: \"\"".to_owned()),
        ("/srv/i18n.yaml", "password: Kennwort\ntoken: Zugriffsschluessel".to_owned()),
        ("/srv/app.js", format!("const key = \"{}\";", "sortableColumnKey")),
        (
            "/srv/api.json",
            "\"output_token\": \"Jobs[-1].JobId\", \"result_key\": \"PublicIpv4Pools\"".to_owned(),
        ),
        ("/srv/examples-1.json", "{\"NewPassword\": \"]35d/{pB9Fo9wJ\"}".to_owned()),
        ("/srv/node_modules/a/test.js", format!("password: '{PASSWORD}'")),
        (
            "/srv/literals",
            ["rk_", "live_variablepriorityKeyShareHellogl", "pat-gldt-glrt-glcbt-glptt-glft-glsoat-"]
                .concat(),
        ),
        (
            "/srv/parser",
            format!("\0-----BEGIN RSA PRIVATE{0}-----\0-----END RSA PRIVATE{0}-----\0asn1", " KEY"),
        ),
        (
            "/srv/doc.md",
            format!(
                "-----BEGIN RSA PRIVATE{0}-----\nMIIEpQIBAAKCAQEAuyf/lNrH9ck8DmNyo3fGgvCI1l9s\n-----END RSA PRIVATE{0}-----",
                " KEY"
            ),
        ),
    ] {
        assert_eq!(errors(path, content.as_bytes()), [""; 0], "{path}: {content}");
    }
}

#[test]
fn offsets_are_in_the_file() {
    let text = format!("a: 1\nb: 2\nkey: |\n  {}", pem().replace('\n', "\n  "));
    for content in
        [text.clone().into_bytes(), BASE64_STANDARD.encode(&text).into_bytes(), gzip(text.as_bytes())]
    {
        let path = "/srv/key.yaml".parse().unwrap();
        let scanner = SecretScanner::new(ForbiddenContents::default());
        for finding in scanner.scan_bytes(&path, ScanScope::Included, &content) {
            assert!(finding.offset < Some(content.len() as u64), "{finding}");
        }
    }
}

/// In text, an offset is that of the secret, whatever the ends of its lines are. In an encoding it is that of the text or
/// member that has the secret, or close to the encoded secret.
#[test]
fn offsets_point_to_the_secret() {
    let token = token();
    let before = "first line\nsecond line\n\nkey: ";
    let plain = format!("{before}{token}\nlast line\n");
    let utf16 =
        |bytes: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let encoded = BASE64_STANDARD.encode(&plain);
    let crlf = plain.replace('\n', "\r\n");
    let minified = format!("{}var a=\"{token}\";{}", "f(1);".repeat(60_000), "g(2);".repeat(60_000));
    let zip =
        [b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), vec![0; 16], vec![5, 0, 0, 0], b"a.txt".to_vec()].concat();
    // A short text is not compressed.
    let long: String = (0..5000).map(|number| format!("{number} ")).collect();
    let long = long + &plain;
    let deflated = gzip(long.as_bytes()).split_off(10);
    for (what, content, expected, tolerance) in [
        ("plain", plain.clone().into_bytes(), before.len(), 0),
        ("CRLF", crlf.clone().into_bytes(), crlf.find(&token).unwrap(), 0),
        ("CR", plain.replace('\n', "\r").into_bytes(), before.len(), 0),
        ("minified", minified.clone().into_bytes(), minified.find(&token).unwrap(), 0),
        ("UTF-8 with a mark", [b"\xef\xbb\xbf", plain.as_bytes()].concat(), before.len() + 3, 0),
        ("UTF-16LE", utf16(u16::to_le_bytes, &format!("\u{feff}{plain}")), 2 * (before.len() + 1), 1),
        ("UTF-16BE", utf16(u16::to_be_bytes, &format!("\u{feff}{plain}")), 2 * (before.len() + 1), 1),
        ("base64", format!("data: {encoded}\n").into_bytes(), "data: ".len() + before.len() * 4 / 3, 3),
        ("gzip", [&b"\x01\x02\x03"[..], &gzip(long.as_bytes())].concat(), 3, 0),
        ("zip member", [&b"\x01\x02\x03\x04"[..], &zip, &deflated].concat(), 4, 0),
        ("base64 of gzip", BASE64_STANDARD.encode(gzip(long.as_bytes())).into_bytes(), 0, 0),
    ] {
        let path = "/srv/data".parse().unwrap();
        let scanner = SecretScanner::new(ForbiddenContents::default());
        let found = scanner.scan_bytes(&path, ScanScope::Included, &content);
        let offsets: Vec<u64> = found.iter().filter_map(|finding| finding.offset).collect();
        let [offset] = offsets[..] else { panic!("{what}: {found:?}") };
        assert!(offset.abs_diff(expected as u64) <= tolerance, "{what}: {offset} is not {expected}");
    }
}
