//! A program of Zig, and one of C.

use coracle_testing::kubernetes_tools;

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/zig.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build ./hello", Check::Prints("in 1 layer")),
        ("coracle build ./hello:/app/hello", Check::Prints("linux/amd64, linux/arm64")),
        ("coracle build ./older", Check::Prints("in 2 layers")),
    ],
};

const HELLO: &str = r#"const std = @import("std");

pub fn main() void {
    std.debug.print("hello\n", .{});
}
"#;

fn prepare(runner: &DocRunner) {
    let zig = kubernetes_tools::path("zig");
    runner.tool("zig", &format!("exec {} \"$@\"", zig.display()));
    runner.file("hello.zig", HELLO).source("hello.c").done("mv hello.c older.c");
}
