//! The functions that the compiler and `core` expect of a C library.
//!
//! Accesses are volatile, so that the compiler does not turn a loop into a call of the same function.
#![allow(unsafe_code, reason = "the functions take pointers and have names of the C library")]
#![allow(clippy::missing_safety_doc, reason = "the contracts are those of the C library")]

use core::ptr;

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    for index in 0..length {
        // SAFETY: the caller guarantees `length` bytes at both places.
        unsafe { ptr::write_volatile(to.add(index), ptr::read_volatile(from.add(index))) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    for index in 0..length {
        // SAFETY: the caller guarantees `length` bytes.
        unsafe { ptr::write_volatile(to.add(index), byte as u8) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    for index in 0..length {
        // SAFETY: the caller guarantees `length` bytes at both places.
        let (left, right) =
            unsafe { (ptr::read_volatile(left.add(index)), ptr::read_volatile(right.add(index))) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    // SAFETY: the contract is the same.
    unsafe { memcmp(left, right, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller guarantees a null byte.
    while unsafe { ptr::read_volatile(text.add(length)) } != 0 {
        length += 1;
    }
    length
}

/// `core` refers to it for unwinding, which `panic=abort` excludes.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
