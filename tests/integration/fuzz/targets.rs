//! What fuzzers run, and what holds for any bytes whatever: no panic, no end of time or memory, and
//! what is said here.
//!
//! `fuzz/src/lib.rs` includes this file, too.

#![allow(unreachable_pub, reason = "fuzzers use the functions")]

use std::collections::BTreeSet;

use coracle_ld::closure::{Closure, Surroundings};
use coracle_core::content::Content;
use coracle_kube::contract::Contract;
use coracle_core::digest::Digest;
use coracle_ld::elf::{self, Exports, Machine, Manner, Object, Versions};
use coracle_core::fs::{Identity, Stat};
use coracle_oci::image::{Descriptor, Document, Graph, GraphError, media_type};
use coracle_ld::ldso::conf::{self, Line};
use coracle_ld::ldso::{Cache, CacheEntry};
use coracle_kube::check::resolve::{self, Known};
use coracle_kube::check::{self, Expected, Input};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::reference::Reference;
use coracle_oci::registry::{Challenge, Referrer, Repository};
use coracle_oci::copy::{Named, Place};
use coracle_core::file_system::{Node, Tree, TreeFile};

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("object", object),
    ("strip", strip),
    ("cache", cache),
    ("conf", conf),
    ("notes", notes),
    ("closure", closure),
    ("manifest", manifest),
    ("reference", reference),
    ("challenge", challenge),
    ("documents", documents),
];

const AMD64: Machine = Machine { is_64: true, is_little_endian: true, number: 62, flags: 0 };
const S390X: Machine = Machine { is_64: true, is_little_endian: false, number: 22, flags: 0 };

/// One ELF file: its dynamic section, versions and references; what it exports is found by its own names.
pub fn object(bytes: &[u8]) {
    let content = Content::bytes(bytes);
    let file = content.open().unwrap();
    let Ok(object) = Object::read(&file) else { return };
    let _ = Versions::read(&file, &object);
    let references = elf::references(&file, &object).unwrap_or_default();
    for manner in [Manner::Glibc, Manner::Musl] {
        let Ok(mut exports) = Exports::of(&file, &object, manner) else { continue };
        let _ = exports.defines(b"main");
        // One look-up may take as long as a look-up may.
        for reference in references.iter().take(16) {
            let _ = exports.look_up(reference);
        }
    }
}

/// A stripped copy says the same to a loader, and there is nothing more to strip.
pub fn strip(bytes: &[u8]) {
    let content = Content::bytes(bytes);
    let Ok(Some(stripped)) = elf::stripped(&content) else { return };
    assert!(stripped.size() < content.size());
    let before = Object::read(&content.open().unwrap());
    let after = Object::read(&stripped.open().unwrap());
    if let Ok(before) = before {
        let after = after.expect("what was an object is one");
        assert_eq!(before.interpreter, after.interpreter);
        assert_eq!(before.is_loadable, after.is_loadable);
        assert_eq!(format!("{:?}", before.dynamic), format!("{:?}", after.dynamic));
    }
    assert!(elf::stripped(&stripped).is_ok_and(|again| again.is_none()), "stripped once more");
}

/// A loader's cache; a cache of what the input names leads there.
pub fn cache(bytes: &[u8]) {
    for machine in [AMD64, S390X] {
        let hwcaps = [b"x86-64-v3".to_vec(), b"x86-64-v2".to_vec()];
        let _ = Cache::parse(bytes, machine).lookup(b"libc.so.6", &hwcaps, 0);
        let names = bytes.split(|&byte| byte == 0).filter(|name| !name.is_empty());
        let entry = |name: &[u8]| CacheEntry { name: name.to_vec(), path: Spelled::new(name) };
        let names: BTreeSet<&[u8]> = names.collect();
        let written = Cache::write(names.iter().map(|name| entry(name)).collect(), machine);
        let read = Cache::parse(&written, machine);
        for name in names {
            assert_eq!(read.lookup(name, &hwcaps, 0), Some(Spelled::new(name)));
        }
    }
}

/// `ld.so.conf`, by itself and as every file that it includes.
pub fn conf(bytes: &[u8]) {
    for line in conf::parse(bytes) {
        let (Line::Directory(text) | Line::Include(text)) = line;
        assert!(!text.is_empty() && !text.contains(&b'\n'));
    }
    let listed = conf::directories(&Everywhere(bytes));
    let directories: BTreeSet<_> = listed.iter().map(|listed| &listed.directory).collect();
    assert_eq!(directories.len(), listed.len(), "each once");
}

/// What an ELF file says of itself in notes, and its words.
pub fn notes(bytes: &[u8]) {
    let content = Content::bytes(bytes);
    let file = content.open().unwrap();
    let words = elf::words_with(&file, &[".so", "/"]).unwrap();
    assert!(words.iter().all(|word| bytes.windows(word.len()).any(|window| window == word.as_slice())));
    let Ok(object) = Object::read(&file) else { return };
    let _ = elf::notes(&file, &object);
    let _ = elf::dlopen_notes(&file, &object);
}

/// A root in which these bytes are every file: the program, its loader, its libraries, the loader's own files. Scripts
/// start here, too.
pub fn closure(bytes: &[u8]) {
    let around = Surroundings::default();
    let _ = Closure::trace(&Everywhere(bytes), &Spelled::new("/bin/program"), &around);
}

/// Manifests: findings have places in the text, and references are all that changes.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let contract = Contract::parse(
        r#"{"version":1,"user":"1:1","ports":["1/tcp"],"mounts":[{"path":"/etc/a","reload":"watch","files":[
            {"key":"a.toml","format":"toml"},{"key":"b","secret":true}]}],
            "env":[{"name":"A","from":"/etc/a/b"}],"writable":[{"path":"/var/a","persistent":true}]}"#,
    )
    .unwrap();
    let expected = Expected {
        contract: &contract,
        files: None,
        user: Some("1"),
        digests: vec!["sha256:00".into()],
        names: vec!["docker.io/library/a:1".into()],
        container: None,
        document: None,
    };
    let inputs = [Input { name: "x".into(), text: text.into() }];
    let report = check::check(&inputs, &expected);
    let lines = text.lines().count() + 1;
    assert!(report.findings.iter().chain(&report.notes).all(|finding| finding.line <= lines), "{report:?}");
    let known = [Known { name: "a".into(), reference: "a:1".into(), digest: "sha256:00".into() }];
    if let Ok(resolved) = resolve::resolve(&inputs[0], &known) {
        assert!(!resolved.used.is_empty() || resolved.text == text);
        assert!(coracle_kube::yaml::nodes(&resolved.text).is_ok(), "{}", resolved.text);
    }
}

/// What an image is called, and where it is: what is one prints as it was meant.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<Reference>() {
        let printed = reference.to_string();
        assert_eq!(printed.parse::<Reference>().unwrap(), reference, "{printed}");
        let repository = Repository::from(&reference);
        assert!(!repository.registry().is_empty() && !repository.name().is_empty(), "{text}");
    }
    if let Ok(named) = text.parse::<Named>() {
        let printed = named.to_string();
        assert_eq!(printed.parse::<Named>().as_ref(), Ok(&named), "{printed}");
    }
    if let Ok(place) = text.parse::<Place>() {
        let printed = place.to_string();
        assert_eq!(printed.parse::<Place>().unwrap(), place, "{printed}");
    }
}

/// `WWW-Authenticate`, a field a line, and `Link`: whatever is read of them stood there.
pub fn challenge(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for challenge in Challenge::parse(text.lines()) {
        let Challenge::Bearer { realm, service, scope } = challenge else { continue };
        let words = [Some(realm), service, scope].into_iter().flatten();
        assert!(words.map(|word| word.len()).sum::<usize>() <= text.len());
    }
    for line in text.lines() {
        assert!(Referrer::next_page(line).is_none_or(|target| line.contains(target)));
    }
}

/// A manifest or an index, in which every name leads to this very document; and a list of referrers.
pub fn documents(bytes: &[u8]) {
    let root = |media_type: &str| Document {
        media_type: media_type.into(),
        digest: Digest::of(bytes),
        bytes: bytes.to_vec(),
    };
    for kind in [media_type::MANIFEST, media_type::INDEX] {
        let fetched = |named: &Descriptor| -> Result<Document, GraphError> {
            Ok(Document { digest: named.digest, ..root(kind) })
        };
        let Ok(graph) = Graph::read(root(kind), &mut { fetched }) else { continue };
        assert_eq!(graph.root().map(|root| root.digest), Some(Digest::of(bytes)));
        assert!(graph.blobs.iter().all(|(digest, blob)| *digest == blob.digest));
    }
    let listed = Referrer::list(bytes).unwrap_or_default();
    assert!(listed.len() <= bytes.len());
}

/// A root of two levels, in which every path of two names is this file.
struct Everywhere<'a>(&'a [u8]);

impl Tree for Everywhere<'_> {
    fn node(&self, path: &ImagePath) -> coracle_core::fs::Result<Option<Node>> {
        let depth = path.names().count();
        // Two paths are two files.
        let inode = path.as_bytes().iter().fold(7, |sum: u64, &byte| sum.wrapping_mul(31) ^ u64::from(byte));
        let identity = Identity { device: 1, inode };
        let stat = Stat { identity, size: self.0.len() as u64, mode: 0o755, links: 1, times: [(0, 0); 2] };
        Ok(match depth {
            0 | 1 => Some(Node::Directory),
            2 => Some(Node::File(TreeFile { stat, content: Content::bytes(self.0) })),
            _ => None,
        })
    }

    fn list(&self, _: &ImagePath) -> coracle_core::fs::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}
