#![no_main]

#[allow(dead_code, reason = "each fuzzer runs one of them")]
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::reference(bytes));
