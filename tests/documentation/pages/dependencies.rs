//! Programs of this machine, in a root and of another machine.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/dependencies.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle deps ./app", Check::Prints("libssl.so.3")),
        // Some programs of a machine may lack a library.
        ("coracle deps --format jsonl", Check::Exits(&[0, 4])),
    ],
};

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]).file("hello.c", "int main(void) { return 0; }\n");
    runner.done(
        "mkdir -p rootfs/usr/bin; gcc -static -s -o rootfs/usr/bin/app hello.c
        aarch64-linux-gnu-gcc -s -o app-arm64 hello.c || true",
    );
}
