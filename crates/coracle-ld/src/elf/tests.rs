//! Tests with whole files: headers and dynamic section, handwritten symbol and version tables,
//! truncation, corruption, and malicious tables.

use proptest::prelude::*;

use coracle_testing::SyntheticElf;
use goblin::elf::dynamic as d;

use super::symbols::{gnu_hash, sysv_hash};
use super::*;
use coracle_core::content::{Content, OpenContent};

fn read_object(bytes: Vec<u8>) -> Result<ElfObject> {
    ElfObject::read(&Content::from_bytes(bytes).open()?)
}

fn sample() -> SyntheticElf {
    SyntheticElf {
        interpreter: Some("/lib64/ld-linux-x86-64.so.2"),
        needed: vec!["liba.so.1", "libc.so.6"],
        soname: Some("libx.so"),
        runpath: Some("$ORIGIN/../lib"),
        ..SyntheticElf::default()
    }
}

#[test]
fn reads_headers_and_dynamic_section() {
    let object = read_object(sample().bytes()).unwrap();
    assert_eq!(object.interpreter.unwrap().to_string(), "/lib64/ld-linux-x86-64.so.2");
    assert_eq!(object.dynamic.needed().collect::<Vec<_>>(), [&b"liba.so.1"[..], b"libc.so.6"]);
    assert_eq!(object.dynamic.soname.as_deref(), Some(&b"libx.so"[..]));
    assert_eq!(object.dynamic.runpath.as_deref(), Some(&b"$ORIGIN/../lib"[..]));
    assert_eq!(object.header.machine.platform().unwrap().to_string(), "linux/amd64");
}

#[test]
fn rejects_truncated_files() {
    let bytes = sample().bytes();
    for end in 0..bytes.len() {
        let error = read_object(bytes[..end].to_vec()).unwrap_err();
        assert!(matches!(error, Error::NotElf | Error::Truncated(_)), "{end}: {error}");
    }
}

proptest! {
    #[test]
    fn corrupted_bytes_never_panic(at in 0_usize..400, byte: u8, second in 0_usize..400, other: u8) {
        let mut bytes = sample().bytes();
        let size = bytes.len();
        bytes[at % size] = byte;
        bytes[second % size] = other;
        let _ = read_object(bytes.clone());
        let _ = strip(&Content::from_bytes(bytes));
    }
}

/// Names at their offsets: `foo` at 1, `bar` at 5, `V1` at 9, `liba.so` at 12.
const NAMES: [&str; 4] = ["foo", "bar", "V1", "liba.so"];

/// `Elf64_Sym`: binding and kind, visibility, section, value.
fn symbol(name: u32, info: u8, other: u8, section: u16, value: u64) -> Vec<u8> {
    [&name.to_le_bytes()[..], &[info, other], &section.to_le_bytes(), &value.to_le_bytes(), &[0; 8]].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halves(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}

/// `DT_VERNEED` for `V1` of `liba.so`, with index 2.
fn needed() -> Vec<u8> {
    let need = [halves(&[1, 1]), words(&[12, 16, 0])].concat();
    [need, words(&[sysv_hash(b"V1")]), halves(&[0, 2]), words(&[9, 0])].concat()
}

/// `DT_VERDEF` for the base and for `V1`, with index 2.
fn defined() -> Vec<u8> {
    let definition = |flags, index, hash, name, next| {
        [halves(&[1, flags, index, 1]), words(&[hash, 20, next, name, 0])].concat()
    };
    [definition(1, 1, sysv_hash(b"liba.so"), 12, 28), definition(0, 2, sysv_hash(b"V1"), 9, 0)].concat()
}

/// An object with `DT_HASH` that has the symbol table entry `bar` and refers to `foo` in version
/// `V1`.
fn object(bar: Vec<u8>, entry: u16) -> SyntheticElf {
    let relocation: Vec<u8> = [0_u64, 1 << 32 | 6, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    SyntheticElf {
        names: NAMES.to_vec(),
        tables: vec![
            (d::DT_SYMTAB, [symbol(0, 0, 0, 0, 0), symbol(1, 0x12, 0, 0, 0), bar].concat()),
            (d::DT_VERSYM, halves(&[0, 2, entry])),
            (d::DT_HASH, words(&[1, 3, 2, 0, 0, 0])),
            (d::DT_RELA, relocation),
        ],
        entries: vec![(d::DT_RELASZ, 24)],
        ..SyntheticElf::default()
    }
}

fn read_tables<T>(bytes: Vec<u8>, read: impl FnOnce(&OpenContent, &ElfObject) -> Result<T>) -> Result<T> {
    let file = Content::from_bytes(bytes).open()?;
    let object = ElfObject::read(&file)?;
    read(&file, &object)
}

fn wanted(name: &str, version: Option<SymbolVersion>) -> SymbolReference {
    SymbolReference {
        hash: gnu_hash(name.as_bytes()),
        name: name.into(),
        version: version.map(std::rc::Rc::new),
        class: RelocationClass::Data,
        is_weak: false,
        is_thread_local: false,
    }
}

fn v1() -> SymbolVersion {
    let file = Some(b"liba.so".to_vec());
    SymbolVersion { hash: sysv_hash(b"V1"), name: b"V1".to_vec(), file, is_hidden: false }
}

fn look_up(synthetic: &SyntheticElf, wanted: &SymbolReference, rules: LookupRules) -> Result<LookupResult> {
    read_tables(synthetic.bytes(), |file, object| ExportedSymbols::new(file, object, rules)?.look_up(wanted))
}

#[test]
fn reads_versions_by_address() {
    let mut synthetic = object(symbol(5, 0x12, 0, 1, 1), 2);
    synthetic.tables.extend([(d::DT_VERNEED, needed()), (d::DT_VERDEF, defined())]);
    let versions = read_tables(synthetic.bytes(), SymbolVersions::read).unwrap();
    assert_eq!((&versions.needed[0].name[..], &versions.needed[0].file[..]), (&b"V1"[..], &b"liba.so"[..]));
    assert!(!versions.needed[0].is_weak);
    let names: Vec<_> = versions.defined.iter().map(|version| (&version.name[..], version.is_base)).collect();
    assert_eq!(names, [(&b"liba.so"[..], true), (&b"V1"[..], false)]);
}

#[test]
fn references_have_versions() {
    let mut synthetic = object(symbol(5, 0x12, 0, 1, 1), 2);
    synthetic.tables.push((d::DT_VERNEED, needed()));
    let references = read_tables(synthetic.bytes(), symbol_references).unwrap();
    assert_eq!(references, [wanted("foo", Some(v1()))]);
}

#[test]
fn selects_definitions_as_glibc_and_musl_do() {
    let other = SymbolVersion { name: b"V2".to_vec(), hash: sysv_hash(b"V2"), ..v1() };
    let strict = SymbolVersion { is_hidden: true, ..other.clone() };
    let (yes, no) = (LookupResult::Found, LookupResult::Absent);
    // Info, visibility, section, value, entry of DT_VERSYM, requested version, glibc, musl.
    for (line, (info, visibility, section, value, entry, version, glibc, musl)) in [
        (0x12, 0, 1, 1, 2, None, yes, yes),
        (0x22, 0, 1, 1, 2, None, yes, yes),
        (0x02, 0, 1, 1, 2, None, no, no),
        (0x12, 2, 1, 1, 2, None, no, yes),
        (0x12, 3, 1, 1, 2, None, yes, yes),
        (0x12, 0, 1, 0, 2, None, no, no),
        (0x16, 0, 1, 0, 2, None, yes, yes),
        (0x12, 0, 0, 1, 2, None, yes, yes),
        (0x16, 0, 0, 0, 2, None, no, no),
        (0x13, 0, 1, 1, 2, None, no, no),
        (0x12, 0, 1, 1, 0x8002, None, yes, no),
        (0x12, 0, 1, 1, 0x8003, None, no, no),
        (0x12, 0, 1, 1, 2, Some(v1()), yes, yes),
        (0x12, 0, 1, 1, 0x8002, Some(v1()), yes, no),
        (0x12, 0, 1, 1, 2, Some(other.clone()), no, yes),
        (0x12, 0, 1, 1, 1, Some(other.clone()), yes, yes),
        (0x12, 0, 1, 1, 0x8001, Some(other), no, no),
        (0x12, 0, 1, 1, 1, Some(strict), no, yes),
    ]
    .into_iter()
    .enumerate()
    {
        let mut synthetic = object(symbol(5, info, visibility, section, value), entry);
        synthetic.tables.push((d::DT_VERDEF, defined()));
        let wanted = wanted("bar", version);
        assert_eq!(look_up(&synthetic, &wanted, LookupRules::Glibc).unwrap(), glibc, "glibc, line {line}");
        assert_eq!(look_up(&synthetic, &wanted, LookupRules::Musl).unwrap(), musl, "musl, line {line}");
    }
}

#[test]
fn reports_objects_without_versions() {
    let synthetic = object(symbol(5, 0x12, 0, 1, 1), 2);
    let found = look_up(&synthetic, &wanted("bar", Some(v1())), LookupRules::Glibc).unwrap();
    assert_eq!(found, LookupResult::FoundWithoutVersions);
    assert_eq!(look_up(&synthetic, &wanted("bar", None), LookupRules::Glibc).unwrap(), LookupResult::Found);
    assert_eq!(
        look_up(&synthetic, &wanted("nowhere", None), LookupRules::Glibc).unwrap(),
        LookupResult::Absent
    );
}

#[test]
fn rejects_cyclic_and_oversized_tables() {
    let mut endless = object(symbol(5, 0x12, 0, 1, 1), 2);
    endless.tables[2].1 = words(&[1, 3, 2, 0, 0, 2]);
    let error = look_up(&endless, &wanted("nowhere", None), LookupRules::Glibc).unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");

    // A cyclic chain of long names that differ only at their end.
    let text: &'static str = Box::leak("x".repeat(200_000).into_boxed_str());
    let mut long = object(symbol(20, 0x12, 0, 1, 1), 2);
    long.names.push(text);
    long.tables[2].1 = words(&[1, 3, 2, 0, 0, 2]);
    let start = std::time::Instant::now();
    let almost = format!("{}y", &text[1..]);
    let error = look_up(&long, &wanted(&almost, None), LookupRules::Glibc).unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());

    // A bloom filter that accepts everything, and a chain before the first symbol.
    let mut gnu = object(symbol(5, 0x12, 0, 1, 1), 2);
    let table = words(&[1, 5, 1, 0, u32::MAX, u32::MAX, 1, 0, 0, 0]);
    gnu.tables.push((d::DT_GNU_HASH, table));
    let error = look_up(&gnu, &wanted("bar", None), LookupRules::Glibc).unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");

    let mut versions = SyntheticElf { names: NAMES.to_vec(), ..SyntheticElf::default() };
    versions.tables = vec![(d::DT_VERNEED, [halves(&[1, 1]), words(&[12, 16, 1])].concat().repeat(20_000))];
    assert!(read_tables(versions.bytes(), SymbolVersions::read).is_err());

    let mut relocations = object(symbol(5, 0x12, 0, 1, 1), 2);
    relocations.entries = vec![(d::DT_RELASZ, u64::MAX)];
    assert!(read_tables(relocations.bytes(), symbol_references).is_err());
}

proptest! {
    #[test]
    fn corrupted_tables_never_panic(lies in proptest::collection::vec((232_usize..900, any::<u8>()), 1..6)) {
        let mut synthetic = object(symbol(5, 0x12, 0, 1, 1), 2);
        synthetic.tables.extend([(d::DT_VERNEED, needed()), (d::DT_VERDEF, defined())]);
        if lies.len() % 2 == 0 {
            let table = words(&[1, 1, 1, 0, u32::MAX, u32::MAX, 1, gnu_hash(b"foo") & !1, gnu_hash(b"bar") | 1]);
            synthetic.tables.push((d::DT_GNU_HASH, table));
        }
        let mut bytes = synthetic.bytes();
        let size = bytes.len();
        for (at, byte) in lies {
            bytes[at % size] = byte;
        }
        let _ = read_tables(bytes.clone(), SymbolVersions::read);
        let _ = read_tables(bytes.clone(), symbol_references);
        for rules in [LookupRules::Glibc, LookupRules::Musl] {
            let _ = read_tables(bytes.clone(), |file, object| {
                ExportedSymbols::new(file, object, rules)?.look_up(&wanted("bar", Some(v1())))
            });
        }
    }
}
