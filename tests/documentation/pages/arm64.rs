//! Programs of two machines, and their roots.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/arm64.md",
    engines: NONE,
    prepare,
    checks: &[
        ("qemu-aarch64-static", Check::Prints("hello\n")),
        ("coracle build /usr/bin/hello", Check::Prints("linux/arm64")),
    ],
};

fn prepare(runner: &DocRunner) {
    runner.source("hello.c").done(
        "mkdir -p rootfs/amd64/usr/bin rootfs/arm64/usr/bin
        gcc -static -s -o rootfs/amd64/usr/bin/hello hello.c
        if [ -e /usr/bin/aarch64-linux-gnu-gcc ]; then
            aarch64-linux-gnu-gcc -static -s -o rootfs/arm64/usr/bin/hello hello.c
        fi",
    );
}
