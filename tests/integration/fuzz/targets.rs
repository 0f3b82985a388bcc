//! The functions that fuzzers run. For all bytes: no panic, bounded time and memory, and the rules
//! that each function states.
//!
//! `fuzz/src/lib.rs` includes this file, too.

#![allow(unreachable_pub, reason = "fuzzers use the functions")]

use std::collections::BTreeSet;

use coracle_core::content::Content;
use coracle_core::digest::Digest;
use coracle_core::file_system::{FileSystem, FsFile, FsNode};
use coracle_core::fs::{FileId, Stat};
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::reference::ImageReference;
use coracle_kube::check::pin::{self, PinnableImage};
use coracle_kube::check::{self, Expectations, ManifestFile};
use coracle_kube::contract::Contract;
use coracle_ld::closure::{Closure, ResolveOptions};
use coracle_ld::elf::{self, ElfObject, ExportedSymbols, LookupRules, Machine, StripResult, SymbolVersions};
use coracle_ld::ldso::ld_so_conf::{self, Directive};
use coracle_ld::ldso::{CacheEntry, LdCache};
use coracle_oci::copy::{ImageLocation, RegistryImageName};
use coracle_oci::image::{Descriptor, GraphError, ImageGraph, RawManifest, media_type};
use coracle_oci::registry::{Challenge, Referrer, Repository};

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

const AMD64: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };
const S390X: Machine = Machine { is_64: true, is_little_endian: false, e_machine: 22, e_flags: 0 };

/// One ELF file: its dynamic section, versions and references; what it exports is found by its own names.
pub fn object(bytes: &[u8]) {
    let content = Content::from_bytes(bytes);
    let file = content.open().unwrap();
    let Ok(object) = ElfObject::read(&file) else { return };
    let _ = SymbolVersions::read(&file, &object);
    let references = elf::symbol_references(&file, &object).unwrap_or_default();
    for manner in [LookupRules::Glibc, LookupRules::Musl] {
        let Ok(mut exports) = ExportedSymbols::new(&file, &object, manner) else { continue };
        let _ = exports.defines(b"main");
        // One look-up may take as long as a look-up may.
        for reference in references.iter().take(16) {
            let _ = exports.look_up(reference);
        }
    }
}

/// A stripped copy says the same to a loader, and there is nothing more to strip.
pub fn strip(bytes: &[u8]) {
    let content = Content::from_bytes(bytes);
    let Ok(StripResult::Smaller(stripped)) = elf::strip(&content) else { return };
    assert!(stripped.size() < content.size());
    let before = ElfObject::read(&content.open().unwrap());
    let after = ElfObject::read(&stripped.open().unwrap());
    if let Ok(before) = before {
        let after = after.expect("what was an object is one");
        assert_eq!(before.interpreter, after.interpreter);
        assert_eq!(before.is_loadable, after.is_loadable);
        assert_eq!(format!("{:?}", before.dynamic), format!("{:?}", after.dynamic));
    }
    assert!(matches!(elf::strip(&stripped), Ok(StripResult::Unchanged)), "stripped once more");
}

/// A loader's cache; a cache of what the input names leads there.
pub fn cache(bytes: &[u8]) {
    for machine in [AMD64, S390X] {
        let hwcaps = [b"x86-64-v3".to_vec(), b"x86-64-v2".to_vec()];
        let _ = LdCache::parse(bytes, machine).lookup(b"libc.so.6", &hwcaps, 0);
        let names = bytes.split(|&byte| byte == 0).filter(|name| !name.is_empty());
        let entry = |name: &[u8]| CacheEntry { name: name.to_vec(), path: RawPath::new(name) };
        let names: BTreeSet<&[u8]> = names.collect();
        let written = LdCache::serialize(names.iter().map(|name| entry(name)).collect(), machine).unwrap();
        let read = LdCache::parse(&written, machine);
        for name in names {
            assert_eq!(read.lookup(name, &hwcaps, 0), Some(RawPath::new(name)));
        }
    }
}

/// `ld.so.conf`, by itself and as every file that it includes.
pub fn conf(bytes: &[u8]) {
    for line in ld_so_conf::parse_directives(bytes) {
        let (Directive::Directory(text) | Directive::Include(text)) = line;
        assert!(!text.is_empty() && !text.contains(&b'\n'));
    }
    let listed = ld_so_conf::read_directories(&Everywhere(bytes));
    let directories: BTreeSet<_> = listed.iter().map(|listed| &listed.directory).collect();
    assert_eq!(directories.len(), listed.len(), "each once");
}

/// The notes of an ELF file, and its strings.
pub fn notes(bytes: &[u8]) {
    let content = Content::from_bytes(bytes);
    let file = content.open().unwrap();
    let words = elf::strings_containing(&file, &[".so", "/"]).unwrap();
    assert!(words.iter().all(|word| bytes.windows(word.len()).any(|window| window == word.as_slice())));
    let Ok(object) = ElfObject::read(&file) else { return };
    let _ = elf::read_notes(&file, &object);
    let _ = elf::dlopen_notes(&file, &object);
}

/// A root in which these bytes are every file: the program, its loader, its libraries, the loader's own files. Scripts
/// start here, too.
pub fn closure(bytes: &[u8]) {
    let around = ResolveOptions::default();
    let _ = Closure::resolve_partial(&Everywhere(bytes), &RawPath::new("/bin/program"), &around);
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
    let expected = Expectations {
        contract: &contract,
        image_files: None,
        user: Some("1"),
        digests: vec!["sha256:00".into()],
        names: vec!["docker.io/library/a:1".into()],
        container_name: None,
        contract_document: None,
    };
    let inputs = [ManifestFile { name: "x".into(), text: text.into() }];
    let report = check::check_manifests(&inputs, &expected);
    let lines = text.lines().count() + 1;
    assert!(report.findings.iter().chain(&report.notes).all(|finding| finding.line <= lines), "{report:?}");
    let known = [PinnableImage { name: "a".into(), reference: "a:1".into(), digest: "sha256:00".into() }];
    if let Ok(resolved) = pin::pin_images(&inputs[0], &known) {
        assert!(!resolved.used_images.is_empty() || resolved.text == text);
        assert!(coracle_kube::yaml::parse_nodes(&resolved.text).is_ok(), "{}", resolved.text);
    }
}

/// Image names and locations: a valid one is printed with the same meaning.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<ImageReference>() {
        let printed = reference.to_string();
        assert_eq!(printed.parse::<ImageReference>().unwrap(), reference, "{printed}");
        let repository = Repository::from(&reference);
        assert!(!repository.registry().is_empty() && !repository.name().is_empty(), "{text}");
    }
    if let Ok(named) = text.parse::<RegistryImageName>() {
        let printed = named.to_string();
        assert_eq!(printed.parse::<RegistryImageName>().ok().as_ref(), Some(&named), "{printed}");
    }
    if let Ok(place) = text.parse::<ImageLocation>() {
        let printed = place.to_string();
        assert_eq!(printed.parse::<ImageLocation>().unwrap(), place, "{printed}");
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
        assert!(Referrer::parse_next_link(line).is_none_or(|target| line.contains(target)));
    }
}

/// A manifest or an index, in which every name leads to this very document; and a list of referrers.
pub fn documents(bytes: &[u8]) {
    let root = |media_type: &str| RawManifest {
        media_type: media_type.into(),
        digest: Digest::compute(bytes),
        bytes: bytes.to_vec(),
    };
    for kind in [media_type::MANIFEST, media_type::INDEX] {
        let fetched = |named: &Descriptor| -> Result<RawManifest, GraphError> {
            Ok(RawManifest { digest: named.digest, ..root(kind) })
        };
        let Ok(graph) = ImageGraph::collect(root(kind), &mut { fetched }) else { continue };
        assert_eq!(graph.root().map(|root| root.digest), Some(Digest::compute(bytes)));
        assert!(graph.blobs.iter().all(|(digest, blob)| *digest == blob.digest));
    }
    let listed = Referrer::parse_index(bytes).unwrap_or_default();
    assert!(listed.len() <= bytes.len());
}

/// A root of two levels, in which every path of two names is this file.
struct Everywhere<'a>(&'a [u8]);

impl FileSystem for Everywhere<'_> {
    fn node(&self, path: &ImagePath) -> coracle_core::fs::Result<Option<FsNode>> {
        let depth = path.components().count();
        // Two paths are two files.
        let inode = path.as_bytes().iter().fold(7, |sum: u64, &byte| sum.wrapping_mul(31) ^ u64::from(byte));
        let stat = Stat::synthetic(FileId { device: 1, inode }, self.0.len() as u64, 0o755);
        Ok(match depth {
            0 | 1 => Some(FsNode::Directory),
            2 => Some(FsNode::File(FsFile { stat, content: Content::from_bytes(self.0) })),
            _ => None,
        })
    }

    fn list(&self, _: &ImagePath) -> coracle_core::fs::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}
