//! Scans of files in chunks of any size, and of config values.

use proptest::prelude::*;

use coracle_core::content::Content;
use coracle_core::content_scanner::ContentScanner as _;
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::fs::{FileId, Stat};
use coracle_core::hint::Hint as _;
use coracle_core::path::ImagePath;

use super::file_scan::FileScan;
use super::*;
use ConfigValueKind::{Annotation, Arg, Env, Label};

/// Returns the findings in `bytes` when they are passed in chunks that end at `cuts`.
fn found(
    scanner: &SecretScanner,
    bytes: &[u8],
    scope: ScanScope,
    cuts: &[usize],
) -> Vec<(Option<u64>, String)> {
    let subject = FindingSubject::File(ImagePath::root().join(b"f"));
    let mut scan =
        FileScan::new(&scanner.forbidden.config_files, &scanner.secrets, subject, scope, bytes.len() as u64);
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        if let Some(piece) = bytes.get(start..cut).filter(|piece| !piece.is_empty()) {
            scan.update(piece);
            start = cut;
        }
    }
    let mut found: Vec<_> =
        scan.finish().into_iter().map(|finding| (finding.offset, finding.description)).collect();
    found.sort();
    found
}

fn test_scanner() -> SecretScanner {
    let secrets = vec![SecretValue { name: "db.password".into(), value: b"open sesame".to_vec() }];
    let config_files = vec![ConfigFile { description: "`/etc/a`".into(), content: vec![b'a'; 9000] }];
    SecretScanner::new(ForbiddenContents { secrets, config_files, ..ForbiddenContents::default() })
}

/// Secrets that are found. They are joined here so that secret scanners do not report this file.
fn secret() -> impl Strategy<Value = String> {
    let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let (begin, end) = (format!("BEGIN RSA PRIVATE{}", " KEY"), format!("END RSA PRIVATE{}", " KEY"));
    let key = format!("-----{begin}-----\n{line}\n{line}\n-----{end}-----\n");
    let url = ["postgres://shop:", "tr0ub4dor@db.internal/shop"].concat();
    let bot = ["123456789:", "AAwJalrXUtnFEMIK7MDENGbPxRfiCYzQ9vT"].concat();
    prop::sample::select(vec![token, key, url, bot, "open sesame".to_owned()])
}

/// Bytes between them: nothing, text, long runs, zeros.
fn filler() -> impl Strategy<Value = Vec<u8>> {
    let unit = prop::sample::select(vec![&b" "[..], b"word ", b"abc/def+ghi=", b"\0", b"x", b"\\n"]);
    (unit, 0_usize..4000)
        .prop_map(|(unit, size)| unit.iter().copied().cycle().take(size).chain([b' ']).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn findings_do_not_depend_on_chunks(
        parts in proptest::collection::vec((filler(), secret()), 1..4),
        cuts in proptest::collection::vec(0_usize..16_000, 0..8),
        small in 1_usize..64
    ) {
        let mut bytes = Vec::new();
        let mut positions = Vec::new();
        for (filler, secret) in parts {
            bytes.extend(filler);
            positions.push(bytes.len() as u64);
            bytes.extend(secret.into_bytes());
            bytes.push(b'\n');
        }
        let scanner = test_scanner();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort();
        for scope in [ScanScope::Included, ScanScope::Program] {
            let whole = found(&scanner, &bytes, scope, &[]);
            if scope == ScanScope::Included && !bytes.contains(&0) {
                for position in &positions {
                    prop_assert!(whole.iter().any(|(offset, _)| *offset == Some(*position)), "{position} of {whole:?}");
                }
            }
            prop_assert_eq!(&found(&scanner, &bytes, scope, &cuts), &whole);
            let pieces: Vec<usize> = (small..bytes.len()).step_by(small).collect();
            prop_assert_eq!(&found(&scanner, &bytes, scope, &pieces), &whole);
        }
    }
}

#[test]
fn finds_copies_of_configuration_files() {
    let scanner = test_scanner();
    for cuts in [&[][..], &[1], &[4096, 8192]] {
        assert_eq!(found(&scanner, &[b'a'; 9000], ScanScope::Included, cuts).len(), 1);
        assert_eq!(found(&scanner, &[b'a'; 9001], ScanScope::Included, cuts), []);
    }
    let mut other = [b'a'; 9000];
    other[8999] = b'b';
    assert_eq!(found(&scanner, &other, ScanScope::Included, &[4096]), []);
}

#[test]
fn scans_config_values() {
    let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
    for (kind, name, value, expected) in [
        (Label, "token", token.as_str(), true),
        (Env, "DB_PASSWORD", "tr0ub4dor", true),
        (Arg, "1", "--password=tr0ub4dor", true),
        (Annotation, "note", "say open sesame to it", true),
        (Env, "RUST_LOG", "info", false),
        (Env, "PATH", "/usr/local/bin:/usr/bin", false),
        (Arg, "2", "--config=/etc/shop/shop.toml", false),
        (Label, "org.opencontainers.image.revision", "f47ac10b58cc4372a5670e02b2c3d479f47ac10b", false),
    ] {
        let mut scanner = test_scanner();
        scanner.scan_config_value(kind, name, value);
        assert_eq!(scanner.evaluate().is_err(), expected, "{kind} {name}");
    }
}

#[test]
fn reports_a_secret_value_once_per_config_value() {
    for kind in [Env, Label, Annotation, Arg] {
        let mut scanner = test_scanner();
        scanner.scan_config_value(kind, "1", "open sesame, b3BlbiBzZXNhbWU=, open sesame");
        let message = scanner.evaluate().unwrap_err().to_string();
        assert_eq!(message.matches("the secret value").count(), 1, "{message}");
    }
}

#[test]
fn names_the_kind_of_config_value_with_a_password() {
    for (kind, name, value, what) in [
        (Env, "DB_PASSWORD", "tr0ub4dor", "a password in a variable"),
        (Label, "db.password", "tr0ub4dor", "a password in a label"),
        (Annotation, "db.password", "tr0ub4dor", "a password in an annotation"),
        (Arg, "1", "--password=tr0ub4dor", "a password in an argument"),
    ] {
        let mut scanner = test_scanner();
        scanner.scan_config_value(kind, name, value);
        let message = scanner.evaluate().unwrap_err().to_string();
        assert!(message.ends_with(&format!("  {kind}:{name}: {what} (password)")), "{message}");
    }
}

#[test]
fn hints_to_move_a_mount_that_hides_files() {
    let finding = |name: &[u8]| {
        Finding::new_error(FindingSubject::File(ImagePath::root().join(name)), "mount", String::new())
    };
    let hidden = Finding { category: FindingCategory::HiddenByMount, ..finding(b"app") };
    let hint = FindingsError::new(vec![hidden.clone()]).hint().unwrap();
    assert!(hint.starts_with("choose another mount path") && !hint.contains("--allow"), "{hint}");
    let hint = FindingsError::new(vec![hidden, finding(b"page")]).hint().unwrap();
    assert!(hint.contains("--allow '/page=REASON'") && hint.contains("choose another mount path"), "{hint}");
}

/// Returns whether a file from `host` with a token, at `path` in the image, is an error.
fn is_rejected(host: &str, path: &str, packaged_files: Option<PackagedFiles>) -> bool {
    let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
    let stat = Stat::synthetic(FileId { device: 0, inode: 1 }, token.len() as u64, 0o644);
    let entry = Entry {
        node: EntryNode::File(Content::from_host_file(host.into(), stat)),
        owner: Owner::ROOT,
        mode: 0o644,
        modified: 0,
        reason: EntryReason::Included(host.to_owned()),
        layer_kind: LayerKind::Data,
    };
    let mut scanner =
        SecretScanner::new(ForbiddenContents { packaged_files, ..ForbiddenContents::default() });
    let path: ImagePath = path.parse().unwrap();
    let mut scan = scanner.start_scan(&path, &entry).unwrap();
    scan.update(token.as_bytes());
    scan.finish();
    assert_eq!(scanner.findings().len(), 1);
    let has_errors = scanner.has_unaccepted_errors();
    assert_eq!(scanner.evaluate_so_far().is_err(), has_errors);
    has_errors
}

#[test]
fn accepts_contents_of_packaged_files_at_their_own_paths() {
    let listed: PackagedFiles = |files| Some(files.clone());
    let not_listed: PackagedFiles = |_| Some([].into());
    let unknown: PackagedFiles = |_| None;
    let path = "/usr/share/x/readme";
    for (host, packaged_files, expected) in [
        (path, Some(listed), false),
        (path, Some(not_listed), true),
        (path, Some(unknown), true),
        (path, None, true),
        ("/srv/copy", Some(listed), true),
    ] {
        assert_eq!(is_rejected(host, path, packaged_files), expected, "{host}");
    }
}
