//! An image of a program of this machine, looked into and compared.

use super::{Check, NONE, Page};

pub(super) const PAGE: Page = Page {
    path: "docs/inspect.md",
    engines: NONE,
    prepare: |_| {},
    checks: &[
        ("coracle inspect oci:curl.oci", Check::Prints("layers, the lowest first")),
        ("coracle inspect oci:curl.oci --files", Check::Prints("the image starts it")),
        ("coracle inspect oci:curl.oci --file /etc/passwd", Check::Prints("root:x:0:0")),
        ("coracle inspect oci:curl.oci --why", Check::Prints("the image starts it")),
        ("coracle deps oci:curl.oci", Check::Prints("libcurl.so.4")),
        ("coracle diff oci:curl.oci oci:other.oci", Check::Exits(&[4])),
        ("coracle diff oci:curl.oci oci:other.oci --format markdown", Check::Exits(&[4])),
    ],
};
