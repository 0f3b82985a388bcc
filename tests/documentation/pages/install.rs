//! The directories of shell completions.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/install.md",
    engines: NONE,
    prepare,
    checks: &[("coracle --version", Check::Prints("coracle "))],
};

fn prepare(runner: &DocRunner) {
    runner.done("mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc ~/.config/fish/completions");
}
