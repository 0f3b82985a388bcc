//! Crates that real cargo builds; of targets that no test machine has, programs are there already.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/cargo.md",
    engines: NONE,
    prepare,
    checks: &[
        ("cargo coracle build", Check::Prints("app:latest@sha256:")),
        ("cargo coracle build -p shop", Check::After(workspace)),
    ],
};

fn prepare(runner: &DocRunner) {
    targets(runner);
}

/// The project for the rest of the page: a workspace instead of the new crate.
fn workspace(runner: &DocRunner) {
    runner.done("cd ..; rm -rf app");
    let krate = |folder: &str, name: &str, more: &str| {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n{more}");
        runner
            .file(&format!("{folder}/Cargo.toml"), manifest)
            .file(&format!("{folder}/src/main.rs"), "fn main() {}\n");
    };
    krate(
        ".",
        "shop",
        "\n[workspace]\nmembers = [\"tools\"]\n\n[features]\ntls = []\n\n\
         [[package.metadata.coracle.config]]\nmount = \"/etc/shop\"\ntemplates = [\"shop.conf.j2\"]\n\n\
         [package.metadata.coracle.values]\nfiles = [\"values.toml\"]\n\n\
         [package.metadata.coracle.environments.production]\nvalues = [\"production.toml\"]\n",
    );
    runner.file("shop.conf.j2", "port = {{ port }}\n");
    runner.file("values.toml", "port = 8080\n").file("production.toml", "port = 80\n");
    krate("tools", "tools", "");
    krate("services/shop", "shop", "\n[workspace]\n");
    runner.file("examples/tour.rs", "fn main() {}\n").done("cargo generate-lockfile -q");
}

/// `cargo coracle build --target`: cargo's part is done by compilers of Debian's.
pub(super) fn targets(runner: &DocRunner) {
    let cargo = crate::doc_runner::cargo();
    let cargo = cargo.display();
    runner.tool(
        "cargo-of-targets",
        r#"while [ $# -gt 0 ]; do
    if [ "$1" = --target ]; then
        case $2 in
        *-musl) compile="musl-gcc -static" ;;
        aarch64-*) compile=aarch64-linux-gnu-gcc ;;
        *) compile="gcc -static" ;;
        esac
        mkdir -p "target/$2/release"
        echo 'int main(void) { return 0; }' | $compile -s -x c -o "target/$2/release/app" - || exit
        printf '{"reason":"compiler-artifact","package_id":"path+file:///app#1.2.3","manifest_path":"%s/Cargo.toml",' "$PWD"
        printf '"target":{"kind":["bin"],"name":"app"},"executable":"%s/target/%s/release/app"}\n' "$PWD" "$2"
    fi
    shift
done"#,
    );
    runner.tool(
        "cargo",
        &format!(
            "case \"$*\" in\n'coracle '*--target*) export CARGO=\"$(dirname \"$0\")/cargo-of-targets\"; shift; exec cargo-coracle \"$@\" ;;\n\
             esac\nexec {cargo} \"$@\""
        ),
    );
}
