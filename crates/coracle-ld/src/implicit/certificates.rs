//! A bundle of CA certificates, for programs that use TLS.

use super::policy::When;
use super::program::Program;
use super::wants::Wants;
use super::{Error, openssl};
use crate::elf::{self, Toolchain};
use coracle_core::path::{ImagePath, Spelled};

/// Paths of the bundle on different distributions, as in Go's `crypto/x509/root_linux.go`.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Libraries that use the bundle.
const LIBRARIES: [&str; 2] = ["libssl.so", "libgnutls.so"];

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let policy = program.policy.certificates;
    let asks = match policy {
        When::Never => false,
        When::Always => true,
        When::Auto => {
            LIBRARIES.iter().any(|name| program.library(name).is_some()) || is_go_with_tls(program)?
        }
    };
    if !asks {
        return Ok(());
    }
    for bundle in BUNDLES {
        let Some(extra) = program.data(&Spelled::new(bundle), "CA certificates")? else { continue };
        wants.extras.push(extra);
        return lead_openssl(program, &Spelled::new(bundle), wants);
    }
    let hint =
        "install `ca-certificates` where the image is built, or leave them out with `--certificates false`";
    if policy == When::Always {
        wants.lack("cannot find a bundle of CA certificates", hint);
    } else {
        wants.warn(format!("no CA certificates were found, so the program can't verify TLS servers\n{hint}"));
    }
    Ok(())
}

/// Adds `cert.pem` in OpenSSL's directory as a link to the bundle if the distribution has none
/// there.
fn lead_openssl(program: &Program<'_>, bundle: &Spelled, wants: &mut Wants) -> Result<(), Error> {
    let Some(libcrypto) = program.library("libcrypto.so") else { return Ok(()) };
    let Some(directory) = openssl::directory(libcrypto, "OPENSSLDIR")? else { return Ok(()) };
    let file = Spelled::in_directory(directory.as_bytes(), b"cert.pem");
    let why = "link to the CA certificates for OpenSSL";
    match (program.data(&file, why)?, ImagePath::parse(file.as_bytes())) {
        (Some(extra), _) => wants.extras.push(extra),
        (None, Ok(path)) => wants.link(path, bundle.clone(), why),
        (None, Err(_)) => {}
    }
    Ok(())
}

/// Returns whether the program was linked by Go and has functions of `crypto/x509` in its function
/// table.
fn is_go_with_tls(program: &Program<'_>) -> Result<bool, Error> {
    let Some(itself) = program.itself() else { return Ok(false) };
    let file = itself.file.content.open()?;
    let is_go = elf::toolchain(&file, &itself.object)? == Some(Toolchain::Go);
    Ok(is_go && !elf::words_in(&file, &itself.object, &["crypto/x509."])?.is_empty())
}
