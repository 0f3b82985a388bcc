//! A program that wants a glibc which is not there yet, and a root with this one.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/glibc.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build ./newer", Check::Exits(&[1])),
        ("objdump", Check::Prints("GLIBC_2.38")),
        ("coracle deps --sysroot", Check::Prints("/lib/x86_64-linux-gnu/libc.so.6")),
    ],
};

/// `newer` is what a linker would write where glibc is newer: it names another version, which nothing here has.
fn prepare(runner: &DocRunner) {
    runner.hello("app").done(
        "sed 's/GLIBC_2\\.34/GLIBC_2.38/' app > newer; chmod +x newer
        mkdir -p sysroot/lib64 sysroot/lib/x86_64-linux-gnu
        cp -L /lib64/ld-linux-x86-64.so.2 sysroot/lib64; cp -L /lib/x86_64-linux-gnu/libc.so.6 sysroot/lib/x86_64-linux-gnu",
    );
}
