//! Tests with whole files: headers, dynamic section, truncation, corruption.

use proptest::prelude::*;

use coracle_testing::SyntheticElf;

use super::*;
use coracle_core::content::Content;

fn read(bytes: Vec<u8>) -> Result<ElfObject> {
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
    let object = read(sample().bytes()).unwrap();
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
        let error = read(bytes[..end].to_vec()).unwrap_err();
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
        let _ = read(bytes.clone());
        let _ = strip(&Content::from_bytes(bytes));
    }
}
