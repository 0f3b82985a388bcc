//! What `cargo package` would publish.

use crate::run;

#[test]
fn the_package_holds_what_it_needs_and_nothing_else() {
    let said = run("bash", &["release/contents", "--allow-dirty"]);
    assert!(said.ends_with(" files are in the package\n"), "{said}");
}
