//! An image that is signed with a new key, and by the signer of the examples.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page { path: "docs/signing.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
    runner.copy(page::root().join("examples/signers/openssl"), "examples/signers/openssl");
    runner.done("openssl ecparam -name prime256v1 -genkey -noout -out plain.key");
}
