//! The bundle of CA certificates of programs that use TLS.

use super::error::Error;
use super::implicit_policy::Inclusion;
use super::local_certificates::PackagedCertificates;
use super::openssl::built_in_directory;
use super::program_context::ProgramContext;
use super::requested_dependencies::RequestedDependencies;
use crate::elf::{self, Toolchain};
use coracle_core::path::{ImagePath, RawPath};

/// Paths of the bundle on different distributions, as in Go's `crypto/x509/root_linux.go`.
pub(super) const BUNDLE_PATHS: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Libraries that use the bundle.
const TLS_LIBRARIES: [&str; 2] = ["libssl.so", "libgnutls.so"];

/// Adds the bundle of the file system, and a link to it for OpenSSL.
pub(super) fn add_certificates(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let policy = program.policy.certificates;
    let is_wanted = match policy {
        Inclusion::Never => false,
        Inclusion::Always => true,
        Inclusion::Auto => {
            TLS_LIBRARIES.iter().any(|name| program.library_with_prefix(name).is_some())
                || is_go_with_x509(program)?
                || reads_certificate_variable(program)
        }
    };
    let option = "local-certificates";
    if !is_wanted {
        if program.policy.local_certificates {
            let why = "`local-certificates` has no effect: the image has no CA certificates";
            requests.mark_unused(option, why, "leave it out, or add `--certificates true`");
        }
        return Ok(());
    }
    requests.mark_used(option);
    let packaged = PackagedCertificates::read(program.sources)?;
    for bundle in BUNDLE_PATHS {
        let Some(file) = program.data_file(&RawPath::new(bundle), "CA certificates")? else { continue };
        let Some(file) = packaged.without_local(program, file, requests)? else { continue };
        requests.data_files.push(file);
        return link_for_openssl(program, &RawPath::new(bundle), &packaged, requests);
    }
    let hint =
        "install `ca-certificates` where the image is built, or leave them out with `--certificates false`";
    if policy == Inclusion::Always {
        requests.add_unmet("cannot find a bundle of CA certificates", hint);
    } else {
        requests.add_warning(format!(
            "no CA certificates were found, so the program can't verify TLS servers\n{hint}"
        ));
    }
    Ok(())
}

/// Adds `cert.pem` in OpenSSL's directory as a link to the bundle if the distribution has none
/// there.
fn link_for_openssl(
    program: &ProgramContext<'_>,
    bundle: &RawPath,
    packaged: &PackagedCertificates,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let Some(libcrypto) = program.library_with_prefix("libcrypto.so") else { return Ok(()) };
    let Some(directory) = built_in_directory(libcrypto, "OPENSSLDIR")? else { return Ok(()) };
    let link = RawPath::join_bytes(directory.as_bytes(), b"cert.pem");
    let why = "link to the CA certificates for OpenSSL";
    match (program.data_file(&link, why)?, ImagePath::parse(link.as_bytes())) {
        // It may be a link to the bundle, or a bundle of its own.
        (Some(file), _) => {
            let file = packaged.without_local(program, file, requests)?;
            requests.data_files.extend(file);
        }
        (None, Ok(path)) => requests.add_link(path, bundle.clone(), why),
        (None, Err(_)) => {}
    }
    Ok(())
}

/// Returns whether the program was linked by Go and has functions of `crypto/x509` in its function
/// table.
fn is_go_with_x509(program: &ProgramContext<'_>) -> Result<bool, Error> {
    let object = program.program_object();
    let has_x509 = program.own_data.texts.contains("crypto/x509.");
    Ok(has_x509
        && elf::detect_toolchain(&object.file.content.open()?, &object.object.header)? == Some(Toolchain::Go))
}

/// Returns whether the program reads the variable that replaces the bundle. Libraries in Rust look for
/// it, and for the bundle at paths that they join at run time. Source: `openssl-probe`,
/// `rustls-native-certs`.
fn reads_certificate_variable(program: &ProgramContext<'_>) -> bool {
    program.own_data.texts.contains("SSL_CERT_FILE")
}
