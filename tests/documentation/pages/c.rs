//! Programs of C and C++, one with a library of its own, one that opens a library.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/c.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build ./hello", Check::Prints("9 files")),
        ("coracle deps ./greet", Check::Prints("libstdc++.so.6")),
        ("coracle build bin/ask", Check::Prints("written to oci:ask.oci")),
        ("coracle build ./host", Check::Prints("written to oci:host.oci")),
    ],
};

fn prepare(runner: &DocRunner) {
    runner
        .source("hello.c")
        .file("greet.cc", "#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n")
        .file("answer.c", "int answer(void) { return 42; }\n")
        .file("ask.c", "int answer(void);\nint main(void) { return answer() != 42; }\n")
        .file("host.c", "#include <dlfcn.h>\nint main(void) { return !dlopen(\"libz.so.1\", RTLD_NOW); }\n");
}
