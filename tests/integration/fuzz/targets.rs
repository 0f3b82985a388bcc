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
use coracle_core::hint::Hint as _;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::reference::ImageReference;
use coracle_kube::check::pin_images::{self, PinnableImage};
use coracle_kube::check::{self, Expectations, ManifestFile};
use coracle_kube::contract::Contract;
use coracle_kube::template::{TemplateSource, TemplateSyntax};
use coracle_ld::closure::{Closure, ResolveOptions, Resolver};
use coracle_ld::elf::{self, ElfObject, ExportedSymbols, LookupRules, Machine, StripResult, SymbolVersions};
use coracle_ld::implicit::{self, DataSources, ImplicitPolicy, Inclusion, ProgramRole};
use coracle_ld::ldso::ld_so_conf::{self, Directive};
use coracle_ld::ldso::{CacheEntry, LdCache};
use coracle_oci::copy::{ImageLocation, RegistryImageName};
use coracle_oci::image::{Descriptor, GraphError, ImageGraph, RawManifest, media_type};
use coracle_oci::layout::read_disk_image;
use coracle_oci::registry::{Challenge, Referrer, Repository};
use coracle_testing::SyntheticElf;

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
    ("image", image),
    ("layer", layer),
    ("archive", archive),
    ("template", template),
    ("yaml", yaml),
    ("recipe", recipe),
    ("packages", packages),
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
        // Longer names than paths can be are not read.
        let names = bytes.split(|&byte| byte == 0).filter(|name| (1..4096).contains(&name.len()));
        let entry = |name: &[u8]| CacheEntry { name: name.to_vec(), path: RawPath::new(name) };
        let names: BTreeSet<&[u8]> = names.collect();
        let written = LdCache::serialize(names.iter().map(|name| entry(name)).collect(), machine).unwrap();
        let read = LdCache::parse(&written, machine);
        for name in names {
            let found = read.lookup(name, &hwcaps, 0).expect("each name is found");
            assert_eq!(as_compared(found.as_bytes()), as_compared(name));
        }
    }
}

/// A name as the loader compares it: for its binary search, `libx.so.07` and `libx.so.7` are equal.
fn as_compared(name: &[u8]) -> Vec<i64> {
    let mut parts: Vec<i64> = Vec::new();
    let mut is_number = false;
    for &byte in name {
        let was_number = std::mem::replace(&mut is_number, byte.is_ascii_digit());
        match parts.last_mut().filter(|_| was_number && is_number) {
            // Numbers are distinguished from bytes by their range.
            Some(number) => {
                let value = i32::try_from(*number >> 9).unwrap();
                let next = value.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
                *number = i64::from(next) << 9 | 256;
            }
            None if is_number => parts.push(i64::from(byte - b'0') << 9 | 256),
            None => parts.push(i64::from(byte)),
        }
    }
    parts
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
    // A carriage return alone ends a line of YAML.
    let lines = text.matches(['\n', '\r']).count() + 1;
    assert!(report.findings.iter().chain(&report.notes).all(|finding| finding.line <= lines), "{report:?}");
    let known = [PinnableImage { name: "a".into(), reference: "a:1".into(), digest: "sha256:00".into() }];
    if let Ok(resolved) = pin_images::pin_images(&inputs[0], &known) {
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

/// A layout whose JSON these bytes are: index, manifest and config, separated by NUL. `MANIFEST` and `CONFIG` stand for the
/// digests of these.
pub fn image(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |&byte| byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let [index, manifest, config] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let directory = tempfile::tempdir().unwrap();
    let blobs = directory.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |text: &str| {
        let digest = Digest::compute(text.as_bytes());
        std::fs::write(blobs.join(digest.hex()), text).unwrap();
        digest.to_string()
    };
    let manifest = manifest.replace("CONFIG", &put(&config));
    let index = index.replace("MANIFEST", &put(&manifest));
    std::fs::write(directory.path().join("index.json"), &index).unwrap();
    std::fs::write(directory.path().join("manifest.json"), &manifest).unwrap();
    read_image(&format!("oci:{}", directory.path().display()));
    std::fs::remove_file(directory.path().join("index.json")).unwrap();
    read_image(&format!("oci:{}", directory.path().display()));
}

/// Reads all of an image. Its text reaches no terminal.
fn read_image(location: &str) {
    let image = match read_disk_image(&location.parse().unwrap()) {
        Ok(image) => image,
        Err(error) => {
            let _ = error.hint();
            return;
        }
    };
    let _ = image.label("io.coracle.config.v1", None);
    let _ = image.read_artifact("application/vnd.example");
    for platform in &image.images {
        assert!(!platform.platform.to_string().contains(coracle_core::escape::is_unsafe));
        let _ = (platform.total_size(), platform.user());
        let Ok(files) = image.read_files(platform) else { continue };
        for (path, _) in files.iter() {
            // Every path can be reached by listing directories from the root. A layer may have entries below a link.
            assert!(path.parent().is_none_or(|parent| {
                let is_there = parent.file_name().is_none() || files.get(&parent).is_some();
                is_there
                    && files.child_names(&parent).iter().any(|name| Some(name.as_slice()) == path.file_name())
            }));
            let _ = files.resolve_links(path);
        }
    }
}

/// The tar of a layer, below one with some files.
pub fn layer(bytes: &[u8]) {
    let mut lower = tar::Builder::new(Vec::new());
    for (name, kind) in
        [("d/", tar::EntryType::Directory), ("d/f", tar::EntryType::Regular), ("g", tar::EntryType::Regular)]
    {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        lower.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8]| std::fs::write(directory.path().join(name), content).unwrap();
    put("lower", &lower.into_inner().unwrap());
    put("upper", bytes);
    put("config", br#"{"os":"linux","architecture":"amd64"}"#);
    put("manifest.json", br#"[{"Config":"config","Layers":["lower","upper"]}]"#);
    read_image(&format!("oci:{}", directory.path().display()));
}

/// An archive of an image, of Docker's or OCI's format.
pub fn archive(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.tar");
    std::fs::write(&path, bytes).unwrap();
    read_image(&format!("oci-archive:{}", path.display()));
    read_image(&format!("docker-archive:{}", path.display()));
}

/// A template, which includes a file.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let template =
        TemplateSource { path: "a.j2".into(), text: text.into(), syntax: TemplateSyntax::default() };
    let includes = [("b.j2".to_owned(), "{{ a }}{% include 'b.j2' %}".to_owned())].into();
    let values = serde_json::json!({"a": "x", "b": [1, 2, {"c": true}], "d": {"e": null}});
    let keys = template.used_keys_with(&includes);
    if let Ok(rendered) = template.render_with(&includes, &values) {
        assert!(keys.is_ok());
        for offset in 0..=rendered.text.len().min(64) {
            let line = rendered.template_line(offset).map(|(_, line)| line);
            assert!(line.is_none_or(|line| line <= text.lines().count().max(1) + 1));
        }
    }
}

/// Values in YAML: nodes have places in the text.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let documents = coracle_kube::yaml::parse_documents(text);
    if let Ok(nodes) = coracle_kube::yaml::parse_nodes(text) {
        // A carriage return alone ends a line of YAML.
        let lines = text.matches(['\n', '\r']).count() + 1;
        assert!(nodes.iter().all(|node| node.span.line <= lines));
        assert!(documents.is_err() || documents.is_ok_and(|documents| documents.len() == nodes.len()));
    }
}

/// A recipe, with a program from the command line.
pub fn recipe(bytes: &[u8]) {
    let flags = coracle::recipe::RecipeOverrides { programs: vec!["app".into()], ..Default::default() };
    if let Err(error) = coracle::recipe::parse_recipe("coracle.toml".as_ref(), bytes, &flags) {
        let _ = (error.to_string(), error.hint());
    }
}

/// Lists of packages, certificates and `openssl.cnf`: every file of a root is this one. A program with TLS reads them.
pub fn packages(bytes: &[u8]) {
    let mut root = coracle_core::file_system::MemoryFs::default();
    for path in [
        "/etc/ssl/certs/ca-certificates.crt",
        "/usr/share/ca-certificates/mozilla/a.crt",
        "/var/lib/dpkg/info/ca-certificates.list",
        "/lib/apk/db/installed",
        "/usr/lib/ssl/openssl.cnf",
        "/etc/nsswitch.conf",
        "/etc/pam.d/app",
        "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules",
        "/etc/ld.so.conf",
    ] {
        root.add_file(path, bytes);
    }
    let elf = |soname, needed: &[&'static str], interpreter, text: &[u8]| {
        let runpath = Some("/usr/lib");
        let elf =
            SyntheticElf { soname, needed: needed.to_vec(), interpreter, runpath, ..SyntheticElf::default() };
        [&elf.bytes(), text].concat()
    };
    let loader = "ld-linux-x86-64.so.2";
    root.add_file("/lib64/ld-linux-x86-64.so.2", &elf(Some(loader), &[], None, b"\0/lib/\0/usr/lib/\0lib\0"));
    root.add_file("/usr/lib/libc.so.6", &elf(Some("libc.so.6"), &[loader], None, b""));
    for name in ["libssl.so.3", "libcrypto.so.3", "libpam.so.0"] {
        let library = elf(Some(name), &["libc.so.6"], None, b"\0OPENSSLDIR: \"/usr/lib/ssl\"\0");
        root.add_file(&format!("/usr/lib/{name}"), &library);
    }
    let needed = ["libssl.so.3", "libcrypto.so.3", "libpam.so.0", "libc.so.6"];
    root.add_file("/app/app", &elf(None, &needed, Some("/lib64/ld-linux-x86-64.so.2"), b""));
    let policy = ImplicitPolicy {
        certificates: Inclusion::Always,
        nss: Inclusion::Always,
        pam: Some(vec!["app".into()]),
        charsets: Some(vec!["UTF-16".into()]),
        ..ImplicitPolicy::default()
    };
    let options = ResolveOptions::default();
    let resolver = Resolver::new(&root, &options);
    let mut closure = resolver.resolve(&RawPath::new("/app/app")).unwrap();
    let sources = DataSources { tree: &root, fallback: None, untracked: &root, options: &options };
    for executed in &mut closure.executed {
        let role = ProgramRole::Entrypoint;
        if let Err(error) = implicit::add_implicit_dependencies(&resolver, sources, &policy, executed, role) {
            let _ = (error.to_string(), error.hint());
        }
    }
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
